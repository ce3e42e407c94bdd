package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestRun_AnEvent_IsPrinted(t *testing.T) {
	t.Parallel()
	url := streamtest.Server(t).URL()
	client, err := stream.Connect(t.Context(), stream.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	_, err = client.Append(t.Context(), stream.Message{
		Subject: "fulfillment.events.purchase.approved.PRD-1.AS-1.PR-1", ID: "PR-1/7/approved",
		Header: map[string]string{"ce-id": "PR-1/7/approved", "ce-type": "fulfillment.purchase.approved.v1"},
		Body:   []byte(`{"request_id":"PR-1","asset_id":"AS-1","type":"purchase","event":"approved","reason":"fine","time":"2026-03-02T09:00:00Z"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	printed, out := io.Pipe()
	ctx, stop := context.WithTimeout(t.Context(), 15*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, url, "events-printer", "_INBOX", out) }()
	line := make([]byte, 100)
	n, err := printed.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2026-03-02T09:00:00Z  PR-1 purchase approved fine (PR-1/7/approved)\n"; string(line[:n]) != want {
		t.Errorf("printed %q, want %q", line[:n], want)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

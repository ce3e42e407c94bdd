package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestEventsMirror_AfterShare_IsMadeAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t, streamtest.Config(t, filepath.Join("..", "..", "..", "deployments", "nats-accounts.conf")))
	as := func(user, variable string) []string {
		return []string{"HEADRACE_NATS_URL=" + strings.Replace(b.URL(), "://", "://"+user+":pw-"+variable+"@", 1)}
	}
	services, data := as("services", "NATS_SERVICES_PASSWORD"), as("data", "DATA_PASSWORD")
	c, err := stream.Connect(t.Context(), stream.Options{URL: b.URL(), User: "services", Password: "pw-NATS_SERVICES_PASSWORD"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	if got := headrace(t, data, "events", "mirror", "DATA"); got.status == 0 || !strings.Contains(got.stderr, "share the events with it first") {
		t.Errorf("mirror of what is not shared: %+v", got)
	}
	for range 2 {
		got := headrace(t, services, "events", "share", "DATA")
		if got.status != 0 || !strings.Contains(got.stdout, "headrace events mirror DATA") {
			t.Fatalf("share: %+v", got)
		}
		got = headrace(t, data, "events", "mirror", "DATA", "--max-bytes", "1000000")
		if got.status != 0 || !strings.Contains(got.stdout, "DATA mirrors") {
			t.Fatalf("mirror: %+v", got)
		}
	}
	if got := headrace(t, data, "events", "mirror", "DATA", "--anew"); got.status != 0 {
		t.Errorf("mirror made anew: %+v", got)
	}
	if got := headrace(t, services, "events", "mirror", "HEADRACE", "--anew"); got.status == 0 || !strings.Contains(got.stderr, "account of the services") {
		t.Errorf("our own stream deleted as a mirror: %+v", got)
	}
	if got := headrace(t, services, "events", "mirror", "HEADRACE"); got.status == 0 || !strings.Contains(got.stderr, "account of the services") {
		t.Errorf("mirror of our own account: %+v", got)
	}
	if got := headrace(t, services, "events", "share"); got.status != 2 {
		t.Errorf("without account: %+v", got)
	}
}

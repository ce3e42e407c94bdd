package app_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// eventsOf are the subjects that a client reads.
func eventsOf(t *testing.T, c *stream.Client) []string {
	t.Helper()
	var all []string
	for m, err := range c.Read(t.Context(), fulfillment.StreamEvents, "", 1) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Subject)
	}
	return all
}

// reader is the client of the reader in listen.json.
func (w *world) reader() *stream.Client {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.cfg.DataDir, "listen.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var listen struct {
		URL    string
		Reader struct{ User, Password string }
	}
	if err := json.Unmarshal(text, &listen); err != nil {
		w.t.Fatal(err)
	}
	c, err := stream.Connect(w.t.Context(), stream.Options{URL: listen.URL, User: listen.Reader.User, Password: listen.Reader.Password})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// Also after the process was closed to others for a while.
func TestApp_EmbeddedBroker_ReaderHasEveryEventAndMayDoNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	stop := w.start()
	w.until("nothing is pending", w.settled)
	stop()
	for range 2 {
		w.cfg.NATS.Listen = "127.0.0.1:0"
		stop = w.start()
		ours, reader := w.client(), w.reader()
		w.until("the reader has every event", func() bool {
			all := eventsOf(t, ours)
			return len(all) > 0 && strings.Join(all, "\n") == strings.Join(eventsOf(t, reader), "\n")
		})
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := reader.Append(soon, stream.Message{Subject: "fulfillment.requests.purchase.PRD-1.AS-1.PR-1", ID: "forged", Body: []byte(`{}`)}); err == nil {
			t.Error("the reader appended a request")
		}
		if _, err := reader.Get(soon, fulfillment.StreamRequests, 1); err == nil {
			t.Error("the reader read a request")
		}
		cancel()
		stop()
		w.cfg.NATS.Listen = ""
		w.start()()
	}
}

// readWithoutEnd has three readers read all events again and again until the
// returned function is called.
func readWithoutEnd(t *testing.T, c *stream.Client) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var reading sync.WaitGroup
	for range 3 {
		reading.Go(func() {
			for {
				for _, err := range c.Read(t.Context(), fulfillment.StreamEvents, "", 1) {
					if err != nil {
						break // it may be told to wait, as long as the services are not
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	return func() { close(done); reading.Wait() }
}

// All services, as users of the configuration that is for real use, while
// others read as fast as they can.
func TestApp_BrokerWithAccounts_WorksWhileOthersRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	b := streamtest.Server(t, streamtest.Config(t, filepath.Join("..", "..", "..", "deployments", "nats-accounts.conf")))
	w.cfg.NATS.URL = config.URL(strings.Replace(b.URL(), "://", "://services:pw-NATS_SERVICES_PASSWORD@", 1))
	as := func(user, variable string) *stream.Client {
		c, err := stream.Connect(t.Context(), stream.Options{URL: b.URL(), User: user, Password: "pw-" + variable})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	w.start("fetcher") // declares the streams
	operator, admin := as("operator", "NATS_OPERATOR_PASSWORD"), as("readers-admin", "READERS_ADMIN_PASSWORD")
	if err := operator.FeedMirror(t.Context(), "READERS"); err != nil {
		t.Fatal(err)
	}
	if err := admin.MirrorEvents(t.Context(), "READERS", 0, 0); err != nil {
		t.Fatal(err)
	}
	stop := readWithoutEnd(t, admin)
	w.start()
	w.until("nothing is pending", w.settled)
	stop()
	w.until("the mirror has every event", func() bool {
		all := eventsOf(t, operator)
		return len(all) >= 105 && strings.Join(all, "\n") == strings.Join(eventsOf(t, admin), "\n")
	})
}

// The sequences of a stream that was made anew begin again, which a mirror
// would never follow.
func TestApp_EventsMadeAnew_ReaderHasThoseAfterTheNextStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	w.cfg.NATS.Listen = "127.0.0.1:0"
	stop := w.start()
	w.until("nothing is pending", w.settled)
	reader := w.reader()
	w.until("the reader has events", func() bool { return len(eventsOf(t, reader)) >= 105 })
	access, err := broker.ReadAccess(w.cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	streamtest.NewHand(t, strings.Replace(access.URL, "://", "://"+access.User+":"+access.Password+"@", 1)).DeleteStream(fulfillment.StreamEvents)
	stop()
	w.start()
	const after = "fulfillment.events.purchase.approved.PRD-1.AS-1.PR-after"
	if _, err := w.client().Append(t.Context(), stream.Message{Subject: after, ID: "after", Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	reader = w.reader()
	w.until("the reader has the new stream", func() bool {
		ours, theirs := eventsOf(t, w.client()), eventsOf(t, reader)
		return strings.Join(ours, "\n") == strings.Join(theirs, "\n") && strings.Contains(strings.Join(theirs, "\n"), after)
	})
}

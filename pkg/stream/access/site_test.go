// Package access_test runs deployments/nats-accounts.conf in a real nats-server
// and tries what its users may do and may not.
package access_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

const (
	patience = 3 * time.Minute
	events   = fulfillment.StreamEvents
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The server waits for the answer that its mirror needs for some seconds after
		// it was shut down.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*stream).setupMirrorConsumer.func3"))
}

// configPath is the configuration that is tried.
func configPath() string { return filepath.Join("..", "..", "..", "deployments", "nats-accounts.conf") }

// passwords are the users' variables in the configuration.
func passwords() map[string]string {
	return map[string]string{
		"services": "NATS_SERVICES_PASSWORD", "operator": "NATS_OPERATOR_PASSWORD",
		"readers-admin": "READERS_ADMIN_PASSWORD", "billing": "BILLING_PASSWORD", "support": "SUPPORT_PASSWORD",
		"data": "DATA_PASSWORD",
	}
}

// site is a broker with that configuration, our streams, and both mirrors.
type site struct {
	t        *testing.T
	broker   *streamtest.Broker
	services *stream.Client
	sent     int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, broker: streamtest.Server(t, streamtest.Config(t, configPath()))}
	s.services = s.client("services")
	if err := s.services.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	for account, admin := range map[string]string{"READERS": "readers-admin", "DATA": "data"} {
		if err := s.services.FeedMirror(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		if err := s.client(admin).MirrorEvents(t.Context(), account, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// client is what a service or a command has.
func (s *site) client(user string) *stream.Client {
	s.t.Helper()
	c, err := stream.Connect(s.t.Context(), stream.Options{URL: s.broker.URL(), User: user, Password: "pw-" + passwords()[user]})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// connect is what another program has.
func (s *site) connect(user string, opts ...nats.Option) *nats.Conn {
	s.t.Helper()
	opts = append([]nats.Option{
		nats.UserInfo(user, "pw-"+passwords()[user]), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, opts...)
	if user == "billing" || user == "support" {
		opts = append(opts, nats.CustomInboxPrefix("_INBOX_"+user))
	}
	nc, err := nats.Connect(s.broker.URL(), opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

func (s *site) jetStream(user string) jetstream.JetStream {
	s.t.Helper()
	js, err := jetstream.New(s.connect(user))
	if err != nil {
		s.t.Fatal(err)
	}
	return js
}

// publish appends n events, as a service does.
func (s *site) publish(n int) {
	s.t.Helper()
	for range n {
		s.sent++
		id := fmt.Sprintf("PR-%d", s.sent)
		_, err := s.services.Append(s.t.Context(), stream.Message{
			Subject: "fulfillment.events.purchase.approved.PRD-1.AS-1." + id, ID: id + "/1/approved",
			Header: map[string]string{fulfillment.HeaderID: id + "/1/approved"}, Body: []byte(`{"request_id":"` + id + `"}`),
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// until polls a state.
func (s *site) until(what string, reached func() bool) {
	s.t.Helper()
	end := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(end) {
			s.t.Fatalf("not reached in %s: %s", patience, what)
		}
		<-tick.C
	}
}

// mirrored waits until the mirror that the user sees has all that was sent.
func (s *site) mirrored(user string) {
	s.t.Helper()
	js := s.jetStream(user)
	s.until("the mirror of "+user+" has everything", func() bool {
		m, err := js.Stream(s.t.Context(), events)
		return err == nil && m.CachedInfo().State.LastSeq == uint64(s.sent)
	})
}

// ours is the content and the consumers of our account, as text to compare.
func (s *site) ours() string {
	s.t.Helper()
	js := s.jetStream("operator")
	type consumer struct {
		Config    jetstream.ConsumerConfig
		Delivered uint64
		Consumed  uint64
		Pending   int
		Floor     uint64
	}
	all := map[string]any{}
	for info := range js.ListStreams(s.t.Context()).Info() {
		name := info.Config.Name
		all[name] = []any{info.Config, info.State.Msgs, info.State.FirstSeq, info.State.LastSeq, info.State.NumDeleted}
		m, err := js.Stream(s.t.Context(), name)
		if err != nil {
			s.t.Fatal(err)
		}
		for c := range m.ListConsumers(s.t.Context()).Info() {
			if c.Name == fulfillment.MirrorDurable("DATA") || c.Name == fulfillment.MirrorDurable("READERS") {
				all[name+"/"+c.Name] = c.Config // it moves by itself
				continue
			}
			all[name+"/"+c.Name] = consumer{c.Config, c.Delivered.Stream, c.Delivered.Consumer, c.NumAckPending, c.AckFloor.Stream}
		}
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// configText is the configuration as it stands in the file.
func configText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(configPath())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

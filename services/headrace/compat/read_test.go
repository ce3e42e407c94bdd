package compat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// TestRelease_ItsStreams_AreCarriedOn fills a broker with what a release left in
// its streams, and has today's services go on from there: what is finished stays
// so, without a call to the vendor, what waits is approved, and what is held can
// be seen and sent on.
func TestRelease_ItsStreams_AreCarriedOn(t *testing.T) {
	t.Parallel()
	for _, version := range releases(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, load(t, version))
			w.fill()
			w.startToday()
			w.goesOn()
			w.isUnderstood()
			w.isSentOn()
		})
	}
}

// world is a broker with the messages of a release, between upstreams that are
// where its Connect and vendor were.
type world struct {
	*upstreams
	t       *testing.T
	fixture fixture
	url     string
	client  *stream.Client
}

func newWorld(t *testing.T, f fixture) *world {
	t.Helper()
	w := emptyWorld(t, vendorsim.Options{})
	w.fixture = f
	for _, o := range orders() {
		if id := o.place(w.upstreams, f.Statuses[o.name]); f.Requests != nil && id != f.Requests[o.name] {
			t.Fatalf("the order %s has the id %s, which was %s when the messages were taken: take them again", o.name, id, f.Requests[o.name])
		}
	}
	return w
}

// emptyWorld is a world without orders.
func emptyWorld(t *testing.T, vo vendorsim.Options) *world {
	t.Helper()
	w := &world{upstreams: newUpstreams(t, vo), t: t}
	b, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(b.User(), b.Password())
	w.url = u.String()
	if w.client, err = stream.Connect(t.Context(), stream.Options{URL: w.url}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

// fill stores the messages at the sequences that they had: episodes are
// sequences. Where one is missing, since it was a schedule that has fired,
// there is a gap.
func (w *world) fill() {
	w.t.Helper()
	if err := w.client.Apply(w.t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		w.t.Fatal(err)
	}
	hand := streamtest.NewHand(w.t, w.url)
	next := map[string]uint64{}
	for _, m := range w.fixture.Messages {
		for next[m.Stream]++; next[m.Stream] < m.Sequence; next[m.Stream]++ {
			seq := w.put(stream.Message{Subject: m.Subject + ".gap", ID: "gap"})
			hand.DeleteMessage(m.Stream, seq)
		}
		var opts []stream.AppendOption
		if m.Scheduled {
			_, key, err := fulfillment.ParseSubject(m.Subject)
			if err != nil {
				w.t.Fatal(err)
			}
			opts = append(opts, stream.ScheduleAt(time.Now().Add(time.Second), key.Subject(fulfillment.RootRetries)))
		}
		if got := w.put(stream.Message{Subject: m.Subject, ID: m.ID, Header: m.Header, Body: m.body()}, opts...); got != m.Sequence {
			w.t.Fatalf("%s has sequence %d, want %d", m.Subject, got, m.Sequence)
		}
		w.bookTenant(m)
	}
}

func (w *world) put(m stream.Message, opts ...stream.AppendOption) uint64 {
	w.t.Helper()
	seq, err := w.client.Append(w.t.Context(), m, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

// bookTenant gives the vendor the tenant that a result tells of.
func (w *world) bookTenant(m message) {
	var r fulfillment.Result
	if m.Stream != fulfillment.StreamResults || json.Unmarshal(m.body(), &r) != nil {
		return
	}
	for _, p := range r.Params {
		if p.ID == "subscription_id" && p.Value != nil {
			w.vendor.Add(vendorsim.Tenant{ID: *p.Value, ExternalID: r.AssetID, State: vendorsim.StateActive})
		}
	}
}

// startToday starts all of today's services.
func (w *world) startToday() (stop func()) {
	w.t.Helper()
	cfg := config.Default()
	cfg.Connect.Endpoint, cfg.Vendor.Endpoint, cfg.NATS.URL = config.URL(w.connectURL), config.URL(w.vendorURL), config.URL(w.url)
	cfg.Connect.APIKey = config.NewSecret(apiKey)
	cfg.Connect.PollInterval, cfg.HTTPAddr = 100*time.Millisecond, config.HTTPOff
	log := logrus.New()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- app.New(cfg, logrus.NewEntry(log), telemetry.New(), telemetry.NewHealth()).Run(ctx, nil)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) count(name string) uint64 {
	s, err := w.client.StreamState(w.t.Context(), name)
	if errors.Is(err, stream.ErrNoStream) {
		return 0 // not yet
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Messages
}

func (w *world) status(name string) string { return w.connect.Statuses()[w.fixture.Requests[name]] }

// goesOn waits until everything was delivered again and what waits is approved.
func (w *world) goesOn() {
	w.t.Helper()
	until(w.t, "what waits is approved", func() bool { return w.status("waiting") == "approved" })
	for _, durable := range []string{"purchase", "change", "adjustment", stream.DurableTierConfig, stream.DurableCommitter, stream.DurableUnclaimed} {
		until(w.t, "all of "+durable+" was delivered", func() bool {
			s, err := w.client.ConsumerState(w.t.Context(), durable)
			if err != nil && !errors.Is(err, stream.ErrNotFound) {
				w.t.Fatal(err)
			}
			return err == nil && s.Pending == 0 && s.InHand == 0
		})
	}
	for name, status := range w.fixture.Statuses {
		if got := w.status(name); got != status && name != "waiting" {
			w.t.Errorf("%s is %s in Connect, and was %s", name, got, status)
		}
	}
	if ops := w.vendor.Operations(); len(ops) > 0 {
		w.t.Errorf("the vendor was called: %+v", ops)
	}
}

// isUnderstood looks at the requests and letters as an operator does.
func (w *world) isUnderstood() {
	w.t.Helper()
	for name, want := range map[string]fulfillment.State{
		"bought": fulfillment.StateApproved, "answered": fulfillment.StateApproved, "finished": fulfillment.StateApproved,
		"asked": fulfillment.StateInquiring, "reseller": fulfillment.StateInquiring, "rejected": fulfillment.StateFailed,
		"held": fulfillment.StateHeld, "redriven": fulfillment.StateHeld, "discarded": fulfillment.StateLeft,
		"unknown": fulfillment.StateDead, "waiting": fulfillment.StateApproved,
	} {
		h, err := ledger.Show(w.t.Context(), w.client, w.fixture.Requests[name])
		if err != nil || h.State != want {
			w.t.Errorf("%s is %s, %v; want %s", name, h.State, err, want)
		}
	}
	letters, err := deadletter.List(w.t.Context(), w.client, deadletter.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, l := range letters {
		got = append(got, string(l.Stage)+" "+l.RequestID)
	}
	want := []string{
		"type " + w.fixture.Requests["unknown"], "hold " + w.fixture.Requests["held"],
		"hold " + w.fixture.Requests["redriven"], "decode PR-9",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("dead letters %v, want %v", got, want)
	}
}

// isSentOn has an operator say that what the release held is done.
func (w *world) isSentOn() {
	w.t.Helper()
	e, err := deadletter.Get(w.t.Context(), w.client, w.fixture.Requests["held"])
	if err != nil {
		w.t.Fatal(err)
	}
	value := "T-1"
	if err := deadletter.Send(w.t.Context(), w.client, e, deadletter.Redrive{
		Outcome: deadletter.OutcomeDone, By: "ops", Set: []fulfillment.Param{{ID: "subscription_id", Value: &value}},
	}); err != nil {
		w.t.Fatal(err)
	}
	until(w.t, "what was held is approved", func() bool { return w.status("held") == "approved" })
}

package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

func TestApp_StartSet_ApprovesEveryTypeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	stop := w.start()
	w.until("no request pending", w.settled)
	stop()

	for _, typ := range []string{"purchase", "change", "cancel", "suspend", "resume"} {
		if got := w.connect.Counts()[typ]["approved"]; got != 20 {
			t.Errorf("%s: %d approved, want 20", typ, got)
		}
	}
	w.eachOnce()
}

// eachOnce fails unless the vendor saw exactly one effect for each request.
func (w *world) eachOnce() {
	w.t.Helper()
	seen := map[string]int{}
	for _, op := range w.vendor.Operations() {
		seen[op.IdempotencyKey]++
	}
	for _, r := range w.connect.Requests() {
		if seen[r.ID] != 1 {
			w.t.Errorf("%s %s: %d effects at the vendor, want 1", r.Type, r.ID, seen[r.ID])
		}
	}
	if pairs := w.vendor.Overlaps(); len(pairs) > 0 {
		w.t.Errorf("operations overlap on one asset: %+v", pairs)
	}
}

func TestApp_Restarted_RepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	for range 3 {
		stop := w.start()
		w.until("no request pending", w.settled)
		stop()
	}
	w.eachOnce()
}

func TestApp_TwoOfEverything_PublishAndCommitOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	w.shareBroker()
	first, second := w.start(), w.start()
	w.until("no request pending", w.settled)
	first()
	second()
	w.eachOnce()
	c := w.client()
	w.once(c, fulfillment.StreamRequests, fulfillment.RootRequests+".>", 105)
	w.once(c, fulfillment.StreamEvents, fulfillment.RootEvents+".*.approved.>", 105) // five of them of tiers
	w.inOrder(c)
}

// inOrder fails if the events of any request are not those that may be.
func (w *world) inOrder(c *stream.Client) {
	w.t.Helper()
	for _, events := range w.told(c) {
		for _, wrong := range pipelinetest.Disorder(events) {
			w.t.Error(wrong)
		}
	}
}

// told are the events of each request.
func (w *world) told(c *stream.Client) map[string][]fulfillment.EventBody {
	w.t.Helper()
	all := map[string][]fulfillment.EventBody{}
	for m, err := range c.Read(w.t.Context(), fulfillment.StreamEvents, "", 1) {
		if err != nil {
			w.t.Fatal(err)
		}
		var e fulfillment.EventBody
		if err := json.Unmarshal(m.Body, &e); err != nil {
			w.t.Fatal(err)
		}
		all[e.RequestID] = append(all[e.RequestID], e)
	}
	return all
}

// once fails unless the stream holds want messages below filter, each on a
// subject of its own.
func (w *world) once(c *stream.Client, name, filter string, want int) {
	w.t.Helper()
	seen := map[string]int{}
	for m, err := range c.Read(w.t.Context(), name, filter, 1) {
		if err != nil {
			w.t.Fatal(err)
		}
		if seen[m.Subject]++; seen[m.Subject] > 1 {
			w.t.Errorf("%s is there %d times", m.Subject, seen[m.Subject])
		}
	}
	if len(seen) != want {
		w.t.Errorf("%d subjects below %s, want %d", len(seen), filter, want)
	}
}

func TestApp_ForeignMessages_AreFoundInDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	stop := w.start()
	defer stop()
	c := w.client()
	for _, subject := range []string{
		"fulfillment.requests.purchase.PRD-1.AS-9.PR-9", "fulfillment.requests.purchase", "fulfillment.requests.teleport.PRD-1.AS-8.PR-8",
	} {
		if _, err := c.Append(t.Context(), stream.Message{Subject: subject, ID: subject, Body: []byte("{")}); err != nil {
			t.Fatal(err)
		}
	}
	var letters []deadletter.Entry
	w.until("three dead letters and nothing pending", func() bool {
		var err error
		if letters, err = deadletter.List(t.Context(), c, deadletter.Filter{}); err != nil {
			t.Fatal(err)
		}
		return len(letters) >= 3 && w.settled()
	})
	if len(letters) != 3 {
		t.Errorf("%d dead letters, want 3: %+v", len(letters), letters)
	}
	w.eachOnce()
}

func TestApp_RequestFails_IsToldInItsConversation(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]bool{"on": true, "off": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{})
			w.cfg.Conversations = on
			if err := w.vendor.Faults().Set([]simfault.Fault{{Method: http.MethodPost, Path: "/tenant", Status: http.StatusUnprocessableEntity}}); err != nil {
				t.Fatal(err)
			}
			w.connect.Load(connectsim.LoadOptions{Purchases: 1})
			stop := w.start()
			w.until("the request failed", w.settled)
			if on {
				w.until("people are told", func() bool { return w.messages() == 1 })
			}
			stop()
			if !on && w.messages() != 0 {
				t.Error("people are told, though that is switched off")
			}
		})
	}
}

// messages counts what was posted to conversations.
func (w *world) messages() int {
	n := 0
	for _, c := range w.connect.Faults().Calls() {
		if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/messages") {
			n++
		}
	}
	return n
}

func TestApp_DryRun_WritesNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	w.cfg.DryRun = true
	stop := w.start()
	w.until("every kind of call would have been made", func() bool { return len(w.connect.Faults().Calls()) > 100 })
	stop()
	for _, c := range w.connect.Faults().Calls() {
		if c.Method != http.MethodGet {
			t.Errorf("%s %s was sent to Connect", c.Method, c.Path)
		}
	}
	if n := len(w.vendor.Faults().Calls()); n != 0 {
		t.Errorf("%d calls to the vendor", n)
	}
	if entries, err := os.ReadDir(w.cfg.DataDir); err != nil || len(entries) != 0 {
		t.Errorf("the data directory has %d entries (%v): a dry run leaves nothing that is taken for done", len(entries), err)
	}
}

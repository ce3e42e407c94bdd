package committer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/services/committer"
)

const password = `pa"ss & word`

// talk is a notifier between a real broker and a simulated Connect with one
// pending purchase, which has a password.
type talk struct {
	sim    *connectsim.Server
	con    *connect.Client
	client *stream.Client
	key    fulfillment.Key
	body   []byte
}

func newTalk(t *testing.T) *talk {
	t.Helper()
	w := &talk{sim: connectsim.New(connectsim.Options{Empty: true})}
	server := httptest.NewServer(w.sim.Handler())
	t.Cleanup(server.Close)
	con, err := connect.NewClient(server.URL+connectsim.BasePath, "SU-000-000-000:secret", connect.WithRetry(1, time.Millisecond, time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	w.con, w.client = con, pipelinetest.Client(t)
	w.sim.AddProduct(connectsim.Product{
		ID: "PRD-700-000-001", Name: "Secretive", Items: []connectsim.Item{{MPN: "S"}},
		Params: []connectsim.Param{
			{ID: "subscription_id", Phase: "fulfillment"},
			{ID: "admin_password", Type: "password", Phase: "ordering"},
		},
	})
	r, _ := w.sim.Request(w.sim.AddRequest(connectsim.NewRequest{
		ProductID: "PRD-700-000-001", Params: map[string]string{"admin_password": password},
	}))
	w.key = fulfillment.Key{Type: fulfillment.Purchase, Product: r.ProductID, Asset: r.AssetID, Request: r.ID}
	w.body = pipelinetest.Request(t, w.key, "")
	return w
}

func (w *talk) notifier() *committer.Notifier {
	return committer.NewNotifier(committer.NotifierConfig{
		Log: w.client, Requests: w.con.Requests, TierRequests: w.con.TierRequests, Conversations: w.con.Conversations,
		Logger: pipelinetest.Logger(),
	})
}

// hold opens an episode of the request, holds it, and returns the letter's
// delivery.
func (w *talk) hold(t *testing.T, stage fulfillment.Stage, reason string) *stream.Delivery {
	t.Helper()
	d := pipelinetest.Open(t, w.client, w.key, w.body)
	if err := deadletter.NewWriter(w.client, nil).Write(t.Context(), deadletter.OfDelivery(d, stage, reason)); err != nil {
		t.Fatal(err)
	}
	m := pipelinetest.Last(t, w.client, fulfillment.StreamDead, w.key.DeadFilter())
	return &stream.Delivery{Stored: *m, Attempt: 1}
}

// failed fails the request in Connect and publishes the event.
func (w *talk) failed(t *testing.T, reason string) *stream.Delivery {
	t.Helper()
	if err := w.sim.SetStatus(w.key.Request, "failed"); err != nil {
		t.Fatal(err)
	}
	return w.event(t, fulfillment.EventFailed, reason)
}

func (w *talk) event(t *testing.T, e fulfillment.Event, reason string) *stream.Delivery {
	t.Helper()
	body, err := json.Marshal(fulfillment.EventBody{
		RequestID: w.key.Request, AssetID: w.key.Asset, ProductID: w.key.Product, Type: w.key.Type,
		Event: e, Episode: 1, Reason: reason, Time: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, w.client, stream.Message{Subject: w.key.EventSubject(e), Body: body})
	return pipelinetest.Deliver(t, w.client, fulfillment.StreamEvents, seq, 1)
}

// waited is a retry of a request that was decided Wait so long ago.
func (w *talk) waited(t *testing.T, ago time.Duration) *stream.Delivery {
	t.Helper()
	body, err := json.Marshal(fulfillment.Result{
		RequestID: w.key.Request, AssetID: w.key.Asset, ProductID: w.key.Product, Type: w.key.Type,
		Episode: 1, Attempt: 1, Decision: fulfillment.Wait, Reason: "the tenant is creating at the vendor", Time: time.Now().Add(-ago),
	})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, w.client, stream.Message{Subject: w.key.Subject(fulfillment.RootResults), Body: body})
	seq := pipelinetest.Append(t, w.client, stream.Message{Subject: w.key.Subject(fulfillment.RootRetries), Header: map[string]string{
		fulfillment.HeaderEpisode: "1", fulfillment.HeaderPolls: strconv.Itoa(20),
	}})
	return pipelinetest.Deliver(t, w.client, fulfillment.StreamRequests, seq, 1)
}

// handle delivers d; it must be acknowledged.
func (w *talk) handle(t *testing.T, n *committer.Notifier, d *stream.Delivery) {
	t.Helper()
	if err := n.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func (w *talk) messages(t *testing.T) []connect.Message {
	t.Helper()
	c, err := w.con.Conversations.ForRequest(t.Context(), w.key.Request)
	if err != nil || c == nil {
		t.Fatalf("conversation: %v, %v", c, err)
	}
	all, err := w.con.Conversations.Messages(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// one fails unless there is one message, a private one with all the parts.
func (w *talk) one(t *testing.T, parts ...string) {
	t.Helper()
	all := w.messages(t)
	if len(all) != 1 || all[0].Type != connect.MessagePrivate {
		t.Fatalf("messages: %+v, want one that is private", all)
	}
	for _, p := range parts {
		if !strings.Contains(all[0].Text, p) {
			t.Errorf("message %q lacks %q", all[0].Text, p)
		}
	}
}

func TestNotify_WhatPeopleShouldKnow_IsSaidOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of   func(t *testing.T, w *talk) *stream.Delivery
		want []string
	}{
		"held": {func(t *testing.T, w *talk) *stream.Delivery {
			return w.hold(t, fulfillment.StageHold, "the tenant is not known")
		},
			[]string{"holds", "the tenant is not known", "headrace dead show PR-"}},
		"dead": {func(t *testing.T, w *talk) *stream.Delivery {
			return w.hold(t, fulfillment.StageCommit, "not understood")
		},
			[]string{"cannot go on", "not understood"}},
		"failed": {func(t *testing.T, w *talk) *stream.Delivery { return w.failed(t, "the region is not served.") },
			[]string{"failed: the region is not served — ", "ordered again"}},
		"waits": {func(t *testing.T, w *talk) *stream.Delivery { return w.waited(t, 61*time.Minute) },
			[]string{"more than an hour: the tenant is creating"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTalk(t)
			d, n := c.of(t, w), w.notifier()
			w.handle(t, n, d)
			d.Attempt++
			w.handle(t, n, d)
			w.handle(t, w.notifier(), d) // as after a restart
			w.one(t, c.want...)
		})
	}
}

func TestNotify_NothingToTell_PostsNothing(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(t *testing.T, w *talk) *stream.Delivery{
		"waits a little": func(t *testing.T, w *talk) *stream.Delivery { return w.waited(t, 50*time.Minute) },
		"approved by hand meanwhile": func(t *testing.T, w *talk) *stream.Delivery {
			d := w.hold(t, fulfillment.StageHold, "why")
			if err := w.sim.SetStatus(w.key.Request, "approved"); err != nil {
				t.Fatal(err)
			}
			return d
		},
		"discarded": func(t *testing.T, w *talk) *stream.Delivery {
			d := w.hold(t, fulfillment.StageHold, "why")
			w.event(t, fulfillment.EventDiscarded, "")
			return d
		},
		"redriven": func(t *testing.T, w *talk) *stream.Delivery {
			d := w.hold(t, fulfillment.StageHold, "why")
			pipelinetest.Append(t, w.client, stream.Message{Subject: w.key.Subject(fulfillment.RootRetries), Body: w.body})
			return d
		},
		"held anew for another reason": func(t *testing.T, w *talk) *stream.Delivery {
			d := w.hold(t, fulfillment.StageHold, "why")
			w.hold(t, fulfillment.StageHold, "why not")
			return d
		},
		"failed long ago": func(t *testing.T, w *talk) *stream.Delivery {
			d := w.failed(t, "why")
			d.Time = d.Time.Add(-25 * time.Hour)
			return d
		},
		"a request that Connect does not know": func(t *testing.T, w *talk) *stream.Delivery {
			w.key.Request = "PR-0000-0000-0000-001"
			d := w.hold(t, fulfillment.StageHold, "why")
			return d
		},
		"scribbled by hand": func(t *testing.T, w *talk) *stream.Delivery {
			seq := pipelinetest.Append(t, w.client, stream.Message{Subject: "fulfillment.dead.hold.x", Body: []byte("{")})
			return pipelinetest.Deliver(t, w.client, fulfillment.StreamDead, seq, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTalk(t)
			w.handle(t, w.notifier(), of(t, w))
			if n := w.posts(); n != 0 {
				t.Errorf("%d messages posted", n)
			}
		})
	}
}

func TestNotify_TierRequest_IsSaidOnce(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	tier, err := w.con.TierRequests.Get(t.Context(), w.sim.AddTierRequest(connectsim.NewTierRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	w.key = fulfillment.Key{
		Type: fulfillment.TierSetup, Product: tier.Configuration.Product.ID, Asset: tier.Configuration.ID, Request: tier.ID,
	}
	d, n := w.hold(t, fulfillment.StageHold, "the reseller is not known"), w.notifier()
	w.handle(t, n, d)
	w.handle(t, n, d)
	w.one(t, "the reseller is not known", "headrace dead show TCR-")
}

// posts counts what was written to Connect.
func (w *talk) posts() int {
	n := 0
	for _, c := range w.sim.Faults().Calls() {
		if c.Method == http.MethodPost {
			n++
		}
	}
	return n
}

func TestNotify_HeldAgainForTheSameReason_IsSaidOnce(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	n := w.notifier()
	for range 3 {
		w.handle(t, n, w.hold(t, fulfillment.StageHold, "the tenant is not known"))
	}
	w.one(t)
	w.handle(t, n, w.hold(t, fulfillment.StageHold, "another reason"))
	if all := w.messages(t); len(all) != 2 {
		t.Errorf("%d messages, want one for each reason", len(all))
	}
}

func TestNotify_Secrets_AreNotInTheText(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	saved := "T-" + strings.Repeat("q", 9)
	body, err := json.Marshal(fulfillment.Result{
		RequestID: w.key.Request, Decision: fulfillment.Approve, Episode: 1, Params: []fulfillment.Param{processor.Value("admin_password", saved)},
	})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, w.client, stream.Message{Subject: w.key.Subject(fulfillment.RootResults), Body: body})
	quoted, _ := json.Marshal(password)
	w.handle(t, w.notifier(), w.hold(t, fulfillment.StageHold, "refused "+password+", "+string(quoted)+", pa%22ss+%26+word and "+saved+
		` with Authorization: Bearer abcdefghijklmnopqrst, ApiKey SU-123-456-789:deadbeef, https://u:pw1234@vendor.example, api_key=hush "client_secret": "hush hush" at PR-1`))
	w.one(t, "refused •••", "vendor.example", "at PR-1")
	text := w.messages(t)[0].Text
	for _, secret := range []string{"word", "ss &", saved, "abcdefghij", "deadbeef", "pw1234", "hush"} {
		if strings.Contains(strings.ReplaceAll(text, "password", ""), secret) {
			t.Errorf("%q is in %q", secret, text)
		}
	}
}

func TestNotify_LongReason_FitsAndEndsWithWhatToDo(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	d := w.hold(t, fulfillment.StageHold, strings.Repeat("zeichenkräftig ", 200))
	w.handle(t, w.notifier(), d)
	w.handle(t, w.notifier(), d)
	w.one(t, "… — mend the cause", "headrace dead show")
	if n := len([]rune(w.messages(t)[0].Text)); n != 540 {
		t.Errorf("%d characters, want 540", n)
	}
}

func TestNotify_ConnectDown_ComesAgainAndSaysItOnce(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	d, n := w.hold(t, fulfillment.StageHold, "why"), w.notifier()
	for _, status := range []int{503, 429, 401} {
		if err := w.sim.Faults().Set([]simfault.Fault{{Path: "/public/v1/conversations", Status: status}}); err != nil {
			t.Fatal(err)
		}
		d.Attempt = 40
		if err := n.Handle(t.Context(), d); err == nil {
			t.Errorf("%d: acknowledged", status)
		}
	}
	// The message is there, but nobody hears of it.
	if err := w.sim.Faults().Set([]simfault.Fault{{Method: http.MethodPost, Path: "/public/v1/conversations", Drop: simfault.DropAfter}}); err != nil {
		t.Fatal(err)
	}
	if err := n.Handle(t.Context(), d); err == nil {
		t.Error("acknowledged without an answer")
	}
	if err := w.sim.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	w.handle(t, n, d)
	w.one(t)
}

func TestNotify_RefusedOrGone_IsGivenUp(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 409} {
		w := newTalk(t)
		d := w.hold(t, fulfillment.StageHold, "why")
		if err := w.sim.Faults().Set([]simfault.Fault{{Method: http.MethodPost, Path: "/public/v1/conversations", Status: status}}); err != nil {
			t.Fatal(err)
		}
		w.handle(t, w.notifier(), d)
	}
}

// noConversation is Connect before it opened the conversation.
type noConversation struct{ committer.Conversations }

func (noConversation) ForRequest(context.Context, string) (*connect.Conversation, error) {
	return nil, nil
}

func TestNotify_NoConversationOrDryRun_IsSilent(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	d, none, dry := w.hold(t, fulfillment.StageHold, "why"), w.notifier(), w.notifier()
	none.Conversations = noConversation{w.con.Conversations}
	w.handle(t, none, d)
	dry.DryRun = true
	w.handle(t, dry, d)
	if n := w.posts(); n != 0 {
		t.Errorf("%d messages posted", n)
	}
}

// failing is a log that the broker does not answer for.
type failing struct{ committer.Log }

func (failing) Last(context.Context, string, string) (*stream.Stored, error) {
	return nil, errors.Join(stream.ErrUnknownOutcome, io.ErrUnexpectedEOF)
}

func TestNotify_BrokerInTrouble_ComesAgain(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	d, n := w.hold(t, fulfillment.StageHold, "why"), w.notifier()
	n.Log = failing{}
	if err := n.Handle(t.Context(), d); err == nil {
		t.Error("acknowledged")
	}
}

func TestNotify_TwoCommittersAtOnce_SayEachThingOnce(t *testing.T) {
	t.Parallel()
	w := newTalk(t)
	for range 5 { // replayed, and held again each time
		w.hold(t, fulfillment.StageHold, "the tenant is not known")
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		c := w.peer(t)
		for _, durable := range []string{stream.DurableNoteHeld, stream.DurableNoteFailed, stream.DurableNoteWaits} {
			c.Handle(durable, 1, w.notifier().Handle)
		}
		running.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	w.quiet(t, stream.DurableNoteHeld)
	w.failed(t, "the region is not served")
	w.quiet(t, stream.DurableNoteFailed)
	stop()
	running.Wait()
	all := w.messages(t)
	if len(all) != 2 || !strings.Contains(all[0].Text, "holds") || !strings.Contains(all[1].Text, "region") {
		t.Errorf("messages: %+v", all)
	}
}

// peer is one more connection to the test's broker.
func (w *talk) peer(t *testing.T) *stream.Client {
	t.Helper()
	c, err := stream.Connect(t.Context(), stream.Options{URL: "nats://" + strings.TrimPrefix(w.client.Status().Server, "nats://")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// quiet waits until a durable has nothing left.
func (w *talk) quiet(t *testing.T, durable string) {
	t.Helper()
	pipelinetest.Until(t, durable+" is done", func() bool {
		s, err := w.client.ConsumerState(t.Context(), durable)
		if err != nil {
			t.Fatal(err)
		}
		return s.Pending == 0 && s.InHand == 0
	})
}

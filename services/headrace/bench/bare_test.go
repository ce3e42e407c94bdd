package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// pipeline is bare: purchases on nats.go alone, without Watermill, retries,
// logs, metrics or state. It stores the messages that Headrace stores, each
// with the expectation that Headrace has, in the same streams of the same
// broker in the same process, by as many workers.
//
// Each worker publishes and waits for the broker's answer: what it expects next
// depends on that. With sync always that is one sync for each message.
type pipeline struct {
	js     jetstream.JetStream
	events jetstream.Stream
	up     *upstream
	ctx    context.Context
}

// fetchers is how many requests are published at a time, as many as
// HEADRACE_CONCURRENCY_FETCHER has by default.
const fetchers = 64

// bare is the process of its own that the pipeline is measured in.
func bare() (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := serveBroker(ctx, os.Getenv("BENCH_DATA"), os.Getenv("BENCH_SYNC"))
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", nats.InProcessServer(b), nats.UserInfo(b.User(), b.Password()))
	if err != nil {
		return err
	}
	defer nc.Close()
	p := &pipeline{ctx: ctx, up: newUpstream(os.Getenv("BENCH_UPSTREAM"), loopWorkers)}
	if p.js, err = jetstream.New(nc); err != nil {
		return err
	}
	if p.events, err = p.js.Stream(ctx, fulfillment.StreamEvents); err != nil {
		return err
	}
	failed := make(chan error, 2)
	var wg sync.WaitGroup
	defer wg.Wait()
	for durable, of := range map[string]struct {
		stream  string
		workers int
		handle  func(jetstream.Msg) error
	}{
		"purchase":  {fulfillment.StreamRequests, purchaseWorkers, p.purchase},
		"committer": {fulfillment.StreamResults, committerWorkers, p.commit},
	} {
		messages, err := p.messages(of.stream, durable)
		if err != nil {
			return err
		}
		defer messages.Stop()
		wg.Go(func() { failed <- work(messages, of.workers, of.handle) })
	}
	rows, err := p.up.list(ctx)
	if err != nil {
		return err
	}
	if err := parallel(fetchers, rows, p.open); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	select {
	case <-ended:
		return nil
	case err := <-failed:
		return err
	}
}

// serveBroker starts a broker as Headrace does, with Headrace's streams.
func serveBroker(ctx context.Context, dir, sync string) (*broker.Broker, error) {
	o := broker.Options{Dir: dir, SyncAlways: sync == "always"}
	if !o.SyncAlways {
		var err error
		if o.SyncInterval, err = time.ParseDuration(sync); err != nil {
			return nil, err
		}
	}
	b, err := broker.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	c, err := stream.Connect(ctx, stream.Options{InProcess: b, User: b.User(), Password: b.Password()})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return b, c.Apply(ctx, stream.Fulfillment(stream.Limits{}))
}

func (p *pipeline) messages(name, durable string) (jetstream.MessagesContext, error) {
	c, err := p.js.Consumer(p.ctx, name, durable)
	if err != nil {
		return nil, err
	}
	return c.Messages()
}

// work has the messages handled by so many workers, until there are no more.
func work(messages jetstream.MessagesContext, workers int, handle func(jetstream.Msg) error) error {
	var wg sync.WaitGroup
	faults := make([]error, workers)
	for i := range workers {
		wg.Go(func() {
			defer messages.Stop() // of all, where one has failed
			for faults[i] == nil {
				m, err := messages.Next()
				if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
					return
				}
				if faults[i] = err; err == nil {
					faults[i] = handle(m)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}

// open publishes a request as the head of its asset, and that it was received.
func (p *pipeline) open(row json.RawMessage) error {
	var o order
	if err := json.Unmarshal(row, &o); err != nil {
		return err
	}
	key := o.key()
	seq, err := p.publish(key.Subject(fulfillment.RootRequests), row, fulfillment.Envelope{
		ID: fulfillment.StepID(o.ID, 0, "requested"), Kind: "requested", Schema: fulfillment.SchemaRequest, Key: key, Attempt: 1,
	}, fulfillment.HeadFilter(key.Asset), 0)
	if err != nil {
		return err
	}
	_, err = p.tell(&o, fulfillment.EventReceived, seq, "", 0)
	return err
}

// purchase makes the tenant, with an intent before and a result after.
func (p *pipeline) purchase(m jetstream.Msg) error {
	var o order
	if err := json.Unmarshal(m.Data(), &o); err != nil {
		return err
	}
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	key, episode := o.key(), meta.Sequence.Stream
	intent, err := json.Marshal(fulfillment.Intent{
		RequestID: o.ID, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Episode: episode, Attempt: 1,
		State: fulfillment.IntentCalling, IdempotencyKey: o.ID, Idempotent: true, Time: time.Now().UTC(),
	})
	if err != nil {
		return err
	}
	about := fulfillment.Envelope{
		ID: fulfillment.StepID(o.ID, episode, "calling-1"), Kind: "intent", Schema: fulfillment.SchemaIntent, Key: key, Episode: episode, Attempt: 1,
	}
	subject := key.Subject(fulfillment.RootIntents)
	if _, err := p.publish(subject, intent, about, subject, 0); err != nil {
		return err
	}
	tenant, err := p.up.create(p.ctx, &o)
	if err != nil {
		return err
	}
	none := ""
	result, err := json.Marshal(fulfillment.Result{
		RequestID: o.ID, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Episode: episode, Attempt: 1,
		Decision: fulfillment.Approve, Reason: "approved by the service purchase", Time: time.Now().UTC(),
		Params: []fulfillment.Param{{ID: "subscription_id", Value: &tenant, ValueError: &none}},
	})
	if err != nil {
		return err
	}
	about.ID, about.Kind, about.Schema = fulfillment.StepID(o.ID, episode, "decided"), "result", fulfillment.SchemaResult
	subject = key.Subject(fulfillment.RootResults)
	if _, err := p.publish(subject, result, about, subject, 0); err != nil {
		return err
	}
	return m.Ack()
}

// commit tells Connect, and then what became true. Of the events, the first
// expects the one of open: its sequence is the one thing that is read.
func (p *pipeline) commit(m jetstream.Msg) error {
	var r fulfillment.Result
	if err := json.Unmarshal(m.Data(), &r); err != nil {
		return err
	}
	key := r.Key()
	received, err := p.events.GetLastMsgForSubject(p.ctx, key.EventFilter())
	for errors.Is(err, jetstream.ErrMsgNotFound) && p.ctx.Err() == nil { // it overtook open, which stores it in a moment
		received, err = p.events.GetLastMsgForSubject(p.ctx, key.EventFilter())
	}
	if err != nil {
		return err
	}
	tenant := *r.Params[0].Value
	if err := p.up.save(p.ctx, r.RequestID, tenant); err != nil {
		return err
	}
	answer, err := p.up.approve(p.ctx, r.RequestID, true)
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(answer, &o); err != nil {
		return err
	}
	last := received.Sequence
	for _, e := range []fulfillment.Event{
		fulfillment.EventProvisioned, fulfillment.SubscriptionEvent(fulfillment.Purchase), fulfillment.EventApproved,
	} {
		if last, err = p.tell(&o, e, r.Episode, tenant, last); err != nil {
			return err
		}
	}
	return m.Ack()
}

// tell publishes an event after the one of the sequence last.
func (p *pipeline) tell(o *order, e fulfillment.Event, episode uint64, tenant string, last uint64) (uint64, error) {
	body, err := json.Marshal(o.event(e, episode, tenant))
	if err != nil {
		return 0, err
	}
	return p.publish(o.key().EventSubject(e), body, o.about(e, episode), o.key().EventFilter(), last)
}

// publish stores a message if last is the sequence of the last that matches
// filter, and waits for the answer.
func (p *pipeline) publish(subject string, body []byte, about fulfillment.Envelope, filter string, last uint64) (uint64, error) {
	about.Time = time.Now()
	m := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{}}
	for name, value := range about.Header() {
		m.Header[name] = []string{value}
	}
	m.Header["Nats-Expected-Last-Subject-Sequence"] = []string{strconv.FormatUint(last, 10)}
	m.Header["Nats-Expected-Last-Subject-Sequence-Subject"] = []string{filter}
	ack, err := p.js.PublishMsg(p.ctx, m)
	if err != nil {
		return 0, fmt.Errorf("publish to %s: %w", subject, err)
	}
	return ack.Sequence, nil
}

func (o *order) key() fulfillment.Key {
	return fulfillment.Key{Type: fulfillment.Purchase, Product: o.Asset.Product.ID, Asset: o.Asset.ID, Request: o.ID}
}

// event is an event's body.
func (o *order) event(e fulfillment.Event, episode uint64, tenant string) fulfillment.EventBody {
	key := o.key()
	b := fulfillment.EventBody{
		RequestID: o.ID, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Event: e, Episode: episode,
		Status: "pending", Time: time.Now().UTC(), Subscription: o.subscription(tenant),
		Customer: o.Asset.Tiers.Customer.account(), Tier1: o.Asset.Tiers.Tier1.account(),
	}
	if e == fulfillment.EventApproved {
		b.Status, b.Reason = "approved", "approved by the service purchase"
	}
	return b
}

// about are an event's headers.
func (o *order) about(e fulfillment.Event, episode uint64) fulfillment.Envelope {
	return fulfillment.Envelope{
		ID: fulfillment.StepID(o.ID, episode, string(e)), Kind: string(e), Schema: fulfillment.EventSchema(e), Key: o.key(), Episode: episode, Time: time.Now(),
	}
}

// subscription is what an event says of it.
func (o *order) subscription(tenant string) *fulfillment.Subscription {
	a := &o.Asset
	s := &fulfillment.Subscription{
		ID: a.ID, ExternalID: a.ExternalID, Status: a.Status, Tenant: tenant,
		Marketplace: &fulfillment.Named{ID: a.Marketplace.ID, Name: a.Marketplace.Name},
		Contract:    &fulfillment.Referred{ID: a.Contract.ID}, Connection: &fulfillment.Connection{ID: a.Connection.ID, Type: a.Connection.Type},
	}
	if tenant != "" {
		s.Parameters = []fulfillment.Parameter{{ID: "subscription_id", Value: tenant}}
	}
	for _, i := range a.Items {
		s.Items = append(s.Items, fulfillment.Item{
			ID: i.ID, MPN: i.MPN, Name: i.Name, Quantity: fulfillment.Quantity(i.Quantity), OldQuantity: fulfillment.Quantity(i.OldQuantity),
		})
	}
	return s
}

func (a party) account() *fulfillment.Account {
	return &fulfillment.Account{ID: a.ID, ExternalID: a.ExternalID}
}

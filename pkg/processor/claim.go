package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// read makes Work of a delivery; an error means that it can't be read.
func (p *Processor) read(d *stream.Delivery) (*Work, error) {
	if d.Poison != nil {
		return nil, d.Poison
	}
	_, key, err := fulfillment.ParseSubject(d.Subject)
	if err != nil {
		return nil, err
	}
	w := &Work{
		Key:     key,
		Episode: fulfillment.Episode(d.Header, d.Sequence),
		Attempt: fulfillment.Attempt(d.Header) + d.Attempt - 1,
		Replay:  fulfillment.Number(d.Header, fulfillment.HeaderReplay),
		polls:   fulfillment.Number(d.Header, fulfillment.HeaderPolls),
		faults:  fulfillment.Number(d.Header, fulfillment.HeaderFaults),
		renew:   p.maxWait,
		publish: p.publish, log: p.log, now: p.now,
	}
	if d.Sequence == w.Episode {
		w.opened = d.Time
	}
	w.redriven, _ = time.Parse(time.RFC3339Nano, d.Header[fulfillment.HeaderRedriven]) // zero: never
	if done, said := d.Header[fulfillment.HeaderDone]; said {
		if err := json.Unmarshal([]byte(done), &w.done); err != nil {
			return nil, fmt.Errorf("decode header %s: %w", fulfillment.HeaderDone, err)
		}
		w.isDone = true
	}
	said, err := w.decode(d.Body)
	if err != nil {
		return nil, err
	}
	if said != key {
		return nil, fmt.Errorf("the body is about %s %s of asset %s and product %s, which is not what the subject says",
			said.Type, said.Request, said.Asset, said.Product)
	}
	return w, nil
}

// decode reads the body, and returns what it says it is about.
func (w *Work) decode(body []byte) (fulfillment.Key, error) {
	if w.Key.Type.Tier() {
		tier, err := connect.DecodeTierRequest(body)
		if err != nil {
			return fulfillment.Key{}, err
		}
		w.Tier = tier
		return fulfillment.Key{
			Type: fulfillment.TierType(tier.Type), Product: tier.Configuration.Product.ID,
			Asset: tier.Configuration.ID, Request: tier.ID,
		}, nil
	}
	req, err := connect.DecodeRequest(body)
	if err != nil {
		return fulfillment.Key{}, err
	}
	w.Request = req
	return fulfillment.Key{
		Type: fulfillment.Type(req.Type), Product: req.Asset.Product.ID, Asset: req.Asset.ID, Request: req.ID,
	}, nil
}

// claim reports whether the delivery is the asset's head and its episode
// undecided: then, and only then, is there work to do.
func (p *Processor) claim(ctx context.Context, d *stream.Delivery, w *Work) (bool, error) {
	if p.presumes(d, w) {
		w.presumed, w.untouched = true, true
		return true, nil
	}
	head, err := episode.HeadOf(ctx, p.log, w.Key.Asset)
	if err != nil {
		return false, err
	}
	if head.Sequence < d.Sequence {
		return false, Transient(fmt.Errorf("the head of asset %s is behind: %d, expected %d", w.Key.Asset, head.Sequence, d.Sequence), 0)
	}
	if head.Sequence > d.Sequence && !failpoint.Off(failpoint.NoClaim) {
		p.entry(w).Debug("request superseded by a later message of its asset")
		return false, nil
	}
	result, err := p.decided(ctx, w)
	if err != nil {
		return false, err
	}
	if result != nil && result.Episode >= w.Episode {
		if result.Decision.Final() && !failpoint.Off(failpoint.NoClaim) {
			p.entry(w).Debug("request decided before")
			return false, nil
		}
		w.Waited, w.saved, w.since = true, result.Params, result.Time
		if w.redriven.After(w.since) {
			w.since = w.redriven // the operator gives it more time
		}
	}
	if p.fresh(d, w) || failpoint.Off(failpoint.NoClaim) {
		return true, nil
	}
	closing, err := episode.ClosingOf(ctx, p.log, w.Key)
	if err != nil || closing.Covers(w.Episode) {
		return false, err
	}
	dead, err := p.dead.Has(ctx, w.Key, d.Stream, d.Sequence)
	return !dead, err
}

// fresh reports whether nobody can have had the message before. What one operator
// sent again another may have discarded in the same moment: neither sees the
// other's append.
func (p *Processor) fresh(d *stream.Delivery, w *Work) bool {
	return d.Attempt == 1 && p.now().Sub(d.Time) < freshFor && w.redriven.IsZero()
}

// presumes reports whether claim need not read: the message opened its episode
// a moment ago, nobody had it before, and of the request most likely nothing is
// stored. The intent that the service begins with, or a decision that needs none,
// is stored only if that is so; and then the message is the head, too, since an
// episode is closed after a result of its request, or a dead letter of somebody
// who had the message.
func (p *Processor) presumes(d *stream.Delivery, w *Work) bool {
	service, begins := p.decider.(Beginner)
	if !begins || !p.alone || w.doubted || !p.fresh(d, w) || d.Sequence != w.Episode || w.Replay > 0 || w.isDone {
		return false
	}
	profile, err := p.profiles(w)
	if err != nil || profile.Manual || profile.Decider != nil || profile.Policy(w.Key.Type) != PolicyCall {
		return false
	}
	w.Profile = profile
	return service.Begins(w)
}

// errPresumed asks for the reads that presumes has spared.
var errPresumed = errors.New("presumed, and not known")

// decided returns the last result of the request, nil if there is none. Of most
// requests there is no intent either, which one read tells.
func (p *Processor) decided(ctx context.Context, w *Work) (*fulfillment.Result, error) {
	subject := w.Key.Subject(fulfillment.RootResults)
	m, err := p.log.Last(ctx, fulfillment.StreamResults, w.Key.RequestFilter())
	switch {
	case errors.Is(err, stream.ErrNotFound):
		w.untouched = true
		return nil, nil
	case err == nil && m.Subject != subject:
		m, err = p.log.Last(ctx, fulfillment.StreamResults, subject)
	}
	if errors.Is(err, stream.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last result of %s: %w", w.Key.Request, err)
	}
	w.fence, w.kept = m.Sequence, m.Time
	var r fulfillment.Result
	if err := json.Unmarshal(m.Body, &r); err != nil {
		return nil, fmt.Errorf("read last result of %s: sequence %d: %w", w.Key.Request, m.Sequence, err)
	}
	return &r, nil
}

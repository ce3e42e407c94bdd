package stream

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"
)

// DefaultTendEvery is how often Tend looks.
const DefaultTendEvery = 30 * time.Second

// Tending says how Tend looks after a Topology.
type Tending struct {
	// Every is the pause between two looks. Default 30 s. It looks at once when
	// a durable that is read, or the stream of an append, is not found.
	Every time.Duration
	// Grace is how long a durable, or a stream of which sequences are cited,
	// has been gone before it is made anew: so long may somebody still hold a
	// message of it. Default: the durable's ack wait, of a stream the longest of
	// its durables.
	Grace time.Duration
	// Found, which may be nil, is told after each look what is not as declared
	// then. What could be mended at once is not among it.
	Found func([]Fault)
	// Mended, which may be nil, is told what was not as declared and is now.
	Mended func(Fault)
}

// Tend keeps the broker's streams and durables as t declares them, until ctx
// ends: what is gone is made anew, what was changed is changed back. A pause
// stays, and so does what the broker does not change and what another version
// declares otherwise. It may run in many processes at once. Apply comes first.
func (c *Client) Tend(ctx context.Context, t Topology, how Tending) {
	if how.Every <= 0 {
		how.Every = DefaultTendEvery
	}
	if how.Found == nil {
		how.Found = func([]Fault) {}
	}
	if how.Mended == nil {
		how.Mended = func(Fault) {}
	}
	w := &tender{client: c, topology: t, Tending: how, gone: map[string]time.Time{}, anew: map[string]bool{}, said: map[string]string{}}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.closed:
			return
		case <-c.missed:
		case <-timer.C:
		}
		timer.Reset(min(w.look(ctx), how.Every))
	}
}

// tender is one Tend.
type tender struct {
	Tending
	client   *Client
	topology Topology
	gone     map[string]time.Time // since when an object is known to be missing
	anew     map[string]bool      // streams made here: nobody holds anything of them
	said     map[string]string    // what was logged of an object
	found    []Fault
	next     time.Duration // when to look again, at the latest
}

// look goes through everything once, and returns when to look again at the
// latest.
func (w *tender) look(whole context.Context) time.Duration {
	if !w.client.nc.IsConnected() {
		return lookupEvery
	}
	ctx, cancel := context.WithTimeout(whole, applyTimeout)
	defer cancel()
	w.found, w.next = nil, w.Every
	absent := map[string]bool{}
	for _, s := range w.topology.Streams {
		fault, err := w.stream(ctx, whole, s)
		if err != nil {
			return w.postpone(ctx, err)
		}
		absent[s.Name] = fault.Kind == Missing
	}
	for _, d := range w.topology.Consumers {
		if absent[d.Stream] {
			continue
		}
		if err := w.consumer(ctx, d); err != nil {
			return w.postpone(ctx, err)
		}
	}
	clear(w.anew)
	w.forget()
	w.Found(w.found)
	return w.next
}

// postpone is for a broker that does not answer: that is told elsewhere.
func (w *tender) postpone(ctx context.Context, err error) time.Duration {
	if ctx.Err() == nil {
		w.client.log.WithError(err).Debug("streams and consumers could not be looked at")
	}
	return time.Second
}

// stream looks at one stream, and returns the fault that it still has. To make it
// anew may take longer than a look: that ends with whole.
func (w *tender) stream(ctx, whole context.Context, s Stream) (Fault, error) {
	e, err := w.client.examineStream(ctx, s)
	if err != nil {
		return Fault{}, err
	}
	f := e.fault
	switch f.Kind {
	case Missing:
		if !w.due(f, w.patience(s)) {
			return f, nil
		}
		if !w.mend(f, w.client.applyStream(whole, s)) {
			return f, nil
		}
		w.anew[s.Name] = true
		return Fault{}, nil
	case Differs:
		w.mend(f, w.client.updateStream(ctx, s, e))
	case Refused, Foreign, Paused:
		w.stands(f)
	}
	w.client.mu.Lock()
	w.client.seen[s.Name] = max(w.client.seen[s.Name], e.last)
	w.client.mu.Unlock()
	delete(w.gone, f.Object())
	return f, nil
}

// patience is how long a stream has to be gone before it is made anew.
func (w *tender) patience(s Stream) time.Duration {
	if len(s.CitedBy) == 0 {
		return 0
	}
	longest := time.Duration(0)
	for _, d := range w.topology.Consumers {
		if d.Stream == s.Name {
			longest = max(longest, w.grace(d))
		}
	}
	if longest == 0 {
		return w.grace(Consumer{}) // others may read it
	}
	return longest
}

func (w *tender) grace(d Consumer) time.Duration {
	switch {
	case w.Grace > 0:
		return w.Grace
	case d.AckWait > 0:
		return d.AckWait
	}
	return DefaultAckWait
}

func (w *tender) consumer(ctx context.Context, d Consumer) error {
	e, err := w.client.examineConsumer(ctx, d)
	if err != nil {
		return err
	}
	f := e.fault
	switch f.Kind {
	case Missing:
		patience := w.grace(d)
		if w.anew[d.Stream] {
			patience = 0
		}
		if !w.due(f, patience) {
			return nil
		}
		w.mend(f, w.client.applyConsumer(ctx, d))
		return nil
	case Differs:
		w.mend(f, w.client.updateConsumer(ctx, d, e))
	case Refused, Foreign, Paused:
		w.stands(f)
	}
	delete(w.gone, f.Object())
	return nil
}

// due reports whether what is missing has been for long enough.
func (w *tender) due(f Fault, patience time.Duration) bool {
	since, known := w.gone[f.Object()]
	if !known {
		since = time.Now()
		w.gone[f.Object()] = since
	}
	rest := patience - time.Since(since)
	if rest <= 0 {
		return true
	}
	w.next = min(w.next, rest)
	w.stands(f)
	if !known {
		w.entry(f).Errorf("%s was deleted; it is made anew in %s, when nobody holds a message of it any more", f.Object(), patience)
	}
	return false
}

// mend notes that a fault is mended, or what kept it from being.
func (w *tender) mend(f Fault, err error) bool {
	if err != nil {
		w.client.log.WithError(err).Errorf("%s, and that could not be mended", f)
		w.found = append(w.found, f)
		return false
	}
	delete(w.gone, f.Object())
	if f.Kind == Missing {
		w.entry(f).Warnf("%s was deleted and is made anew", f.Object())
	} else {
		w.entry(f).Warnf("%s was changed and is changed back: %s", f.Object(), f.Detail)
	}
	w.Mended(f)
	return true
}

// stands notes a fault that stays, and says so once.
func (w *tender) stands(f Fault) {
	w.found = append(w.found, f)
	if w.said[f.Object()] == f.String() {
		return
	}
	w.said[f.Object()] = f.String()
	switch f.Kind {
	case Refused:
		w.entry(f).Error(f.String())
	case Foreign, Paused:
		w.entry(f).Warn(f.String())
	case Missing, Differs: // said where it is mended
	}
}

// forget lets what is over be said again when it comes again.
func (w *tender) forget() {
	for object := range w.said {
		still := false
		for _, f := range w.found {
			still = still || f.Object() == object
		}
		if !still {
			delete(w.said, object)
			w.client.log.Infof("%s is as declared again", object)
		}
	}
}

func (w *tender) entry(f Fault) *logrus.Entry {
	e := w.client.log.WithField("stream", f.Stream)
	if f.Durable != "" {
		e = e.WithField("durable", f.Durable)
	}
	return e
}

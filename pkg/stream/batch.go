package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const (
	hdrBatch       = "Nats-Batch-Id"
	hdrBatchSeq    = "Nats-Batch-Sequence"
	hdrBatchCommit = "Nats-Batch-Commit"
)

// send sends a batch and gives each member its verdict. A refusal does not say
// who is at fault, and nothing was stored: then it returns all of them, to be
// sent again by themselves.
func (g *grouper) send(batch []*member) (refused []*member) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	v, err := g.sendAll(ctx, batch)
	switch {
	case err == nil:
		last := v.Sequence - uint64(v.Count)
		for _, w := range batch {
			own := v
			last += uint64(len(w.msgs))
			own.Sequence = last
			w.result <- outcome{last: own}
		}
	case errors.Is(err, ErrUnknownOutcome):
		for _, w := range batch {
			w.result <- outcome{err: err}
		}
	default:
		return batch
	}
	return nil
}

// sendAll sends a batch; only its last message is answered.
func (g *grouper) sendAll(ctx context.Context, batch []*member) (verdict, error) {
	id, n, count := nuid.Next(), 0, size(batch)
	for _, w := range batch {
		for i, of := range w.msgs {
			n++
			// A copy: should the batch be refused, the message is sent without.
			m := &nats.Msg{Subject: of.Subject, Data: of.Data, Header: make(nats.Header, len(of.Header)+3)}
			maps.Copy(m.Header, of.Header)
			if i > 0 { // the first's holds for what comes with it
				delete(m.Header, hdrExpectSeq)
				delete(m.Header, hdrExpectFilter)
			}
			m.Header[hdrBatch], m.Header[hdrBatchSeq] = []string{id}, []string{strconv.Itoa(n)}
			if n < count {
				if err := g.client.nc.PublishMsg(m); err != nil {
					return verdict{}, err
				}
				continue
			}
			m.Header[hdrBatchCommit] = []string{"1"}
			return g.sendLast(ctx, m, count)
		}
	}
	return verdict{}, nil
}

func (g *grouper) sendLast(ctx context.Context, m *nats.Msg, count int) (verdict, error) {
	p, err := g.client.out.send(ctx, m)
	if err != nil {
		return verdict{}, err
	}
	v, err := p.wait(ctx)
	if err == nil && v.Count != count {
		err = fmt.Errorf("%w: %d of %d stored", ErrUnknownOutcome, v.Count, count)
	}
	return v, err
}

// clash reports whether w guards what is in batch, or is guarded by it.
func clash(batch []*member, w *member) bool {
	for _, o := range batch {
		if o.guard == w.guard {
			return true
		}
		for _, m := range w.msgs {
			if matches(o.guard, m.Subject) {
				return true
			}
		}
		for _, m := range o.msgs {
			if matches(w.guard, m.Subject) {
				return true
			}
		}
	}
	return false
}

// matches reports whether filter, with NATS's wildcards, matches subject.
func matches(filter, subject string) bool {
	// Subjects differ most in their last token, an id.
	tail := filter[strings.LastIndexByte(filter, '.')+1:]
	if tail != "*" && tail != ">" && !strings.HasSuffix(subject, tail) {
		return false
	}
	for {
		f, frest, fmore := strings.Cut(filter, ".")
		s, srest, smore := strings.Cut(subject, ".")
		switch {
		case f == ">":
			return true
		case f != "*" && f != s:
			return false
		case !fmore || !smore:
			return fmore == smore
		}
		filter, subject = frest, srest
	}
}

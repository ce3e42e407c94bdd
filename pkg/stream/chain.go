package stream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
)

// AppendChain stores messages of one stream that belong together, in their
// order and with nothing between them that matches filter: the first as
// ExpectLast(filter, last) says, each other if the one before it is the last
// that matches. All of their subjects must match filter.
//
// It returns the sequences of those that were stored: all of them, or with an
// error the first few or none. The error is about the first that was not, and
// is one of Append's. With ErrUnknownOutcome it and those after it may have been
// stored, in their order.
//
// With Options.GroupCommit they share a sync with what else waits. Elsewhere it
// is no faster than one Append after the other.
func (c *Client) AppendChain(ctx context.Context, filter string, last uint64, ms ...Message) ([]uint64, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	msgs := make([]*nats.Msg, len(ms))
	for i, m := range ms {
		msg, err := encodeOwn(m)
		if err != nil {
			return nil, err
		}
		msgs[i] = msg
	}
	ExpectLast(filter, last)(msgs[0].Header)
	stored := make([]uint64, 0, len(ms))
	alone := func() (v verdict, err error) {
		for i, m := range msgs {
			if i > 0 {
				ExpectLast(filter, v.Sequence)(m.Header)
			}
			if v, err = c.out.append(ctx, m); err != nil {
				return v, err
			}
			stored = append(stored, v.Sequence)
		}
		return v, nil
	}
	commit := alone
	if c.group != nil {
		commit = func() (verdict, error) { return c.group.commit(ctx, msgs, alone) }
	}
	v, err := commit()
	if err != nil {
		return stored, fmt.Errorf("append to %s: %w", ms[len(stored)].Subject, err)
	}
	for i := len(stored); i < len(ms); i++ { // a batch's are consecutive
		stored = append(stored, v.Sequence-uint64(len(ms)-1-i))
	}
	return stored, nil
}

package deadletter_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// cutOff is a stream of headers; each read of it fails after some messages.
type cutOff struct {
	stored []*stream.Stored
	after  int // 0: no read fails
}

func (c *cutOff) ReadHeaders(_ context.Context, _, _ string, from uint64) iter.Seq2[*stream.Stored, error] {
	return func(yield func(*stream.Stored, error) bool) {
		for i, m := range c.stored[min(int(from)-1, len(c.stored)):] {
			if c.after > 0 && i == c.after {
				yield(nil, errors.New("cut off"))
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

func TestUnsettled_ReadCutOffAfterARecord_TheLetterStaysSettled(t *testing.T) {
	t.Parallel()
	stored := func(seq uint64, subject, id string) *stream.Stored {
		return &stream.Stored{Sequence: seq, Message: stream.Message{Subject: subject, ID: id}}
	}
	letter := func(seq uint64) *stream.Stored {
		return stored(seq, key().DeadSubject(fulfillment.StageHold), "REQUESTS/1/dead")
	}
	c := &cutOff{after: 2, stored: []*stream.Stored{
		letter(1), stored(2, key().AuditSubject(1), "1/discarded"), letter(3),
	}}
	var u deadletter.Unsettled
	if err := u.Update(t.Context(), c); err == nil {
		t.Fatal("the read was not cut off")
	}
	if err := u.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if left := u.Letters(); len(left) != 1 || left[0].Sequence != 3 {
		t.Errorf("unsettled are %+v, want letter 3 alone", left)
	}
}

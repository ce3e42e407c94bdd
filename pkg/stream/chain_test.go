package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// story is what is told of asset i: messages that belong together.
func story(i int, by string) (filter string, ms []stream.Message) {
	for _, e := range []string{"first", "second", "third"} {
		ms = append(ms, stream.Message{Subject: fmt.Sprintf("work.%d.%s", i, e), ID: by})
	}
	return fmt.Sprintf("work.%d.*", i), ms
}

func TestAppendChain_Alone_StoredInOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*stream.Client{"plain": plainClient(t), "grouping": grouping(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			filter, ms := story(1, "x")
			got, err := c.AppendChain(t.Context(), filter, 0, ms...)
			if err != nil || !slices.Equal(got, []uint64{1, 2, 3}) {
				t.Fatalf("AppendChain = %d, %v", got, err)
			}
			if all := subjects(t, c, "", 1); !slices.Equal(all, []string{"work.1.first", "work.1.second", "work.1.third"}) {
				t.Errorf("stored %q", all)
			}
			if got, err = c.AppendChain(t.Context(), filter, 2, ms...); !errors.Is(err, stream.ErrConflict) || len(got) != 0 {
				t.Errorf("stale: AppendChain = %d, %v", got, err)
			}
			if got, err = c.AppendChain(t.Context(), filter, 3, ms[0]); err != nil || !slices.Equal(got, []uint64{4}) {
				t.Errorf("AppendChain = %d, %v", got, err)
			}
		})
	}
}

func plainClient(t *testing.T) *stream.Client {
	t.Helper()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	return c
}

// Two tell the same story of each asset, and so many at once that they do so in
// batches: each is stored once, whole and in order, and its teller knows where.
func TestAppendChain_ManyRace_EachStoryIsToldOnce(t *testing.T) {
	t.Parallel()
	c := grouping(t)
	const assets, tellers = 30, 2
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range assets {
		for by := range tellers {
			wg.Go(func() {
				filter, ms := story(i, fmt.Sprint(by))
				got, err := c.AppendChain(t.Context(), filter, 0, ms...)
				if errors.Is(err, stream.ErrConflict) {
					return
				}
				won.Add(1)
				for n, seq := range got {
					s, gerr := c.Get(t.Context(), "WORK", seq)
					if err != nil || gerr != nil || s.Subject != ms[n].Subject || s.ID != fmt.Sprint(by) {
						t.Errorf("%s: %d is %+v, %v, %v", ms[n].Subject, seq, s, err, gerr)
					}
				}
			})
		}
	}
	wg.Wait()
	if all := subjects(t, c, "", 1); won.Load() != assets || len(all) != 3*assets {
		t.Errorf("%d stories won, %d messages stored, want %d and %d", won.Load(), len(all), assets, 3*assets)
	}
}

// A caller that gives up while it waits for its turn has stored nothing, and
// leaves no place taken.
func TestGroupCommit_CallersGiveUp_TheOthersGoOn(t *testing.T) {
	t.Parallel()
	c := grouping(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%2 == 0 {
				time.AfterFunc(time.Duration(i)*20*time.Microsecond, cancel)
			}
			subject := fmt.Sprintf("work.%d", i)
			_, err := c.Append(ctx, stream.Message{Subject: subject}, stream.ExpectLast(subject, 0))
			if i%2 != 0 && err != nil {
				t.Errorf("%s: %v", subject, err)
			}
		})
	}
	wg.Wait()
	for i := range 50 { // one after the other: as many as there are places, and more
		subject := fmt.Sprintf("work.after.%d", i)
		if _, err := c.Append(t.Context(), stream.Message{Subject: subject}, stream.ExpectLast(subject, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

package model

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/headrace/headrace/pkg/stream"
)

// fault is what goes wrong with one I/O.
type fault int

const (
	none       fault = iota
	lostBefore       // no effect, no answer
	lostAfter        // the effect, no answer
	refused          // 503
	hidden           // the effect, and 504
	slowDown         // 429, for a minute
	locked           // 401
	forbidden        // 400; of Connect only: a vendor's refusal is in the order
	faults           // how many there are
)

func (f fault) String() string {
	return [...]string{"nothing", "lost before", "lost after", "503", "504 after", "429", "401", "400"}[f]
}

// journal is the broker as a run sees it.
type journal struct {
	*stream.Client
	w *world
}

// Append implements the services' Log.
func (j journal) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	f := stop(ctx, "append "+m.Subject)
	if f == none || f == lostAfter || f == hidden {
		// A run that lost its message here is past the last look at its lease.
		seq, err := j.Client.Append(context.WithoutCancel(ctx), m, opts...)
		if err != nil {
			return seq, err
		}
		j.w.appended(m, seq)
		j.w.cancelled(opts)
		if f == none {
			return seq, nil
		}
	}
	return 0, fmt.Errorf("append to %s: %w", m.Subject, stream.ErrUnknownOutcome)
}

// cancelled notes a schedule that an append has taken away.
func (w *world) cancelled(opts []stream.AppendOption) {
	header := map[string][]string{}
	for _, o := range opts {
		o(header)
	}
	for _, subject := range header["Nats-Scheduler"] {
		delete(w.schedules, subject)
	}
}

// Last implements the services' Log.
func (j journal) Last(ctx context.Context, name, filter string) (*stream.Stored, error) {
	if err := j.reads(ctx, "last of "+filter); err != nil {
		return nil, err
	}
	return j.Client.Last(ctx, name, filter)
}

// Get implements the services' Log.
func (j journal) Get(ctx context.Context, name string, seq uint64) (*stream.Stored, error) {
	if err := j.reads(ctx, fmt.Sprintf("get %d of %s", seq, name)); err != nil {
		return nil, err
	}
	return j.Client.Get(ctx, name, seq)
}

// LastSequence implements the services' Log.
func (j journal) LastSequence(ctx context.Context, name string) (uint64, error) {
	if err := j.reads(ctx, "last sequence of "+name); err != nil {
		return 0, err
	}
	return j.Client.LastSequence(ctx, name)
}

// Read implements the services' Log.
func (j journal) Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error] {
	return func(yield func(*stream.Stored, error) bool) {
		if err := j.reads(ctx, "read "+name); err != nil {
			yield(nil, err)
			return
		}
		for m, err := range j.Client.Read(ctx, name, filter, from) {
			if !yield(m, err) {
				return
			}
		}
	}
}

func (j journal) reads(ctx context.Context, what string) error {
	if stop(ctx, what) != none {
		return fmt.Errorf("%s: %w", what, stream.ErrUnreachable)
	}
	return nil
}

// line is the way to an upstream.
type line struct {
	upstream string
	w        *world
	// late sends what was about to be sent although the run has lost its
	// message: a process that was stopped right before.
	late bool
	// sent is told before a call reaches the upstream, and what it returns of
	// the status that was answered.
	sent func(*http.Request) func(status int)
}

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	f := stop(r.Context(), l.upstream+" "+r.Method+" "+r.URL.Path)
	switch {
	case f == refused:
		return answer(r, http.StatusServiceUnavailable), nil
	case f == slowDown:
		resp := answer(r, http.StatusTooManyRequests)
		resp.Header.Set("Retry-After", "60")
		return resp, nil
	case f == locked:
		return answer(r, http.StatusUnauthorized), nil
	case f == forbidden && l.w.refuses(r):
		return answer(r, http.StatusBadRequest), nil
	case f == lostBefore:
		return nil, io.ErrUnexpectedEOF
	}
	if l.late {
		r = r.WithContext(context.WithoutCancel(r.Context()))
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	answered := l.sent(r)
	resp, err := l.w.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// To the end, so that a run is at no one's mercy between its stops.
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	answered(resp.StatusCode)
	switch f {
	case lostAfter:
		return nil, io.ErrUnexpectedEOF
	case hidden:
		return answer(r, http.StatusGatewayTimeout), nil
	default:
		return resp, nil
	}
}

func answer(r *http.Request, status int) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(`{"error_code":"VAL_001","errors":["a fault of the test's"],"message":"a fault of the test's"}`)),
	}
}

package guard_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/guard"
)

// stamped is a connection that notes when a call's first byte has gone.
type stamped struct {
	net.Conn
	wrote func()
}

func (s *stamped) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.wrote()
	return n, err
}

// BenchmarkWindow measures how long after the last check the first byte of a
// call is with the kernel: within it, a process that is stopped sends a call
// that is not its own any more. Each caller has a connection of its own.
//
//	go test -run '^$' -bench Window -benchtime 20000x ./pkg/guard
func BenchmarkWindow(b *testing.B) {
	for name, callers := range map[string]int{"one caller": 1, "64 callers": 64} {
		b.Run(name, func(b *testing.B) { window(b, callers) })
	}
}

func window(b *testing.B, callers int) {
	s, _ := upstream(b, false)
	widths := make([][]time.Duration, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			var checked time.Time
			tr := fresh(b, s)
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				return &stamped{c, func() { widths[i] = append(widths[i], time.Since(checked)) }}, err
			}
			rt := guard.Transport(tr)
			ctx := guard.With(b.Context(), func() error { checked = time.Now(); return nil })
			for range b.N / callers {
				if err := post(ctx, rt, s.URL); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	sorted := slices.Sorted(slices.Values(slices.Concat(widths...)))
	if len(sorted) == 0 {
		return
	}
	at := func(share float64) float64 {
		return float64(sorted[int(share*float64(len(sorted)-1))]) / float64(time.Microsecond)
	}
	b.ReportMetric(at(0.5), "µs-median")
	b.ReportMetric(at(0.99), "µs-p99")
	b.ReportMetric(at(1), "µs-max")
}

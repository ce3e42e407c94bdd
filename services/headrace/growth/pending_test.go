package growth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/services/fetcher"
)

// TestPending shows what memory and processor time a poll takes with GROWTH_PENDING
// requests of 5 KB pending that all are open already. Neither Connect nor the
// broker is real: both make their answers up, so that the process's memory is the
// fetcher's.
//
//	GROWTH_PENDING=1000000 go test -v -count=1 -timeout 0 -run Pending ./services/headrace/growth
func TestPending(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("GROWTH_PENDING"))
	if err != nil {
		t.Skip("measures for minutes, and asserts nothing: set GROWTH_PENDING to how many requests are pending")
	}
	f := fetcherOf(t, n)
	for poll := range 4 {
		before := processorTime(t)
		p, err := f.Poll(t.Context())
		if err != nil || p.Listed != n || p.Published != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		used := processorTime(t) - before
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("poll %d: %s, of which processor %s with both made up sides; heap afterwards %d MB; resident at most %s",
			poll, p.Duration.Round(time.Millisecond), used.Round(time.Millisecond), m.HeapAlloc>>20, highest(t))
	}
	runtime.KeepAlive(f)
}

func fetcherOf(t *testing.T, n int) *fetcher.Fetcher {
	t.Helper()
	con := httptest.NewServer(crowd(n))
	t.Cleanup(con.Close)
	client, err := connect.NewClient(con.URL, "ApiKey SU-000-000-001:0123456789abcdef0123456789abcdef01234567", connect.WithPageSize(1000))
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	return fetcher.New(fetcher.Config{
		Log: settled{}, Dead: deadletter.NewWriter(settled{}, nil), Requests: client.Requests.Walk,
		TierRequests: func(context.Context, connect.RequestQuery, connect.Take) error { return nil },
		Status:       func(context.Context, fulfillment.Key) (string, error) { return "pending", nil },
		Consumer:     func(context.Context, string) (stream.ConsumerState, error) { return stream.ConsumerState{}, nil },
		Concurrency:  8, Metrics: telemetry.New(), Logger: logrus.NewEntry(log),
	})
}

// crowd answers as Connect does with n requests pending.
func crowd(n int) http.Handler {
	padding := strings.Repeat("some more of what a request says ", 140)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var limit, offset int
		for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
			_, _ = fmt.Sscanf(part, "limit=%d", &limit)
			_, _ = fmt.Sscanf(part, "offset=%d", &offset)
		}
		var which []int
		if _, ids, asked := strings.Cut(r.URL.RawQuery, "asset.id,("); asked {
			ids, _, _ = strings.Cut(ids, ")")
			for id := range strings.SplitSeq(ids, ",") {
				which = append(which, numberOf(id))
			}
		} else {
			for i := offset; i < min(offset+limit, n); i++ {
				which = append(which, i)
			}
			w.Header().Set("Content-Range", fmt.Sprintf("items %d-%d/%d", offset, offset+len(which)-1, n))
		}
		for i, at := range which {
			k := keyOf(at)
			_, _ = fmt.Fprintf(w, `%c{"id":%q,"type":"purchase","status":"pending","created":%q,"asset":{"id":%q,"product":{"id":%q}},"note":%q}`,
				"[,"[min(i, 1)], k.Request, time.Unix(1_700_000_000+int64(at), 0).UTC().Format(time.RFC3339), k.Asset, k.Product, padding)
		}
		if len(which) == 0 {
			_, _ = io.WriteString(w, "[")
		}
		_, _ = io.WriteString(w, "]")
	})
}

func numberOf(asset string) int {
	n, _ := strconv.Atoi(strings.ReplaceAll(strings.TrimPrefix(asset, "AS-"), "-", ""))
	return n
}

// settled is a broker for which every request of the crowd is open, and told.
type settled struct{}

func (settled) Last(_ context.Context, name, filter string) (*stream.Stored, error) {
	tokens := strings.Split(filter, ".")
	switch name {
	case fulfillment.StreamRequests:
		n := numberOf(tokens[4])
		return &stream.Stored{Sequence: uint64(n + 1), Message: stream.Message{Subject: keyOf(n).Subject(fulfillment.RootRequests)}}, nil
	case fulfillment.StreamEvents:
		n := uint64(numberOf(tokens[5]) + 1)
		body, err := json.Marshal(fulfillment.EventBody{Event: fulfillment.EventReceived, Episode: n})
		return &stream.Stored{Sequence: n, Message: stream.Message{Body: body}}, err
	}
	return nil, stream.ErrNotFound
}

func (settled) None(context.Context, string, []string) (bool, error) { return false, nil }

func (settled) StreamState(context.Context, string) (stream.StreamState, error) {
	return stream.StreamState{First: 1, Last: 1 << 30, Messages: 1 << 30}, nil
}

func (settled) Append(context.Context, stream.Message, ...stream.AppendOption) (uint64, error) {
	return 0, stream.ErrConflict
}

func (settled) Get(context.Context, string, uint64) (*stream.Stored, error) {
	return nil, stream.ErrNotFound
}
func (settled) LastSequence(context.Context, string) (uint64, error) { return 1 << 30, nil }
func (settled) Read(context.Context, string, string, uint64) iter.Seq2[*stream.Stored, error] {
	return func(func(*stream.Stored, error) bool) {}
}

func (s settled) ReadHeaders(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error] {
	return s.Read(ctx, name, filter, from)
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// highest is the most memory that the process has had.
func highest(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

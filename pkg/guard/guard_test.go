package guard_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/guard"
)

var errNo = errors.New("no")

// upstream counts the calls that reach it.
func upstream(t testing.TB, secure bool) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	calls := new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	if s.EnableHTTP2 = secure; secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, calls
}

// fresh is a transport without connections.
func fresh(t testing.TB, s *httptest.Server) *http.Transport {
	t.Helper()
	tr := s.Client().Transport.(*http.Transport).Clone()
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func post(ctx context.Context, rt http.RoundTripper, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"externalId":"AS-1"}`))
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// after is a Check that says yes so often, and then no.
func after(yes int64) guard.Check {
	var asked atomic.Int64
	return func() error {
		if asked.Add(1) > yes {
			return errNo
		}
		return nil
	}
}

func TestTransport_CheckSaysYesOrIsNotThere_Calls(t *testing.T) {
	t.Parallel()
	s, calls := upstream(t, false)
	rt := guard.Transport(fresh(t, s))
	if err := errors.Join(post(t.Context(), rt, s.URL), post(guard.With(t.Context(), after(2)), rt, s.URL)); err != nil {
		t.Error(err)
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestTransport_CheckSaysNo_NothingIsDialled(t *testing.T) {
	t.Parallel()
	rt := guard.Transport(http.DefaultTransport)
	err := post(guard.With(t.Context(), after(0)), rt, "http://127.0.0.1:1")
	if !guard.Refused(err) || !errors.Is(err, errNo) {
		t.Errorf("error = %v", err)
	}
}

// A dial takes its time; what became of the lease meanwhile counts. That
// nothing is written then rests on how net/http works, so it is tried often, on
// connections new and used.
func TestTransport_CheckSaysNoOnceConnected_NothingIsSent(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, calls := upstream(t, secure)
			used := guard.Transport(fresh(t, s))
			for i := range 100 {
				if err := post(t.Context(), used, s.URL); err != nil {
					t.Fatal(err)
				}
				for _, rt := range []http.RoundTripper{used, guard.Transport(fresh(t, s))} {
					if err := post(guard.With(t.Context(), after(1)), rt, s.URL); !guard.Refused(err) || !errors.Is(err, errNo) {
						t.Fatalf("error = %v", err)
					}
				}
				if got := calls.Load(); got != int64(i+1) {
					t.Fatalf("%d calls came through, want %d", got, i+1)
				}
			}
		})
	}
}

// Over HTTP/1 net/http may write before it looks at the call's context.
func TestTransport_RefusedOnceConnectedOverHTTP1_ConnectionTakesNoByte(t *testing.T) {
	t.Parallel()
	s, _ := upstream(t, false)
	var closed error
	ctx := httptrace.WithClientTrace(guard.With(t.Context(), after(1)), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { closed = info.Conn.SetDeadline(time.Time{}) }, // runs after the transport's own
	})
	if err := post(ctx, guard.Transport(fresh(t, s)), s.URL); !guard.Refused(err) {
		t.Errorf("error = %v", err)
	}
	if !errors.Is(closed, net.ErrClosed) {
		t.Errorf("the connection is open: %v", closed)
	}
}

// Over HTTP/2 the refusal of one call must not end the others on its connection.
func TestTransport_OneRefused_OthersOnItsConnectionGoOn(t *testing.T) {
	t.Parallel()
	begun, free := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-free
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	rt := guard.Transport(fresh(t, s))
	done := make(chan error, 1)
	go func() { done <- post(guard.With(t.Context(), after(2)), rt, s.URL) }()
	<-begun
	if err := post(guard.With(t.Context(), after(1)), rt, s.URL); !guard.Refused(err) {
		t.Errorf("error = %v", err)
	}
	close(free)
	if err := <-done; err != nil {
		t.Errorf("the other call: %v", err)
	}
}

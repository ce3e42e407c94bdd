package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNewClient_Refuses(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]error{
		"": ErrEndpoint, "api.example.com": ErrEndpoint, "ftp://host/": ErrEndpoint, "https://": ErrEndpoint, "https://:80": ErrEndpoint,
		"https://u:p@host/": ErrEndpoint, "https://host/?a=b": ErrEndpoint, "http://ho st": ErrEndpoint, "https://host/public/v1/": nil, "http://127.0.0.1:8080": nil,
	} {
		if _, err := NewClient(endpoint, testKey); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", endpoint, err, want)
		}
	}
	for _, key := range []string{"", "ApiKey ", "SU-1", ":x", "SU-1:", "SU-1:a b", "SU-1:a\nb", "ApiKey ApiKey SU-1:x"} {
		if _, err := NewClient("https://host", key); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "SU-1") {
			t.Errorf("key %q: got %v, want ErrKey that does not quote it", key, err)
		}
	}
	if _, err := NewClient("https://host", testKey, WithPageSize(0), WithTimeout(0), WithRetry(-1, 0, 0)); err == nil || strings.Count(err.Error(), "want") != 3 {
		t.Errorf("got %v, want three faults", err)
	}
}

func TestClient_Headers_KeyOnceInEitherForm(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w, 200, requestBody("PR-1", "pending")) })
	for _, key := range []string{testKey, "ApiKey " + testKey, " apikey  " + testKey + "\n"} {
		c, err := NewClient(s.URL+"/public/v1", key, WithUserAgent("headrace/1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Requests.Get(t.Context(), "PR/1?"); err != nil {
			t.Fatal(err)
		}
		c.CloseIdleConnections()
	}
	for _, c := range s.seen() {
		got := []string{c.Header.Get("Authorization"), c.Header.Get("User-Agent"), c.Header.Get("Content-Type"), c.Path}
		if diff := cmp.Diff([]string{"ApiKey " + testKey, "headrace/1", "", "/public/v1/requests/PR%2F1%3F"}, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestClient_BadID_NoCall(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w, 200, `[]`) })
	c := s.client(t)
	for _, id := range []string{"", ".", ".."} {
		_, err := c.Requests.Get(t.Context(), id)
		_, err2 := c.Requests.Approve(t.Context(), id, Approval{})
		if !errors.Is(err, ErrID) || !errors.Is(err2, ErrID) {
			t.Errorf("%q: got %v and %v", id, err, err2)
		}
	}
	if _, err := c.Requests.Fail(t.Context(), "PR-1", ""); !errors.Is(err, ErrReason) {
		t.Errorf("got %v", err)
	}
	if n := len(s.seen()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestClient_Read_RetriesUntilAnswered(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 0:
			drop(w)
		case 1:
			answer(w, 502, `<html>Bad Gateway</html>`)
		case 2: // breaks off within the body
			w.Header().Set("Content-Length", "1000")
			answer(w, 200, `{"id":`)
		default:
			answer(w, 200, requestBody("PR-1", "pending"))
		}
	})
	var mu sync.Mutex
	var statuses []int
	c := s.client(t, WithObserver(func(method, route string, status int, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		statuses = append(statuses, status)
		if method != "GET" || route != "/requests/{id}" {
			t.Errorf("observed %s %s", method, route)
		}
	}))
	if r, err := c.Requests.Get(t.Context(), "PR-1"); err != nil || r.ID != "PR-1" {
		t.Fatalf("got %v, %v", r, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]int{0, 502, 200, 200}, statuses); diff != "" {
		t.Error(diff)
	}
}

func TestClient_Put_RetriesWithItsBody(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request) { answer(w, []int{500, 429, 200}[n], `{}`) })
	value, fault, old := "nimbus-1", "", "old"
	_, err := s.client(t).Requests.UpdateParams(t.Context(), "PR-1", []ParamUpdate{{ID: "a", Value: &old}, {ID: "b", ValueError: &fault}, {ID: "a", Value: &value, ValueError: &fault}})
	if err != nil {
		t.Fatal(err)
	}
	calls := s.seen()
	want := `{"asset":{"params":[{"id":"a","value":"nimbus-1","value_error":""},{"id":"b","value_error":""}]}}`
	if len(calls) != 3 || calls[2].Method != "PUT" || calls[2].Body != want || calls[0].Body != want {
		t.Errorf("got %+v", calls)
	}
}

func TestClient_Retries_End(t *testing.T) {
	t.Parallel()
	for status, calls := range map[int]int{400: 1, 401: 1, 404: 1, 301: 1, 500: 4, 503: 4, 429: 4} {
		s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			answer(w, status, `{"error_code":"X_1","errors":["no"]}`)
		})
		_, err := s.client(t).Requests.Get(t.Context(), "PR-1")
		api := (*APIError)(nil)
		if !errors.As(err, &api) || api.Status != status || api.Code != "X_1" || len(s.seen()) != calls {
			t.Errorf("%d: got %v after %d calls, want %d", status, err, len(s.seen()), calls)
		}
		if got := []bool{IsTransient(err), IsNotFound(err), IsUnauthorized(err), IsRateLimited(err)}; !slices.Equal(got, []bool{calls == 4, status == 404, status == 401, status == 429}) {
			t.Errorf("%d: predicates %v", status, got)
		}
	}
}

func TestClient_RetryAfter_BeyondDeadline_ReturnsTheAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		answer(w, 429, ``)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := s.client(t).Requests.Get(ctx, "PR-1")
	api := (*APIError)(nil)
	if !errors.As(err, &api) || api.RetryAfter != time.Hour {
		t.Errorf("got %v", err)
	}
}

func TestClient_RetryAfter_IsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			w.Header().Set("Retry-After", "1")
			answer(w, 429, ``)
			return
		}
		answer(w, 200, requestBody("PR-1", "pending"))
	})
	start := time.Now()
	if _, err := s.client(t).Requests.Get(t.Context(), "PR-1"); err != nil || time.Since(start) < time.Second {
		t.Errorf("%v after %s, want a second", err, time.Since(start))
	}
}

func TestClient_Cancelled_IsNotTransient(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := s.client(t).Requests.Get(ctx, "PR-1")
	if !errors.Is(err, context.Canceled) || IsTransient(err) || len(s.seen()) != 1 {
		t.Errorf("got %v after %d calls", err, len(s.seen()))
	}
}

// The time limit is one for each attempt, with the body of its answer.
func TestClient_Timeout_IsTransient(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(http.ResponseWriter){
		"no answer": func(http.ResponseWriter) {},
		"half an answer": func(w http.ResponseWriter) {
			answer(w, 200, `{"id":`)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			begin(w)
			<-r.Context().Done()
		})
		_, err := s.client(t, WithTimeout(30*time.Millisecond), WithRetry(1, 0, 0)).Requests.Get(t.Context(), "PR-1")
		if !IsTransient(err) || !errors.Is(err, context.DeadlineExceeded) || len(s.seen()) != 2 {
			t.Errorf("%s: got %v after %d calls", name, err, len(s.seen()))
		}
		if want := "GET /requests/PR-1: no whole answer within 30ms"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// Whatever a server says of how long its answer is, all of it is read.
func TestClient_AnswerOfAnyLength_IsReadWhole(t *testing.T) {
	t.Parallel()
	for _, note := range []int{0, usualBody, 3 * usualBody} {
		body := strings.Replace(requestBody("PR-1", "pending"), "{", `{"note":"`+strings.Repeat("x", note)+`",`, 1)
		for _, said := range []bool{true, false} {
			s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				if said {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				} else {
					_ = http.NewResponseController(w).Flush()
				}
				answer(w, 200, body)
			})
			raw, r, err := s.client(t).Requests.GetRaw(t.Context(), "PR-1")
			if err != nil || len(r.Note) != note || string(raw) != body {
				t.Errorf("%d bytes, said %t: got %d, %v", len(body), said, len(raw), err)
			}
		}
	}
}

func TestAPIError_Error_Forms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"error_code":"REQ_003","errors":["Only pending.","Really."],"params":{"a":1}}`, "GET /requests/PR-1: 400 REQ_003: Only pending.; Really."},
		{`<html> <h1>Bad\n</h1>`, `GET /requests/PR-1: 400 Bad Request: <html> <h1>Bad\n</h1>`},
		{``, "GET /requests/PR-1: 400 Bad Request"},
		{`{"errors":"text"}`, "GET /requests/PR-1: 400 Bad Request: text"},
		{`{"detail":"x"}`, `GET /requests/PR-1: 400 Bad Request: {"detail":"x"}`},
	} {
		s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w, 400, c.body) })
		if _, err := s.client(t).Requests.Get(t.Context(), "PR-1"); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// The key must not be in anything that may be printed, even where a proxy sends
// it back.
func TestClient_Key_IsNeverShown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&log)
	logger.SetLevel(logrus.TraceLevel)
	s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n%2 == 1 {
			drop(w)
			return
		}
		answer(w, []int{500, 400}[n/2%2], "proxy saw "+r.Header.Get("Authorization"))
	})
	c := s.client(t, WithLogger(logrus.NewEntry(logger)))
	shown := []string{
		c.String(), fmt.Sprint(c), fmt.Sprintf("%+v %#v %v", c, c, *c.Requests), // printing it is the point
		fmt.Sprintf("%+v %#v", c.Requests, c.Accounts), fmt.Sprintf("%+v %#v", c.settings, c.reads.HTTPClient),
	}
	for range 6 {
		_, err := c.Requests.Get(t.Context(), "PR-1")
		_, err2 := c.Requests.Approve(t.Context(), "PR-1", Approval{TemplateID: "TL-1"})
		shown = append(shown, fmt.Sprintf("%v %+v %#v %v", err, err, err, err2))
		for e := err; e != nil; e = errors.Unwrap(e) {
			shown = append(shown, fmt.Sprintf("%+v %#v", e, e))
		}
	}
	_, secret, _ := strings.Cut(testKey, ":")
	for _, text := range append(shown, log.String()) {
		if strings.Contains(text, secret) || strings.Contains(text, testKey) {
			t.Errorf("shows the key: %s", text)
		}
	}
	if log.Len() == 0 || !strings.Contains(strings.Join(shown, ""), "proxy saw ApiKey [redacted]") {
		t.Error("the test saw neither the log nor the echo")
	}
}

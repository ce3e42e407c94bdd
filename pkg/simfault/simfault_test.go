package simfault

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// simulator is a wrapped handler that counts its effects and answers 201 {"id":"T-1"}.
type simulator struct {
	*httptest.Server
	layer   *Layer
	effects atomic.Int32
}

func newSimulator(t *testing.T) *simulator {
	t.Helper()
	s := &simulator{layer: New()}
	s.Server = httptest.NewServer(s.layer.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.effects.Add(1)
		w.Header().Set("X-Handler", "yes")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"T-1"}`)
	})))
	t.Cleanup(s.Close)
	return s
}

// send makes one call and returns the answer with its body read; the error is the transport's.
func (s *simulator) send(t *testing.T, method, path, body string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res, string(answer), err
}

func (s *simulator) mustSend(t *testing.T, method, path, body string, want int) (*http.Response, string) {
	t.Helper()
	res, answer, err := s.send(t, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, res.StatusCode, want, answer)
	}
	return res, answer
}

func (s *simulator) fault(t *testing.T, fault string) {
	t.Helper()
	s.mustSend(t, "PUT", "/_sim/faults", fault, http.StatusOK)
}

func TestLayer_Status_AnswersWithoutEffect(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `[{"method":"POST","path":"/tenant","status":429,"retry_after":2,"body":{"message":"slow down"},"times":1}]`)
	res, body := s.mustSend(t, "POST", "/tenant", "{}", http.StatusTooManyRequests)
	if got := res.Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want 2", got)
	}
	if body != `{"message":"slow down"}` || s.effects.Load() != 0 {
		t.Errorf("body %s, %d effects", body, s.effects.Load())
	}
	s.mustSend(t, "POST", "/tenant", "{}", http.StatusCreated)
	if left := s.layer.Faults(); len(left) != 0 {
		t.Errorf("faults left: %+v", left)
	}
}

func TestLayer_TextAndDefaultBodies_AreSent(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `[{"path":"/a","status":502,"body":"<html>"},{"path":"/b","status":503},{"path":"/c","status":204}]`)
	if res, body := s.mustSend(t, "GET", "/a", "", 502); body != "<html>" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("text body: %q", body)
	}
	if _, body := s.mustSend(t, "GET", "/b", "", 503); !strings.Contains(body, `"message":"simulated fault: Service Unavailable"`) {
		t.Errorf("default body: %q", body)
	}
	s.mustSend(t, "GET", "/c", "", 204)
}

func TestLayer_Drop_BreaksTheConnection(t *testing.T) {
	t.Parallel()
	for drop, effects := range map[string]int32{DropBefore: 0, DropAfter: 1} {
		t.Run(drop, func(t *testing.T) {
			t.Parallel()
			s := newSimulator(t)
			s.fault(t, `{"path":"/tenant","drop":"`+drop+`","times":1}`)
			if _, _, err := s.send(t, "POST", "/tenant", "{}"); err == nil {
				t.Error("the call was answered")
			}
			if got := s.effects.Load(); got != effects {
				t.Errorf("%d effects, want %d", got, effects)
			}
			s.mustSend(t, "POST", "/tenant", "{}", http.StatusCreated)
			calls := s.layer.Calls()
			if len(calls) != 2 || calls[0].Status != 0 || calls[0].Fault != "drop "+drop || calls[1].Status != 201 || calls[1].Fault != "" {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}

func TestLayer_Latency_DelaysTheCall(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `{"latency":"30ms","jitter":"1ms"}`)
	began := time.Now()
	s.mustSend(t, "POST", "/x", "{}", http.StatusCreated)
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestLayer_LatencyAndClientGone_HasNoEffect(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `{"path":"/tenant","latency":"1h","times":1}`)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/tenant", strings.NewReader("{}"))
	gone := make(chan error, 1)
	go func() {
		res, err := s.Client().Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	waitFor(t, func() bool { return len(s.layer.Faults()) == 0 }) // it struck, and waits
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	waitFor(t, func() bool { return len(s.layer.Calls()) == 1 })
	if c := s.layer.Calls()[0]; c.Status != 0 || s.effects.Load() != 0 {
		t.Errorf("call %+v, %d effects", c, s.effects.Load())
	}
}

func TestLayer_Effect_ComesBeforeTheFault(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `[{"path":"/a","status":504,"effect":true},{"path":"/b","latency":"1ms","effect":true}]`)
	s.mustSend(t, "POST", "/a", "{}", http.StatusGatewayTimeout)
	res, body := s.mustSend(t, "POST", "/b", "{}", http.StatusCreated)
	if s.effects.Load() != 2 || body != `{"id":"T-1"}` || res.Header.Get("X-Handler") != "yes" {
		t.Errorf("%d effects, body %s", s.effects.Load(), body)
	}
}

func TestLayer_SkipTimesProbability_Choose(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `[{"status":500,"skip":2,"times":2}]`)
	for _, want := range []int{201, 201, 500, 500, 201} {
		s.mustSend(t, "GET", "/x", "", want)
	}
	draws := []float64{0.5, 0.49}
	s.layer.random = func() float64 { d := draws[0]; draws = draws[1:]; return d }
	s.fault(t, `[{"status":500,"probability":0.5}]`)
	for _, want := range []int{201, 500} {
		s.mustSend(t, "GET", "/x", "", want)
	}
}

func TestLayer_Faults_CanBeReadAndPutBack(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	const all = `[{"method":"POST","path":"/a/*","skip":1,"times":2,"probability":0.5,"latency":"20ms","jitter":"5ms","status":503,` +
		`"body":{"a":1},"retry_after":"2","effect":true},{"drop":"after"}]`
	_, put := s.mustSend(t, "PUT", "/_sim/faults", all, 200)
	_, got := s.mustSend(t, "GET", "/_sim/faults", "", 200)
	if diff := cmp.Diff(all+"\n", got); diff != "" || put != got {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	s.mustSend(t, "DELETE", "/_sim/faults", "", 204)
	if _, got := s.mustSend(t, "GET", "/_sim/faults", "", 200); got != "[]\n" {
		t.Errorf("after DELETE: %s", got)
	}
}

func TestLayer_BadFaults_AreRefusedByName(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `{"path":"/kept","drop":"before"}`)
	for fault, want := range map[string]string{
		`{"status":503,"foo":1}`:                "fault 0: foo: not a field",
		`[{"status":503},{"status":"503"}]`:     "fault 1: status: a JSON string",
		`[{"status":99}]`:                       "fault 0: status: 99",
		`[{"latency":"20"}]`:                    "fault 0: latency: ",
		`[{"latency":"-1s"}]`:                   "latency: -1s is negative",
		`[{"jitter":"1s","status":500}]`:        "jitter: needs latency",
		`[{"drop":"during"}]`:                   "drop: ",
		`[{"drop":"after","status":500}]`:       "drop: excludes status",
		`[{"drop":"after","effect":true}]`:      "effect: excludes drop",
		`[{"status":500,"probability":2}]`:      "probability: 2",
		`[{"status":500,"times":-1,"skip":-1}]`: "times: -1",
		`[{"status":429,"retry_after":"soon"}]`: "retry_after: soon",
		`[{"status":429,"retry_after":true}]`:   "retry_after: true",
		`[{"drop":"after","retry_after":1}]`:    "retry_after: needs status",
		`[{"drop":"after","body":1}]`:           "body: needs status",
		`[{"path":"/x"}]`:                       "fault: needs latency",
		`[null]`:                                "fault 0: fault: needs latency",
		`[{"status":500,"method":"GET, POST"}]`: "method: ",
		`nonsense`:                              "body: not a JSON array",
		``:                                      "body: not a JSON array",
		`null`:                                  "body: not a JSON array",
	} {
		_, body := s.mustSend(t, "PUT", "/_sim/faults", fault, http.StatusBadRequest)
		var refusal struct{ Message string }
		if err := json.Unmarshal([]byte(body), &refusal); err != nil || !strings.Contains(refusal.Message, want) {
			t.Errorf("%s: refused with %s, want %q", fault, body, want)
		}
	}
	if got := s.layer.Faults(); len(got) != 1 || got[0].Path != "/kept" {
		t.Errorf("a refused body changed the faults: %+v", got)
	}
}

func TestLayer_Calls_TellWhatWasAsked(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/tenant?a=b", strings.NewReader("{}"))
	req.Header.Set("Idempotency-Key", "PR-1")
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	_, body := s.mustSend(t, "GET", "/_sim/calls", "", 200)
	var calls []map[string]any
	if err := json.Unmarshal([]byte(body), &calls); err != nil || len(calls) != 1 {
		t.Fatalf("calls %s: %v", body, err)
	}
	began, err := time.Parse(time.RFC3339Nano, calls[0]["time"].(string))
	if err != nil {
		t.Fatal(err)
	}
	delete(calls[0], "time")
	delete(calls[0], "duration_ms")
	want := map[string]any{"method": "POST", "path": "/tenant", "query": "a=b", "status": 201.0, "idempotency_key": "PR-1"}
	if diff := cmp.Diff(want, calls[0]); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	after := began.Add(time.Nanosecond).Format(time.RFC3339Nano)
	if _, body := s.mustSend(t, "GET", "/_sim/calls?since="+after, "", 200); body != "[]\n" {
		t.Errorf("calls since then: %s", body)
	}
	s.mustSend(t, "GET", "/_sim/calls?since=yesterday", "", 400)
}

func TestLayer_TooManyCalls_KeepsTheNewest(t *testing.T) {
	t.Parallel()
	l := New()
	start := time.Now()
	for i := range maxCalls + 3 {
		l.record(Call{Time: start.Add(time.Duration(i)), Status: i})
	}
	calls := l.Calls()
	if len(calls) != maxCalls || calls[0].Status != 3 || calls[maxCalls-1].Status != maxCalls+2 {
		t.Errorf("%d calls from %d to %d", len(calls), calls[0].Status, calls[len(calls)-1].Status)
	}
}

func TestLayer_Reset_ForgetsAndCallsBack(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	var resets int
	s.layer.OnReset(func() { resets++ })
	s.mustSend(t, "GET", "/x", "", 201)
	s.fault(t, `{"status":500}`)
	s.mustSend(t, "POST", "/_sim/reset", "", 204)
	if resets != 1 || len(s.layer.Calls()) != 0 || len(s.layer.Faults()) != 0 {
		t.Errorf("%d resets, calls %v, faults %v", resets, s.layer.Calls(), s.layer.Faults())
	}
}

func TestLayer_OtherSimPaths_GoToTheHandler(t *testing.T) {
	t.Parallel()
	s := newSimulator(t)
	s.fault(t, `{"status":500}`)
	s.mustSend(t, "GET", "/_sim/other", "", 201)
	s.mustSend(t, "POST", "/_sim/calls", "", 405)
	if calls := s.layer.Calls(); len(calls) != 0 {
		t.Errorf("recorded %v", calls)
	}
}

func TestMatchPath_Forms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "/anything", true},
		{"/tenant", "/tenant/T-1/disable", true},
		{"/tenant", "/other", false},
		{"/tenant$", "/tenant", true},
		{"/tenant$", "/tenant/T-1", false},
		{"/tenant/*", "/tenant/T-1", true},
		{"/tenant/*", "/tenant/T-1/disable", false},
		{"/tenant/*/disable", "/tenant/T-1/disable", true},
		{"/tenant/T-?", "/tenant/T-1", true},
		{"/tenant/T-?", "/tenant/T-11", false},
		{"**/approve", "/public/v1/requests/PR-1/approve", true},
		{"/public/**", "/public/", true},
		{"*/approve", "/public/v1/approve", false},
		{"/a*", "/", false},
	} {
		if got := matchPath(c.pattern, c.path); got != c.want {
			t.Errorf("matchPath(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

// waitFor polls until the condition holds, for at most twenty seconds.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

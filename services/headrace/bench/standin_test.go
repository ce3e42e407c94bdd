package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

const (
	apiKey   = "SU-000-000-001:0123456789abcdef0123456789abcdef01234567"
	apiBase  = connectsim.BasePath
	pageSize = 100 // of lists, as Headrace asks for
)

// standIn takes the place of both simulators where these would be what is
// measured: it answers the calls of a purchase with the bytes that the Connect
// simulator answers, but has them ready, and of each request it knows no more
// than how far it is.
type standIn struct {
	latency time.Duration // of every call
	bodies  bodies
	pending atomic.Int64 // approvals that are still to come

	mu       sync.Mutex // guards what follows
	requests []progress
	tally    tally
	moments  []time.Time // of the approvals
	waits    []chan struct{}
}

// progress is how far a request is.
type progress struct {
	created         int
	saved, approved bool
}

// tally is what the stand-in was asked.
type tally struct {
	Listed  time.Time // the first list of requests; zero: not yet
	First   time.Time // approval
	Last    time.Time
	Steady  float64 // approvals a second between a tenth and nine tenths of all
	Vendor  int     // calls
	Connect int     // calls about one request
	Lists   int     // all other calls
	Refused int     // calls that made no sense
	Doubled int     // tenants beyond one of each request
	At      []time.Time
}

func newStandIn(requests int, latency time.Duration) (*standIn, error) {
	b, err := record()
	if err != nil {
		return nil, err
	}
	s := &standIn{latency: latency, bodies: b}
	s.add(requests)
	return s, nil
}

// add orders n requests more.
func (s *standIn) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, make([]progress, n)...)
	s.pending.Add(int64(n))
}

// digits are those of request and asset n.
func digits(n int) string { return fmt.Sprintf("%04d-%04d-%04d", n/1e8, n/1e4%1e4, n%1e4) }

// numberOf reads the digits after prefix; -1 where there are none.
func numberOf(text, prefix string) int {
	_, rest, found := strings.Cut(text, prefix)
	if !found || len(rest) < len("0000-0000-0000") {
		return -1
	}
	n, err := strconv.Atoi(strings.ReplaceAll(rest[:len("0000-0000-0000")], "-", ""))
	if err != nil {
		return -1
	}
	return n
}

// ServeHTTP answers after the latency, as the simulators do, and never fails
// but where it is asked for nonsense.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, found := strings.CutPrefix(r.URL.Path, "/_bench/"); found {
		s.steer(w, r, rest)
		return
	}
	body, _ := io.ReadAll(r.Body) // half a body is refused below
	if s.latency > 0 {
		timer := time.NewTimer(s.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	path, isConnect := strings.CutPrefix(r.URL.Path, apiBase)
	switch {
	case !isConnect:
		s.vendor(w, r, body)
	case path == "/requests":
		s.list(w, r)
	case strings.HasPrefix(path, "/requests/"):
		s.request(w, r, path, body)
	default:
		s.other(w, path)
	}
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (s *standIn) refuse(w http.ResponseWriter, why string) {
	s.mu.Lock()
	s.tally.Refused++
	s.mu.Unlock()
	answer(w, http.StatusBadRequest, []byte(`{"error_code":"VAL_001","errors":["`+why+`"]}`))
}

// vendor answers POST /tenant.
func (s *standIn) vendor(w http.ResponseWriter, r *http.Request, body []byte) {
	n := numberOf(string(body), `"externalId":"AS-`)
	s.mu.Lock()
	s.tally.Vendor++
	known := r.Method == http.MethodPost && r.URL.Path == "/tenant" && n >= 0 && n < len(s.requests)
	if known {
		if s.requests[n].created++; s.requests[n].created > 1 {
			s.tally.Doubled++
		}
	}
	s.mu.Unlock()
	if !known {
		s.refuse(w, "not a call of a purchase")
		return
	}
	answer(w, http.StatusCreated, []byte(`{"tenantId":"T-`+digits(n)+`","status":"ready","state":"active"}`))
}

// request answers the calls about one request.
func (s *standIn) request(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	n := numberOf(path, "/requests/PR-")
	s.mu.Lock()
	s.tally.Connect++
	if n < 0 || n >= len(s.requests) {
		s.mu.Unlock()
		s.refuse(w, "no such request")
		return
	}
	p := &s.requests[n]
	wrong, template := "", s.bodies.pending
	switch {
	case r.Method == http.MethodGet:
	case r.Method == http.MethodPut:
		if p.saved = bytes.Contains(body, []byte("T-"+digits(n))); !p.saved || p.approved {
			wrong = "not the tenant's id, or too late"
		}
	case strings.HasSuffix(path, "/approve"):
		if wrong = s.approve(p, body); wrong == "" {
			s.closeWaits()
		}
	default:
		wrong = "not a call of a purchase"
	}
	if p.approved {
		template = s.bodies.approved
	} else if p.saved {
		template = s.bodies.saved
	}
	s.mu.Unlock()
	if wrong != "" {
		s.refuse(w, wrong)
		return
	}
	answer(w, http.StatusOK, template.of(n))
}

// approve is called with mu held.
func (s *standIn) approve(p *progress, body []byte) (wrong string) {
	if !p.saved || p.approved || !bytes.Contains(body, []byte(`"template_id":"TL-`)) {
		return "not to be approved"
	}
	p.approved = true
	s.moments = append(s.moments, time.Now())
	s.pending.Add(-1)
	return ""
}

// list answers a page of what is pending.
func (s *standIn) list(w http.ResponseWriter, r *http.Request) {
	limit, offset := parameter(r.URL.RawQuery, "limit="), parameter(r.URL.RawQuery, "offset=")
	s.mu.Lock()
	s.tally.Lists++
	if s.tally.Listed.IsZero() {
		s.tally.Listed = time.Now()
		s.closeWaits()
	}
	var page []int
	total := 0
	for n, p := range s.requests {
		if p.approved {
			continue
		}
		if total >= offset && len(page) < limit {
			page = append(page, n)
		}
		total++
	}
	s.mu.Unlock()
	body := []byte{'['}
	for i, n := range page {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, s.bodies.pending.of(n)...)
	}
	w.Header().Set("Content-Range", fmt.Sprintf("items %d-%d/%d", offset, offset+len(page)-1, total))
	answer(w, http.StatusOK, append(body, ']'))
}

func parameter(query, name string) int {
	_, rest, _ := strings.Cut(query, name)
	text, _, _ := strings.Cut(rest, "&")
	n, err := strconv.Atoi(text)
	if err != nil {
		return pageSize
	}
	return n
}

// other answers what is asked once, and not for each request.
func (s *standIn) other(w http.ResponseWriter, path string) {
	s.mu.Lock()
	s.tally.Lists++
	s.mu.Unlock()
	body := []byte("[]") // no tier configuration requests
	if strings.HasSuffix(path, "/templates") {
		body = s.bodies.templates
	} else if path == "/accounts" {
		body = []byte(`[{"id":"VA-310-442","name":"Meridian Software","type":"vendor"}]`)
	}
	w.Header().Set("Content-Range", "items 0-0/1")
	answer(w, http.StatusOK, body)
}

// steer serves whoever measures: wait until the first list was asked for, or
// until so many are approved, order more, and what has happened.
func (s *standIn) steer(w http.ResponseWriter, r *http.Request, what string) {
	n := parameter(r.URL.RawQuery, "n=")
	switch what {
	case "listed":
		s.await(r, func() bool { return !s.tally.Listed.IsZero() })
	case "approved":
		s.await(r, func() bool { return len(s.moments) >= n })
	case "order":
		s.add(n)
	}
	s.mu.Lock()
	t := s.tally
	if k := len(s.moments); k > 0 {
		t.First, t.Last, t.At = s.moments[0], s.moments[k-1], s.moments
		t.Steady = steady(s.moments)
	}
	text, _ := json.Marshal(t) // it can't fail
	s.mu.Unlock()
	answer(w, http.StatusOK, text)
}

// steady is the rate between a tenth and nine tenths of the moments.
func steady(moments []time.Time) float64 {
	from, to := len(moments)/10, len(moments)*9/10
	if to <= from {
		return 0
	}
	return float64(to-from) / moments[to].Sub(moments[from]).Seconds()
}

// await returns when reached says so, or nobody waits any more.
func (s *standIn) await(r *http.Request, reached func() bool) {
	for {
		s.mu.Lock()
		if reached() {
			s.mu.Unlock()
			return
		}
		news := make(chan struct{})
		s.waits = append(s.waits, news)
		s.mu.Unlock()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

// closeWaits is called with mu held.
func (s *standIn) closeWaits() {
	for _, w := range s.waits {
		close(w)
	}
	s.waits = nil
}

// template is a body with the digits of its request cut out.
type template [][]byte

func newTemplate(body []byte, digits string) template { return bytes.Split(body, []byte(digits)) }

func (t template) of(n int) []byte { return bytes.Join(t, []byte(digits(n))) }

// bodies are what the Connect simulator says of a purchase.
type bodies struct {
	pending, saved, approved template
	templates                []byte
}

// record makes one purchase in the simulator and notes what it answers.
func record() (bodies, error) {
	sim := connectsim.New(connectsim.Options{APIKey: apiKey, Empty: true})
	sim.Load(connectsim.LoadOptions{Purchases: 1})
	made := sim.Requests()[0]
	d := strings.TrimPrefix(made.AssetID, "AS-")
	one := apiBase + "/requests/" + made.ID
	var failed error
	call := func(method, path, body string) []byte {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "ApiKey "+apiKey)
		r.Header.Set("Content-Type", "application/json")
		sim.Handler().ServeHTTP(w, r)
		if w.Code >= http.StatusBadRequest {
			failed = fmt.Errorf("record %s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	var b bodies
	b.pending = newTemplate(call(http.MethodGet, one, ""), d)
	b.templates = call(http.MethodGet, apiBase+"/products/"+productOf(b.pending)+"/templates?eq(scope,asset)&eq(type,fulfillment)", "")
	var found []struct{ ID string }
	if err := json.Unmarshal(b.templates, &found); err != nil || len(found) == 0 {
		return b, fmt.Errorf("record templates: %w, %s", err, b.templates)
	}
	b.saved = newTemplate(call(http.MethodPut, one, `{"asset":{"params":[{"id":"subscription_id","value":"T-`+d+`"}]}}`), d)
	b.approved = newTemplate(call(http.MethodPost, one+"/approve", `{"template_id":"`+found[0].ID+`"}`), d)
	return b, failed
}

func productOf(t template) string {
	var r struct {
		Asset struct{ Product struct{ ID string } }
	}
	_ = json.Unmarshal(t.of(0), &r) // "" is refused by the simulator
	return r.Asset.Product.ID
}

// serveStandIn is the stand-in's process: it says where it listens, and ends
// with its standard input.
func serveStandIn() error {
	requests, err := strconv.Atoi(os.Getenv("BENCH_REQUESTS"))
	if err != nil {
		return err
	}
	latency, err := time.ParseDuration(os.Getenv("BENCH_LATENCY"))
	if err != nil {
		return err
	}
	s, err := newStandIn(requests, latency)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	fmt.Println("http://" + l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
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
	down    bool          // the vendor is
	bodies  bodies

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
	listed          time.Time // first
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
	case !isConnect && s.down:
		answer(w, http.StatusServiceUnavailable, []byte(`{"message":"down"}`))
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
	now := time.Now()
	s.moments = append(s.moments, now)
	s.tally.Latencies = append(s.tally.Latencies, now.Sub(p.listed).Seconds()*1000)
	return ""
}

// assetID is how a list is bounded to some subscriptions.
var assetID = regexp.MustCompile(`AS-\d{4}-\d{4}-\d{4}`)

// list answers a page of what is pending.
func (s *standIn) list(w http.ResponseWriter, r *http.Request) {
	limit, offset := parameter(r.URL.RawQuery, "limit="), parameter(r.URL.RawQuery, "offset=")
	var of []int
	for _, id := range assetID.FindAllString(r.URL.RawQuery, -1) {
		of = append(of, numberOf(id, "AS-"))
	}
	s.mu.Lock()
	s.tally.Lists++
	if s.tally.Listed.IsZero() {
		s.tally.Listed = time.Now()
		s.closeWaits()
	}
	page, total := s.page(of, offset, limit)
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

// page is a part of what is pending, of some requests or of all, and how many
// there are. It is called with mu held.
func (s *standIn) page(of []int, offset, limit int) (page []int, total int) {
	show := func(n int) {
		page = append(page, n)
		if s.requests[n].listed.IsZero() {
			s.requests[n].listed = time.Now()
		}
	}
	if of == nil && len(s.moments) == 0 { // all are pending, and they may be a million
		for n := offset; n < min(offset+limit, len(s.requests)); n++ {
			show(n)
		}
		return page, len(s.requests)
	}
	each := func(n int) {
		if n < 0 || n >= len(s.requests) || s.requests[n].approved {
			return
		}
		if total >= offset && len(page) < limit {
			show(n)
		}
		total++
	}
	if of != nil {
		for _, n := range of {
			each(n)
		}
		return page, total
	}
	for n := range s.requests {
		each(n)
	}
	return page, total
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
	s.down = os.Getenv("BENCH_VENDOR") == "down"
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

package vendorsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxBody is how large a body may be.
const maxBody = 4 << 20

// answer is what a call is answered with; a nil value sends no body.
type answer struct {
	status   int
	value    any
	replayed bool
}

func refusal(status int, format string, args ...any) *answer {
	return &answer{status: status, value: map[string]string{"message": fmt.Sprintf(format, args...)}}
}

func (a *answer) send(w http.ResponseWriter) {
	if a.replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	if a.value == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.value) // the client may be gone
}

// call is one call on its way to an answer.
type call struct {
	r    *http.Request
	id   string
	body []byte
}

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /_sim/tenants":
		(&answer{status: http.StatusOK, value: s.Tenants()}).send(w)
		return
	case "GET /_sim/operations":
		(&answer{status: http.StatusOK, value: append([]Op{}, s.Operations()...)}).send(w)
		return
	}
	if key := s.opts.APIKey; key != "" && strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") != key {
		refusal(http.StatusUnauthorized, "the API key is missing or wrong").send(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refusal(http.StatusBadRequest, "read body: %v", err).send(w)
		return
	}
	do, c := s.resolve(r)
	c.body = body
	if s.opts.Idempotency == IdempotencyNone {
		do(c).send(w)
		return
	}
	s.replay.answer(r, func() *answer { return do(c) }).send(w)
}

// resolve finds what the method and path ask for.
func (s *Server) resolve(r *http.Request) (func(*call) *answer, *call) {
	segments := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	i := slices.Index(segments, "tenant")
	c := &call{r: r}
	if i < 0 || len(segments) > i+3 {
		return notFound, c
	}
	rest := segments[i+1:]
	form := "/tenant"
	if len(rest) > 0 {
		c.id, _ = url.PathUnescape(rest[0]) // net/http has refused what cannot be unescaped
		rest[0] = "{id}"
		form += "/" + strings.Join(rest, "/")
	}
	do, ok := map[string]func(*call) *answer{
		"POST /tenant":             s.create,
		"GET /tenant":              s.list,
		"GET /tenant/{id}":         s.get,
		"PUT /tenant/{id}":         s.update,
		"DELETE /tenant/{id}":      s.remove,
		"PUT /tenant/{id}/disable": s.disable,
		"PUT /tenant/{id}/enable":  s.enable,
	}[r.Method+" "+form]
	if !ok {
		return notFound, c
	}
	return do, c
}

func notFound(c *call) *answer {
	return refusal(http.StatusNotFound, "there is no %s %s", c.r.Method, c.r.URL.Path)
}

// begin takes the time of an operation and does its work.
func (s *Server) begin() time.Time {
	start := s.opts.Now()
	if s.opts.Work > 0 {
		timer := time.NewTimer(s.opts.Work)
		defer timer.Stop()
		<-timer.C
	}
	return start
}

// done books an operation. The caller holds the mutex.
func (s *Server) done(c *call, kind string, start time.Time, t *Tenant, requestID string) {
	s.operations = append(s.operations, Op{
		Kind: kind, TenantID: t.ID, ExternalID: t.ExternalID, RequestID: requestID,
		IdempotencyKey: c.r.Header.Get("Idempotency-Key"), Start: start, End: s.opts.Now(),
	})
}

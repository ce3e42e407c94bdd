package connect

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const testKey = "SU-111-222-333:0123456789abcdef0123456789abcdef01234567"

// call is one request that the server saw.
type call struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// server is a Connect whose answers a test scripts.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
}

// newServer answers with handle, which is given the call's number from 0.
func newServer(t *testing.T, handle func(n int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := len(s.calls)
		s.calls = append(s.calls, call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
		s.mu.Unlock()
		handle(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

// client returns a client of s that does not dawdle between its tries.
func (s *server) client(t *testing.T, opts ...Option) *Client {
	t.Helper()
	opts = append([]Option{WithRetry(3, time.Millisecond, 2*time.Millisecond)}, opts...)
	c, err := NewClient(s.URL+"/public/v1/", testKey, opts...)
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func requestBody(id, status string) string {
	b, _ := json.Marshal(map[string]any{
		"id": id, "type": "purchase", "status": status,
		"asset": map[string]any{"id": "AS-1", "product": map[string]any{"id": "PRD-1"}},
	})
	return string(b)
}

func tierBody(id, status string) string {
	b, _ := json.Marshal(map[string]any{
		"id": id, "type": "setup", "status": status,
		"configuration": map[string]any{"id": "TC-1", "product": map[string]any{"id": "PRD-1"}},
	})
	return string(b)
}

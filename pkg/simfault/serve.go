package simfault

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxRead is how much of a body is read ahead of a latency.
const maxRead = 16 << 20

// Wrap returns next with the layer's endpoints in front of it and its faults applied. Calls are recorded when they end.
func (l *Layer) Wrap(next http.Handler) http.Handler {
	admin := l.admin(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			admin.ServeHTTP(w, r)
			return
		}
		l.serve(w, r, next)
	})
}

func (l *Layer) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	began := time.Now()
	out := &watched{ResponseWriter: w}
	fault := l.strike(r)
	out.end = sync.OnceFunc(func() {
		c := Call{
			Time: began.UTC(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Status: out.status,
			DurationMS: float64(time.Since(began).Microseconds()) / 1000, IdempotencyKey: r.Header.Get("Idempotency-Key"),
		}
		if fault != nil {
			c.Fault = fault.describe()
		}
		l.record(c)
	})
	defer out.end() // a handler may panic
	if fault != nil {
		fault.apply(out, r, next)
	} else {
		next.ServeHTTP(out, r)
	}
	if out.status == 0 { // net/http sends this when a handler wrote nothing
		out.WriteHeader(http.StatusOK)
	}
}

// apply serves the call as the fault will have it.
func (f *Fault) apply(w *watched, r *http.Request, next http.Handler) {
	var late *answer
	if f.Effect {
		late = run(next, r)
	}
	if !f.wait(r) {
		drop(w)
	}
	switch {
	case f.Drop == DropBefore:
		drop(w)
	case f.Drop == DropAfter:
		run(next, r)
		drop(w)
	case f.Status != 0:
		f.writeAnswer(w)
	case late != nil:
		late.send(w)
	default:
		next.ServeHTTP(w, r)
	}
}

// wait is the fault's latency. It reports false when the client left meanwhile.
func (f *Fault) wait(r *http.Request) bool {
	if f.Latency == 0 {
		return true
	}
	// net/http watches for the client's leaving only once the body was read to its end.
	head, _ := io.ReadAll(io.LimitReader(r.Body, maxRead))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}

	timer := time.NewTimer(f.Latency + time.Duration(rand.Float64()*float64(f.Jitter)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// drop closes the connection without an answer and does not return. The call is recorded before, so that a client that
// sees the connection close finds it.
func drop(w *watched) {
	w.end()
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
	// Where there is no connection to take (HTTP/2), this resets the stream.
	panic(http.ErrAbortHandler)
}

func (f *Fault) writeAnswer(w http.ResponseWriter) {
	contentType, body := "application/json", []byte(f.Body)
	var text string
	if len(body) == 0 {
		words := "simulated fault: " + http.StatusText(f.Status)
		body, _ = json.Marshal(map[string]any{"message": words, "errors": []string{words}})
	} else if json.Unmarshal(body, &text) == nil && body[0] == '"' {
		contentType, body = "text/plain; charset=utf-8", []byte(text)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Status == http.StatusNoContent || f.Status == http.StatusNotModified {
		w.WriteHeader(f.Status)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(f.Status)
	_, _ = w.Write(body)
}

// watched remembers the status that was sent.
type watched struct {
	http.ResponseWriter
	status int
	end    func() // records the call, once
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

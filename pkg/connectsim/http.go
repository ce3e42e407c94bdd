package connectsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// maxBody bounds what a caller may send.
const maxBody = 16 << 20

// call is one request to the API, read before any lock is taken.
type call struct {
	id, sub string // the ids in the path
	query   string
	body    object
	host    string
	form    bool // the body is a multipart upload, which is not kept
}

// answer is what to send: the first that is set of page, record, value and
// markdown, else nothing.
type answer struct {
	status   int // 200 if 0, and 204 if there is nothing to send
	page     *page
	record   *record
	value    any
	markdown *string
}

type endpoint func(*call) (answer, error)

// read runs e beside others, write alone.
func (s *Server) read(e endpoint) http.HandlerFunc {
	return s.serve(func(c *call) (answer, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return e(c)
	})
}

func (s *Server) write(e endpoint) http.HandlerFunc {
	return s.serve(func(c *call) (answer, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return e(c)
	})
}

func (s *Server) serve(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := newCall(r)
		if err == nil {
			s.wake()
			var a answer
			if a, err = e(c); err == nil {
				a.write(w)
				return
			}
		}
		fail(w, err)
	}
}

func newCall(r *http.Request) (*call, error) {
	c := &call{
		id: r.PathValue("id"), sub: r.PathValue("sub"), query: r.URL.RawQuery, host: r.Host,
		form: strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/"),
	}
	if r.Method == http.MethodGet {
		return c, nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, refuse("BAD_000", "read body: %v", err)
	}
	// The official clients send no body at all where they mean {}.
	if c.form || len(bytes.TrimSpace(raw)) == 0 {
		return c, nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil, refuse("BAD_000", "JSON parse error - %v", err)
	}
	var ok bool
	if c.body, ok = v.(object); !ok {
		return nil, refuse("VAL_001", "Invalid data. Expected a dictionary.")
	}
	return c, nil
}

// decode reads one JSON value and keeps numbers as they are written.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

func (a answer) write(w http.ResponseWriter) {
	if a.page != nil {
		a.page.write(w)
		return
	}
	status, kind, body := a.status, "application/json", []byte(nil)
	switch {
	case a.record != nil:
		body = a.record.json()
	case a.value != nil:
		body = encode(a.value)
	case a.markdown != nil:
		kind, body = "text/markdown", []byte(*a.markdown)
	default:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if status == 0 {
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func fail(w http.ResponseWriter, err error) {
	e := asError(err)
	body := encode(e)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}

// authorize lets in who has the key.
func (s *Server) authorize(next http.Handler) http.Handler {
	wanted := bareKey(s.opts.APIKey)
	wellFormed := regexp.MustCompile(`^(SU|UR)-[0-9-]+:\S+$`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		key, ok := strings.CutPrefix(header, "ApiKey ")
		if !ok || wanted != "" && key != wanted || wanted == "" && !wellFormed.MatchString(key) {
			fail(w, errUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func bareKey(key string) string {
	return strings.TrimPrefix(strings.TrimSpace(key), "ApiKey ")
}

// trimSlash serves paths that older clients end with a slash.
func trimSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := strings.TrimRight(r.URL.Path, "/"); p != r.URL.Path && p != "" {
			u := *r.URL
			u.Path, u.RawPath = p, ""
			shallow := *r
			shallow.URL = &u
			r = &shallow
		}
		next.ServeHTTP(w, r)
	})
}

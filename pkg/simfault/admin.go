package simfault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxFaults is how large a body PUT /_sim/faults may have.
const maxFaults = 4 << 20

// admin serves the layer's own endpoints and leaves the other paths below /_sim/ to next.
func (l *Layer) admin(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, l.Faults()) })
	mux.HandleFunc("PUT /_sim/faults", l.putFaults)
	mux.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		_ = l.Set(nil) // none cannot be invalid
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_sim/calls", l.getCalls)
	mux.HandleFunc("POST /_sim/reset", func(w http.ResponseWriter, _ *http.Request) {
		l.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	for _, path := range []string{"/_sim/faults", "/_sim/calls", "/_sim/reset"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("%s is not for %s", path, r.Method))
		})
	}
	mux.Handle("/", next)
	return mux
}

func (l *Layer) putFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaults))
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("read body: %w", err))
		return
	}
	faults, err := parseFaults(body)
	if err == nil {
		err = l.Set(faults)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	writeJSON(w, http.StatusOK, l.Faults())
}

// parseFaults reads an array of faults or a single one.
func parseFaults(body []byte) ([]Fault, error) {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '{' {
		body = bytes.Join([][]byte{[]byte("["), body, []byte("]")}, nil)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		return nil, errors.Join(errors.New("body: not a JSON array of faults"), err)
	}
	faults := make([]Fault, len(raw))
	for i, one := range raw {
		// Called by name: json.Unmarshal would skip it for null.
		if err := faults[i].UnmarshalJSON(one); err != nil {
			return nil, fmt.Errorf("fault %d: %w", i, err)
		}
	}
	return faults, nil
}

func (l *Layer) getCalls(w http.ResponseWriter, r *http.Request) {
	calls := l.Calls()
	if s := r.URL.Query().Get("since"); s != "" {
		since, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("since: %q is not an RFC 3339 time such as 2026-01-31T12:00:00Z", s))
			return
		}
		for len(calls) > 0 && calls[0].Time.Before(since) {
			calls = calls[1:]
		}
	}
	writeJSON(w, http.StatusOK, calls)
}

func refuse(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"message": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

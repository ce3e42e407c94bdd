package broker_test

import (
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
)

type guest struct {
	URL, User, Password string
	Reader              struct{ User, Password string }
}

func guestOf(t *testing.T, text []byte) guest {
	t.Helper()
	var g guest
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// logHook keeps what is logged.
type logHook struct {
	mu      sync.Mutex
	entries []string
	warned  []string
}

func hooked() (*logrus.Entry, *logHook) {
	h := &logHook{}
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.TraceLevel)
	l.AddHook(h)
	return logrus.NewEntry(l), h
}

func (h *logHook) Levels() []logrus.Level { return logrus.AllLevels }

func (h *logHook) Fire(e *logrus.Entry) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = append(h.entries, e.Message)
	if e.Level <= logrus.WarnLevel {
		h.warned = append(h.warned, e.Message)
	}
	return nil
}

func (h *logHook) warnings() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.warned...)
}

func (h *logHook) has(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		if strings.Contains(e, text) {
			return true
		}
	}
	return false
}

package demo

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/vendorsim"
)

// inTemp has the demo's directory made below the test's own, and returns that.
func inTemp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "headrace.log"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRun_Exit_EndsWithTheTable(t *testing.T) {
	dir := inTemp(t)
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Requests: 23, Exit: true, Timeout: time.Minute, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if got := strings.Fields(lines[len(lines)-1]); strings.Join(got, " ") != "total 23 23 0 0 23" {
		t.Errorf("the last line is %q", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it left %v behind (%v)", entries, err)
	}
}

func TestRun_TooLate_FailsAndKeepsTheLog(t *testing.T) {
	dir := inTemp(t)
	var out bytes.Buffer
	err := Run(t.Context(), Options{Requests: 10, Exit: true, Timeout: time.Nanosecond, Out: &out})
	if !errors.Is(err, ErrOutcome) || !strings.Contains(err.Error(), "the log is at "+dir) || len(left(t, dir)) != 1 {
		t.Errorf("error %v, left %v", err, left(t, dir))
	}
	if !strings.Contains(out.String(), "are still open") {
		t.Errorf("the table does not tell:\n%s", out.String())
	}
}

func TestSummary_WrongOutcomes_Told(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		wrong func(t *testing.T, w *world, purchase, asset string)
	}{
		{"failed at Connect", func(t *testing.T, w *world, purchase, _ string) {
			if err := w.connect.SetStatus(purchase, "failed"); err != nil {
				t.Error(err)
			}
		}},
		{"approved without a tenant", func(t *testing.T, w *world, purchase, _ string) {
			if err := w.connect.SetStatus(purchase, "approved"); err != nil {
				t.Error(err)
			}
		}},
		{"two tenants", func(t *testing.T, w *world, purchase, asset string) {
			w.vendor.Add(vendorsim.Tenant{ExternalID: asset, RequestID: purchase}, vendorsim.Tenant{ExternalID: asset, RequestID: purchase})
			if err := w.connect.SetStatus(purchase, "approved"); err != nil {
				t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, err := newWorld(t.Context(), t.TempDir(), 5)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.close)
			first := w.connect.Requests()[0]
			tt.wrong(t, w, first.ID, first.AssetID)
			var out bytes.Buffer
			s := w.summary()
			if err := s.print(&out, time.Second); err != nil || s.good() || !strings.Contains(out.String(), "1 of 5 requests did NOT reach") {
				t.Errorf("good %v, %v:\n%s", s.good(), err, out.String())
			}
		})
	}
}

package app_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// TestStart_StreamsEmpty_WarnsWhereTenantsCouldBeCreatedTwice starts twice on one
// data directory: the second time something is known.
func TestStart_StreamsEmpty_WarnsWhereTenantsCouldBeCreatedTwice(t *testing.T) {
	t.Parallel()
	const warning = "nothing is known of vendor calls made before"
	for _, tt := range []struct {
		name     string
		set      func(w *world)
		services []string
		want     bool
	}{
		{"none", func(w *world) { w.cfg.Vendor.Idempotency = config.IdempotencyNone }, nil, true},
		{"none, elsewhere", func(w *world) { w.cfg.Vendor.Idempotency = config.IdempotencyNone }, []string{"change"}, false},
		{"key", func(*world) {}, nil, false},
		{"lookup", (*world).withLookup, nil, false},
		{"profile without", func(w *world) { w.withExample("cloudblue-php.yaml") }, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone, Lenient: true})
			tt.set(w)
			if got := w.logOf(tt.services, nil); strings.Contains(got, warning) != tt.want {
				t.Errorf("at the first start it logs, want the warning: %v\n%s", tt.want, got)
			}
			id := w.connect.AddRequest(connectsim.NewRequest{ProductID: profiled, Params: map[string]string{"admin_email": "ann@example.com"}})
			w.logOf(nil, func() bool { return w.request(id).Status == "approved" })
			if got := w.logOf(tt.services, nil); strings.Contains(got, warning) {
				t.Errorf("with results in the streams it logs\n%s", got)
			}
		})
	}
}

// logOf runs an App until something is reached, and returns its log.
func (w *world) logOf(services []string, reached func() bool) string {
	w.t.Helper()
	var log bytes.Buffer
	l := logrus.New()
	l.SetOutput(&log)
	ctx, cancel := context.WithCancel(w.t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	a := app.New(w.cfg, logrus.NewEntry(l), telemetry.New(), telemetry.NewHealth(), app.OnReady(func(app.Ready) { close(ready) }))
	go func() { done <- a.Run(ctx, services) }()
	select {
	case <-ready:
	case err := <-done:
		w.t.Fatalf("app ended at start: %v", err)
	}
	if reached != nil {
		w.until("a request is approved", reached)
	}
	cancel()
	if err := <-done; err != nil {
		w.t.Error(err)
	}
	return log.String()
}

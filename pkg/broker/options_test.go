package broker

import (
	"testing"
	"time"
)

// What the server is told is looked at, and what it makes of it: its JetStream
// configuration is what the store obeys.
func TestOptions_Sync(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o        Options
		always   bool
		interval time.Duration
	}{
		"nothing said": {Options{}, true, 2 * time.Minute},
		"always":       {Options{SyncAlways: true, SyncInterval: time.Second}, true, 2 * time.Minute},
		"interval":     {Options{SyncInterval: 7 * time.Second}, false, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.Dir = t.TempDir()
			b, err := Start(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := b.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			js := b.server.JetStreamConfig()
			if js.SyncAlways != c.always || js.SyncInterval != c.interval {
				t.Errorf("sync always %t, interval %s; want %t, %s", js.SyncAlways, js.SyncInterval, c.always, c.interval)
			}
			if js.MaxStore != unlimitedStore {
				t.Errorf("store bound %d, want none", js.MaxStore)
			}
			if b.server.MonitorAddr() != nil {
				t.Error("monitoring is on")
			}
		})
	}
}

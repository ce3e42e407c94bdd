package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

const (
	demoKey = "SU-000-000-001:demo"
	// pollInterval is short: in a demo nobody waits two minutes.
	pollInterval = 500 * time.Millisecond
	// vendorWork makes operations take long enough to overlap, were they not
	// kept apart; vendorAsync has every new tenant waited for.
	vendorWork  = 20 * time.Millisecond
	vendorAsync = time.Second
)

// world is what Headrace talks to, and how it is told so.
type world struct {
	connect *connectsim.Server
	vendor  *vendorsim.Server
	ledger  *ledger
	cfg     *config.Config
	began   time.Time
	servers []*http.Server

	orders       []order
	known        map[string]bool      // the orders' ids
	asked        map[string]time.Time // since when customers know of the inquiries that are open
	rounds, slow int                  // what the next special order is
}

func newWorld(ctx context.Context, dir string, requests int) (*world, error) {
	w := &world{
		connect: connectsim.New(connectsim.Options{APIKey: demoKey, Empty: true}), began: time.Now(),
		known: map[string]bool{}, asked: map[string]time.Time{},
	}
	w.vendor = vendorsim.New(vendorsim.Options{Async: vendorAsync, Work: vendorWork, Adopt: w.adopt})
	w.ledger = newLedger(w.connect.Handler())
	w.connect.AddProduct(product())
	w.load(requests)
	if err := w.trouble(); err != nil {
		return nil, err
	}
	connectURL, err := w.serve(ctx, w.ledger)
	if err != nil {
		return nil, err
	}
	vendorURL, err := w.serve(ctx, w.vendor.Handler())
	if err != nil {
		w.close()
		return nil, err
	}
	w.cfg = config.Default()
	w.cfg.Connect.Endpoint = config.URL(connectURL + connectsim.BasePath)
	w.cfg.Connect.APIKey = config.NewSecret(demoKey)
	w.cfg.Connect.PollInterval = pollInterval
	w.cfg.Vendor.Endpoint = config.URL(vendorURL)
	w.cfg.DataDir = filepath.Join(dir, "data")
	w.cfg.HTTPAddr = "127.0.0.1:0"
	return w, nil
}

// brokerURL is where who tries to read the events finds them, with the
// credential: it is a demo's, and goes with it.
func (w *world) brokerURL() string {
	access, err := broker.ReadAccess(w.cfg.DataDir)
	if err != nil {
		return "?" // the services tell what is wrong with it
	}
	u, err := url.Parse(access.URL)
	if err != nil {
		return "?"
	}
	u.User = url.UserPassword(access.User, access.Password)
	return u.String()
}

// adopt lets the vendor know the tenants of the subscriptions that there are.
func (w *world) adopt(id string) (vendorsim.Tenant, bool) {
	known := w.connect.Tenants()
	i := slices.IndexFunc(known, func(t connectsim.Tenant) bool { return t.ID == id })
	if i < 0 {
		return vendorsim.Tenant{}, false
	}
	state := vendorsim.StateActive
	if known[i].Suspended {
		state = vendorsim.StateSuspended
	}
	return vendorsim.Tenant{ExternalID: known[i].AssetID, State: state}, true
}

// trouble is what a pipeline meets on any day: answers that get lost after the
// effect took place, a vendor that is down for a moment, a limit of calls.
func (w *world) trouble() error {
	return errors.Join(
		w.vendor.Faults().Set([]simfault.Fault{
			{Method: http.MethodPost, Path: "/tenant$", Skip: 5, Times: 2, Drop: simfault.DropAfter},
			{Method: http.MethodPut, Skip: 10, Times: 3, Status: http.StatusServiceUnavailable},
		}),
		w.connect.Faults().Set([]simfault.Fault{
			{Method: http.MethodPost, Path: "**/approve", Skip: 20, Times: 2, Drop: simfault.DropAfter},
			{Method: http.MethodPost, Path: "**/approve", Skip: 40, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: "1"},
		}))
}

// serve serves h on a free port and returns its base URL.
func (w *world) serve(ctx context.Context, h http.Handler) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serve a simulator: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	// It ends with close, by which nothing is lost: a simulator has no disk.
	go func() { _ = s.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

func (w *world) close() {
	for _, s := range w.servers {
		_ = s.Close()
	}
}

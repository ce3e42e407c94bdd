package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/headrace"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// site is what the program runs between: the one vendor API for the handler,
// the other for all that Headrace carries out by itself.
type site struct {
	connect     *connectsim.Server
	own, shared *vendorsim.Server
	settings    string // the YAML file
	handler     purchases
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		connect: connectsim.New(connectsim.Options{Empty: true}), shared: vendorsim.New(vendorsim.Options{}),
		own: vendorsim.New(vendorsim.Options{}),
	}
	con, own, shared := httptest.NewServer(s.connect.Handler()), httptest.NewServer(s.own.Handler()), httptest.NewServer(s.shared.Handler())
	t.Cleanup(con.Close)
	t.Cleanup(own.Close)
	t.Cleanup(shared.Close)
	api, err := vendorapi.New(own.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = purchases{api}
	s.settings = filepath.Join(t.TempDir(), "headrace.yaml")
	err = os.WriteFile(s.settings, fmt.Appendf(nil, `
connect: {endpoint: "%s", api_key: "SU-000-000-001:0123456789abcdef", poll_interval: 1s}
vendor: {endpoint: "%s"}
data_dir: %s
sync: 1m
http_addr: "off"
`, con.URL+connectsim.BasePath, shared.URL, t.TempDir()), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// order adds a purchase of so many seats and returns its id.
func (s *site) order(product, item, seats string) string {
	return s.connect.AddRequest(connectsim.NewRequest{
		ProductID: product, Lines: []connectsim.Line{{Item: item, Quantity: seats}},
		Params: map[string]string{"admin_email": "ada@example.com"},
	})
}

// until waits for a request to leave pending.
func (s *site) until(t *testing.T, id string) connectsim.Request {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		r, _ := s.connect.Request(id)
		if r.Status != "pending" {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still pending", id)
		}
	}
}

func TestHandler_BetweenBothSimulators_TakesItsPurchasesAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hundred, five := s.order(product, "MW-SEAT", "100"), s.order(product, "MW-SEAT", "5")
	other := s.order("PRD-731-225-448", "MB-GB", "5") // of a product without a handler

	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- headrace.Run(ctx, []string{"up", "--config", s.settings},
			headrace.Streams(strings.NewReader(""), io.Discard, &log), headrace.Handle(product, fulfillment.Purchase, s.handler))
	}()
	approved, failed, byItself := s.until(t, hundred), s.until(t, five), s.until(t, other)
	stop()
	if status := <-ended; status != 0 {
		t.Fatalf("ended with status %d:\n%s", status, &log)
	}
	if approved.Status != "approved" || len(s.own.Tenants()) != 1 || approved.Params["subscription_id"] != s.own.Tenants()[0].ID {
		t.Errorf("100 seats: %s for %q with %v", approved.Status, approved.Reason, approved.Params)
	}
	if failed.Status != "failed" || failed.Reason != "MW-SEAT is sold by the hundred, not 5" {
		t.Errorf("5 seats: %s for %q", failed.Status, failed.Reason)
	}
	if byItself.Status != "approved" || byItself.Params["subscription_id"] == "" {
		t.Errorf("the other product: %s with %v", byItself.Status, byItself.Params)
	}
	if n := len(s.shared.Tenants()); n != 1 {
		t.Errorf("Headrace by itself created %d tenants, want 1", n)
	}
}

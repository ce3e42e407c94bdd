package vendorapi_test

import (
	"errors"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/pkg/vendorsim"
)

func TestClient_CallRefusedByItsGuard_IsNotSentAndSaysNothingOfTheVendor(t *testing.T) {
	t.Parallel()
	told := 0
	vendor, client := newVendor(t, vendorsim.Options{},
		vendorapi.WithTransport(guard.Transport(vendorapi.NewTransport())),
		vendorapi.WithObserver(func(string, string, int, time.Duration) { told++ }))
	errNo := errors.New("no")
	_, err := client.CreateTenant(guard.With(t.Context(), func() error { return errNo }), "PR-1", order("AS-1"))
	if e := failure(t, err); !e.NotSent || e.Outcome() != vendorapi.NotDone || !guard.Refused(err) || !errors.Is(err, errNo) {
		t.Errorf("error is %+v", e)
	}
	if n := len(vendor.Faults().Calls()); n != 0 || told != 0 {
		t.Errorf("%d calls were made, the observer was told of %d", n, told)
	}
}

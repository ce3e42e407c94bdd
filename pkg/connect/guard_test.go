package connect

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/guard"
)

// A call that was refused is neither looked after nor tried again.
func TestCall_RefusedByItsGuard_IsMadeNeverAndSaysNothingOfConnect(t *testing.T) {
	t.Parallel()
	s := script(t)
	told := 0
	c := s.client(t, WithTransport(guard.Transport(NewTransport())), WithObserver(func(string, string, int, time.Duration) { told++ }))
	asked, errNo := 0, errors.New("no")
	ctx := guard.With(t.Context(), func() error { asked++; return errNo })
	for name, call := range map[string]func() error{
		"action": func() error { _, err := c.Requests.Approve(ctx, "PR-1", Approval{TemplateID: "TL-1"}); return err },
		"PUT": func() error {
			_, err := c.call(ctx, http.MethodPut, location{path: "/requests/PR-1", route: "/requests/{id}"}, map[string]string{}, nil)
			return err
		},
		"read": func() error { _, err := c.Requests.Get(ctx, "PR-1"); return err },
	} {
		asked = 0
		if err := call(); !guard.Refused(err) || !errors.Is(err, errNo) || !errors.As(err, new(*TransportError)) || asked != 1 {
			t.Errorf("%s: error %v after %d tries", name, err, asked)
		}
	}
	if told != 0 || len(s.seen()) != 0 {
		t.Errorf("%d calls were made, the observer was told of %d", len(s.seen()), told)
	}
}

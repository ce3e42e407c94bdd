package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/guard"
)

// action is a POST that moves a request to another status.
type action struct {
	id   string
	to   location
	body any
	want string   // the status it leads to
	from []string // the statuses it can leave
	look func(context.Context) (status string, err error)
}

// act carries out a, and returns the body of the answer, or nil where a was
// found to be carried out already. A call without a clear answer may have had
// its effect, so the request is read before the action is sent again.
func (c *Client) act(ctx context.Context, a action) ([]byte, error) {
	for try := 0; ; try++ {
		var answer []byte
		_, err := c.call(ctx, http.MethodPost, a.to, a.body, &answer)
		if err == nil {
			return answer, nil
		}
		unclear := isUnclear(err)
		if ctx.Err() != nil || !unclear && !isTransitionRefused(err) {
			return nil, err
		}
		status, lookErr := a.look(ctx)
		switch {
		case lookErr != nil:
			return nil, fmt.Errorf("%w (then %w)", err, lookErr)
		case status == a.want:
			return nil, nil
		case !slices.Contains(a.from, status):
			return nil, &StateError{ID: a.id, Want: a.want, Status: status}
		case !unclear || try >= c.settings.retries:
			return nil, err
		}
		c.settings.warnRetry(http.MethodPost, a.to, try+1)
		if waitErr := wait(ctx, c.settings.backoff(c.settings.retryMin, c.settings.retryMax, try, nil)); waitErr != nil {
			return nil, fmt.Errorf("%w (then %w)", err, waitErr)
		}
	}
}

// isUnclear reports whether a call may or may not have had its effect. 429 and
// a call that was not begun are clear: it was not carried out.
func isUnclear(err error) bool {
	if api := (*APIError)(nil); errors.As(err, &api) {
		return api.Status >= 500 || api.Status == http.StatusRequestTimeout
	}
	transport := (*TransportError)(nil)
	return errors.As(err, &transport) && !guard.Refused(err)
}

// isTransitionRefused reports whether Connect refused the move from the state
// it has the request in. The codes stand for other refusals, too: only the
// request's status tells them apart.
func isTransitionRefused(err error) bool {
	api := (*APIError)(nil)
	return errors.As(err, &api) && api.Status == http.StatusBadRequest && (api.Code == "REQ_003" || api.Code == "TC_006")
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const wrongState = `{"error_code":"REQ_003","errors":["Only pending and inquiring requests can be approved."]}`

// script answers in turn; an answer of status 0 drops the connection.
type step struct {
	status int
	body   string
}

func script(t *testing.T, steps ...step) *server {
	return newServer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n >= len(steps) {
			t.Errorf("call %d was not expected", n+1)
			answer(w, 418, `{}`)
			return
		}
		if steps[n].status == 0 {
			drop(w)
			return
		}
		answer(w, steps[n].status, steps[n].body)
	})
}

func methods(s *server) (out string) {
	for _, c := range s.seen() {
		out += c.Method[:2] + " "
	}
	return out
}

func TestApprove_Outcomes(t *testing.T) {
	t.Parallel()
	pending, inquiring := requestBody("PR-1", "pending"), requestBody("PR-1", "inquiring")
	approved, failed := requestBody("PR-1", "approved"), requestBody("PR-1", "failed")
	for name, c := range map[string]struct {
		steps []step
		calls string
		want  string // "" for success
	}{
		"at once":                      {[]step{{200, approved}}, "PO ", ""},
		"empty answer":                 {[]step{{200, ``}, {200, approved}}, "PO GE ", ""},
		"dropped after the effect":     {[]step{{0, ""}, {200, approved}}, "PO GE ", ""},
		"502 after the effect":         {[]step{{502, "<html>"}, {200, approved}}, "PO GE ", ""},
		"dropped before the effect":    {[]step{{0, ""}, {200, pending}, {200, approved}}, "PO GE PO ", ""},
		"dropped while inquiring":      {[]step{{0, ""}, {200, inquiring}, {200, approved}}, "PO GE PO ", ""},
		"the first took effect late":   {[]step{{0, ""}, {200, pending}, {400, wrongState}, {200, approved}}, "PO GE PO GE ", ""},
		"somebody failed it meanwhile": {[]step{{503, ""}, {200, failed}}, "PO GE ", "PR-1: status is failed, want approved"},
		"refused, done already":        {[]step{{400, wrongState}, {200, approved}}, "PO GE ", ""},
		"refused, failed":              {[]step{{400, wrongState}, {200, failed}}, "PO GE ", "PR-1: status is failed, want approved"},
		"refused, still pending":       {[]step{{400, wrongState}, {200, pending}}, "PO GE ", "POST /requests/PR-1/approve: 400 REQ_003: Only pending and inquiring requests can be approved."},
		"bad body":                     {[]step{{400, `{"error_code":"VAL_001","errors":["x"]}`}}, "PO ", "POST /requests/PR-1/approve: 400 VAL_001: x"},
		"rate limited":                 {[]step{{429, ""}}, "PO ", "POST /requests/PR-1/approve: 429 Too Many Requests"},
		"forbidden":                    {[]step{{403, ""}}, "PO ", "POST /requests/PR-1/approve: 403 Forbidden"},
		"never answered": {
			[]step{{500, ""}, {200, pending}, {500, ""}, {200, pending}, {500, ""}, {200, pending}, {500, ""}, {200, pending}},
			"PO GE PO GE PO GE PO GE ", "POST /requests/PR-1/approve: 500 Internal Server Error",
		},
		"gone": {[]step{{500, ""}, {404, ""}}, "PO GE ", "POST /requests/PR-1/approve: 500 Internal Server Error (then GET /requests/PR-1: 404 Not Found)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script(t, c.steps...)
			r, err := s.client(t).Requests.Approve(t.Context(), "PR-1", Approval{TemplateID: "TL-1"})
			if fmt.Sprint(err) != c.want && (c.want != "" || err != nil) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if c.want == "" && (r == nil || r.Status != "approved") {
				t.Errorf("got %+v", r)
			}
			if got := methods(s); got != c.calls {
				t.Errorf("called %s, want %s", got, c.calls)
			}
		})
	}
}

func TestApprove_Refused_IsStateError(t *testing.T) {
	t.Parallel()
	s := script(t, step{400, wrongState}, step{200, requestBody("PR-1", "scheduled")})
	_, err := s.client(t).Requests.Approve(t.Context(), "PR-1", Approval{})
	state := (*StateError)(nil)
	if !errors.As(err, &state) || *state != (StateError{"PR-1", "approved", "scheduled"}) || IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestApprove_RateLimited_SaysHowLong(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		answer(w, 429, "")
	})
	_, err := s.client(t).Requests.Approve(t.Context(), "PR-1", Approval{})
	api := (*APIError)(nil)
	if !errors.As(err, &api) || api.RetryAfter != 17*time.Second || !IsRateLimited(err) || !IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestApprove_Cancelled_NoLook(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := s.client(t).Requests.Approve(ctx, "PR-1", Approval{}); !errors.Is(err, context.Canceled) || methods(s) != "PO " {
		t.Errorf("got %v after %s", err, methods(s))
	}
}

// Each action: where it goes, what it sends, and that it is verified by its own
// object.
func TestActions_Wire(t *testing.T) {
	t.Parallel()
	const tcr = "/public/v1/tier/config-requests/TCR-1"
	type run = func(context.Context, *Client) error
	for _, c := range []struct {
		path, body, status string
		run                run
	}{
		{"/public/v1/requests/PR-1/approve", `{"template_id":"TL-1"}`, "approved", func(ctx context.Context, c *Client) error {
			_, err := c.Requests.Approve(ctx, "PR-1", Approval{TemplateID: "TL-1"})
			return err
		}},
		{"/public/v1/requests/PR-1/approve", `{"activation_tile":"# Hi"}`, "approved", func(ctx context.Context, c *Client) error {
			_, err := c.Requests.Approve(ctx, "PR-1", Approval{ActivationTile: "# Hi"})
			return err
		}},
		{"/public/v1/requests/PR-1/fail", `{"reason":"no"}`, "failed", func(ctx context.Context, c *Client) error {
			_, err := c.Requests.Fail(ctx, "PR-1", "no")
			return err
		}},
		{"/public/v1/requests/PR-1/inquire", `{"template_id":"TL-2"}`, "inquiring", func(ctx context.Context, c *Client) error {
			_, err := c.Requests.Inquire(ctx, "PR-1", "TL-2")
			return err
		}},
		{"/public/v1/requests/PR-1/inquire", `{}`, "inquiring", func(ctx context.Context, c *Client) error {
			_, err := c.Requests.Inquire(ctx, "PR-1", "")
			return err
		}},
		{"/public/v1/requests/PR-1/pend", ``, "pending", func(ctx context.Context, c *Client) error {
			_, err := c.Requests.Pend(ctx, "PR-1")
			return err
		}},
		{tcr + "/approve", `{"template":{"id":"TL-1"}}`, "approved", func(ctx context.Context, c *Client) error { return c.TierRequests.Approve(ctx, "TCR-1", "TL-1") }},
		{tcr + "/fail", `{"reason":"no"}`, "failed", func(ctx context.Context, c *Client) error { return c.TierRequests.Fail(ctx, "TCR-1", "no") }},
		{tcr + "/inquire", ``, "inquiring", func(ctx context.Context, c *Client) error { return c.TierRequests.Inquire(ctx, "TCR-1") }},
		{tcr + "/pend", ``, "pending", func(ctx context.Context, c *Client) error { return c.TierRequests.Pend(ctx, "TCR-1") }},
	} {
		t.Run(c.path[len("/public/v1/"):], func(t *testing.T) {
			t.Parallel()
			body, done := requestBody("PR-1", c.status), http.StatusOK
			if strings.HasPrefix(c.path, tcr) {
				body, done = tierBody("TCR-1", c.status), http.StatusNoContent
			}
			plain, verified := script(t, step{done, body}), script(t, step{400, `{"error_code":"TC_006"}`}, step{200, body})
			if err := c.run(t.Context(), plain.client(t)); err != nil {
				t.Errorf("plain: %v", err)
			}
			if err := c.run(t.Context(), verified.client(t)); err != nil {
				t.Errorf("verified: %v", err)
			}
			got := plain.seen()[0]
			if diff := cmp.Diff([]string{"POST", c.path, c.body}, []string{got.Method, got.Path, got.Body}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

package app

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/upstream"
)

// standing is what /readyz says of the upstreams: the last call's outcome or,
// while one is paused, that.
type standing struct {
	health *telemetry.Health

	mu     sync.Mutex // guards all below
	parts  map[string]string
	paused map[string]map[string]upstream.View // by part and id
}

func newStanding(h *telemetry.Health) *standing {
	return &standing{health: h, parts: map[string]string{}, paused: map[string]map[string]upstream.View{}}
}

// upstream returns the upstream of that identity, which /readyz calls part.
func (a *App) upstream(i upstream.Identity, part string) *upstream.Upstream {
	a.standing.name(i.ID(), part)
	a.metrics.UpstreamPaused(string(i.Kind), i.Name, false)
	return a.board.Upstream(i)
}

// connectUpstream is Connect, with the account that the key belongs to.
func (a *App) connectUpstream() *upstream.Upstream {
	account, _, _ := strings.Cut(strings.TrimPrefix(a.cfg.Connect.APIKey.Reveal(), "ApiKey "), ":")
	return a.upstream(upstream.Identity{
		Kind: fulfillment.UpstreamConnect, Name: "Connect", Endpoint: string(a.cfg.Connect.Endpoint), Account: account,
	}, telemetry.HealthConnect)
}

// upstreamChanged shows how an upstream stands.
func (a *App) upstreamChanged(v upstream.View) {
	a.metrics.UpstreamPaused(string(v.Kind), v.Name, v.State.Closed())
	a.standing.change(v)
}

func (s *standing) name(id, part string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[id] = part
}

func (s *standing) change(v upstream.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	part, known := s.parts[v.ID]
	if !known || v.State == fulfillment.UpstreamFailing {
		return // the calls' own outcomes tell
	}
	if v.State.Closed() {
		if s.paused[part] == nil {
			s.paused[part] = map[string]upstream.View{}
		}
		s.paused[part][v.ID] = v
	} else {
		delete(s.paused[part], v.ID)
	}
	if !s.tell(part) && v.Pauses > 0 {
		s.health.Set(part, true, false, "")
	}
}

// tell reports the pauses of a part; false if there is none.
func (s *standing) tell(part string) bool {
	fatal, reasons := false, make([]string, 0, 1)
	for _, v := range s.paused[part] {
		reasons = append(reasons, pauseText(v))
		fatal = fatal || v.Status == http.StatusUnauthorized || v.Status == http.StatusForbidden
	}
	if len(reasons) > 0 {
		s.health.Set(part, false, fatal, strings.Join(reasons, "; "))
	}
	return len(reasons) > 0
}

func pauseText(v upstream.View) string {
	until := "paused until " + v.Until.UTC().Format(time.RFC3339)
	if v.State == fulfillment.UpstreamProbing {
		until = "paused, and tried with one call"
	}
	return fmt.Sprintf("%s, since %s, because %s", until, v.Since.UTC().Format(time.RFC3339), v.Reason)
}

// report makes of a call's status what /readyz says of the upstream: refused
// credentials are ours to mend, a failing upstream is not. A pause says more.
func (s *standing) report(part string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.paused[part]) > 0:
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		s.health.Set(part, false, true, fmt.Sprintf("it refuses our credentials (%d)", status))
	case status == 0:
		s.health.Set(part, false, false, "it does not answer")
	case status >= 500 || status == http.StatusTooManyRequests:
		s.health.Set(part, false, false, fmt.Sprintf("it answers %d", status))
	default:
		s.health.Set(part, true, false, "")
	}
}

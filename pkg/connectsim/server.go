package connectsim

import (
	"net/http"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/simfault"
)

// BasePath is where the API begins; a client's base URL ends with it.
const BasePath = "/public/v1"

// Server is the simulator. Its methods may be called at any time from any
// goroutine.
type Server struct {
	opts    Options
	handler http.Handler
	faults  *simfault.Layer

	mu sync.RWMutex
	state
}

// state is all that Reset begins anew.
type state struct {
	requests, assets                           *collection
	products, marketplaces, contracts          *collection
	accounts, hubs, tierAccounts               *collection
	tierRequests, tierConfigs, tierAccRequests *collection
	conversations, usageFiles                  *collection
	// owned holds what belongs to one object: "<product>/templates",
	// "<conversation>/messages".
	owned map[string]*collection

	ids     int            // how many ids were made up
	seq     map[string]int // requests per asset or tier configuration
	byAsset map[string][]string
	// setsUpTiers are the products whose resellers need a tier request first.
	setsUpTiers map[string]bool
	oldStatus   map[string]string // by request: the asset's status before it
	tenants     []Tenant
}

func newState() state {
	return state{
		requests: newCollection(), assets: newCollection(),
		products: newCollection(), marketplaces: newCollection(), contracts: newCollection(),
		accounts: newCollection(), hubs: newCollection(), tierAccounts: newCollection(),
		tierRequests: newCollection(), tierConfigs: newCollection(), tierAccRequests: newCollection(),
		conversations: newCollection(), usageFiles: newCollection(),
		owned: map[string]*collection{},
		seq:   map[string]int{}, byAsset: map[string][]string{}, oldStatus: map[string]string{},
		setsUpTiers: map[string]bool{},
	}
}

// New returns a simulator that holds the start set, or with Options.Empty the
// catalogue alone.
func New(opts Options) *Server {
	s := &Server{opts: opts.withDefaults(), faults: simfault.New()}
	s.restart()
	s.faults.OnReset(s.restart)
	s.handler = s.faults.Wrap(s.routes())
	return s
}

// Handler serves the API below BasePath, and below /_sim what steers the
// simulator, which needs no key.
func (s *Server) Handler() http.Handler { return s.handler }

// Faults steers what goes wrong and tells what was called.
func (s *Server) Faults() *simfault.Layer { return s.faults }

// Reset returns to the start set, without faults. Ids are given out from the
// beginning.
func (s *Server) Reset() { s.faults.Reset() }

func (s *Server) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = newState()
	s.addCatalogue()
	if !s.opts.Empty {
		s.addStartSet()
	}
}

func (s *Server) now() string { return stamp(s.opts.Now()) }

// wake moves the scheduled requests whose planned date is reached.
func (s *Server) wake() {
	s.mu.RLock()
	idle := len(s.requests.byStatus[statusScheduled]) == 0
	s.mu.RUnlock()
	if idle {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Now()
	for _, r := range append([]*record(nil), s.requests.byStatus[statusScheduled]...) {
		planned, err := time.Parse(time.RFC3339, text(r.body, "planned_date"))
		if err != nil || planned.After(now) {
			continue
		}
		body := fork(r.body)
		body["status"] = s.opts.ScheduledBecomes
		touch(body, stamp(now))
		s.requests.put(body)
	}
}

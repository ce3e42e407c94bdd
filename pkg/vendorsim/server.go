package vendorsim

import (
	"net/http"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/simfault"
)

// The idempotency modes, spelled like the values of HEADRACE_VENDOR_IDEMPOTENCY.
const (
	IdempotencyKey  = "key"
	IdempotencyNone = "none"
)

// Options of a Server; the zero value is a vendor that honours idempotency keys and provisions at once.
type Options struct {
	// Idempotency is IdempotencyKey or IdempotencyNone; anything else is as IdempotencyKey.
	Idempotency string
	// Async is how long a new tenant's status is "processing"; 0 provisions at once.
	Async time.Duration
	// Work is how long each effect takes. It makes overlapping operations visible; an operation goes on when its caller
	// has left.
	Work time.Duration
	// NewID names a new tenant; the default counts: T-1, T-2, and so on. An id that is taken already is asked for again.
	NewID func() string
	// Adopt, if set, is asked about an id that was never seen; a tenant that it returns with true exists from then on.
	Adopt func(id string) (Tenant, bool)
	// APIKey, if set, must come with each call as "Authorization: Bearer KEY" or "Authorization: KEY", else it is 401.
	APIKey string
	// Lenient takes any JSON object as the body of POST and PUT, without externalId too, and keeps it as the tenant's Body:
	// so it plays vendors whose orders look otherwise.
	Lenient bool
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// A Server is one simulated vendor. It may serve any number of calls at once.
type Server struct {
	opts   Options
	faults *simfault.Layer
	replay replays

	mu         sync.Mutex
	tenants    map[string]*Tenant
	order      []string // ids as they were created
	seeds      []Tenant // what Reset goes back to
	operations []Op
	lastID     int
}

// New returns a vendor without tenants.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{opts: opts, faults: simfault.New()}
	s.clear()
	s.faults.OnReset(s.clear)
	return s
}

// Handler returns the API together with the endpoints under /_sim/.
func (s *Server) Handler() http.Handler {
	return s.faults.Wrap(http.HandlerFunc(s.route))
}

// Faults returns the layer that holds the vendor's faults and calls.
func (s *Server) Faults() *simfault.Layer { return s.faults }

// Add puts tenants into the vendor's books without a call; Reset goes back to them. A tenant with a known id replaces it.
// An empty id is given one; it is in what Add returns.
func (s *Server) Add(tenants ...Tenant) []Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := make([]Tenant, len(tenants))
	for i, t := range tenants {
		t = t.clone()
		if t.ID == "" {
			t.ID = s.newID()
		}
		s.put(t)
		s.seeds = append(s.seeds, t)
		added[i] = t.clone()
	}
	return added
}

// Reset forgets faults, calls, operations and keys, and all tenants but those that were added.
func (s *Server) Reset() { s.faults.Reset() }

func (s *Server) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants, s.order, s.operations, s.lastID = map[string]*Tenant{}, nil, nil, 0
	for _, t := range s.seeds {
		s.put(t.clone())
	}
	s.replay.clear()
}

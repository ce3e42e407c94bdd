package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/vendorsim"
)

const apiKey = "SU-000-000-001:0123456789abcdef0123456789abcdef01234567"

// mode is what the vendor offers against doing something twice.
type mode struct {
	name        string
	idempotency string
	lookup      bool // its profile finds a tenant by the subscription
}

// plan is what a run is to do.
type plan struct {
	seed    uint64
	kills   int           // random kills and failpoints that must have struck
	atMost  time.Duration // of chaos, whatever has struck
	atLeast time.Duration
	ackWait time.Duration
	off     string // the protection that is switched off, for mutants
	focus   string // "point=action", the only one where it can be
	// settle is how long all may take to end after the chaos.
	settle time.Duration
}

// world is an installation under attack: both upstreams, a broker with all
// services in its process, and processes beside it.
type world struct {
	t       *testing.T
	mode    mode
	plan    plan
	dir     string // of the data and the logs
	connect *connectsim.Server
	vendor  *vendorsim.Server
	slots   []*slot
	broker  *slot // with the first of them
	load    *load
	book    book
	wg      sync.WaitGroup
	done    chan struct{} // closed at the end
	quiet   chan struct{} // closed when no more failpoints are armed

	mu     sync.Mutex
	random *rand.Rand
	faults []string // of the harness's run, beside what is found in the books
}

// Work and latency make calls take as long as real ones might at best: what is
// over at once is never struck.
const (
	vendorWork     = 120 * time.Millisecond
	connectLatency = 15 * time.Millisecond
)

func newWorld(t *testing.T, m mode, p plan) *world {
	t.Helper()
	w := &world{
		t: t, mode: m, plan: p, dir: t.TempDir(),
		connect: connectsim.New(connectsim.Options{APIKey: apiKey, Empty: true}),
		vendor:  vendorsim.New(vendorsim.Options{Idempotency: m.idempotency, Work: vendorWork}),
		done:    make(chan struct{}), quiet: make(chan struct{}),
		random: rand.New(rand.NewPCG(p.seed, 0)),
	}
	if keep := os.Getenv("CRASH_KEEP"); keep != "" {
		w.dir = filepath.Join(keep, m.name+p.off)
		if err := errors.Join(os.RemoveAll(w.dir), os.MkdirAll(w.dir, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	w.load = newLoad(w)
	w.open()
	t.Cleanup(w.close)
	return w
}

// open starts the broker's process, and then those beside it.
func (w *world) open() {
	w.t.Helper()
	services := []string{"run", "purchase", "change", "suspend", "resume", "cancel", "adjustment"}
	ends := []string{"run", "fetcher", "committer"}
	w.broker = w.newSlot(nil, "up")
	w.broker.env["HEADRACE_DATA_DIR"] = filepath.Join(w.dir, "data")
	w.broker.env["HEADRACE_NATS_LISTEN"] = freeAddr(w.t)
	w.broker.env["HEADRACE_CONCURRENCY"] = "2"
	w.wg.Go(w.broker.run)
	access := w.access()
	for range 2 {
		w.newSlot(w.mode.typePoints(), services...).reach(w.broker.env["HEADRACE_NATS_LISTEN"], access.User, access.Password)
		w.newSlot(endPoints(), ends...).reach(w.broker.env["HEADRACE_NATS_LISTEN"], access.User, access.Password)
	}
	for _, s := range w.slots[1:] {
		w.wg.Go(s.run)
	}
	w.until(time.Minute, "every process runs", func() bool {
		return !slices.ContainsFunc(w.slots, func(s *slot) bool { return !s.runs() })
	})
	// What was ordered before there were streams might have been carried out by
	// somebody of whom they know nothing. Connect tells whole seconds.
	pause(w.done, time.Second)
}

// endPoints are where a process with a fetcher and a committer may die.
func endPoints() []failpoint.Point {
	return []failpoint.Point{
		failpoint.Listed, failpoint.Requested, failpoint.ResultDelivered, failpoint.ParamsSaved, failpoint.Approved, failpoint.FactTold,
		failpoint.EventPublished, failpoint.AckDue,
	}
}

// typePoints are where a process of the types' services may die.
func (m mode) typePoints() []failpoint.Point {
	points := []failpoint.Point{
		failpoint.Delivered, failpoint.IntentStored, failpoint.CallSent, failpoint.CallAnswered, failpoint.ResultPublished,
		failpoint.ScheduleStored, failpoint.LetterStored, failpoint.DeadWritten, failpoint.AckDue,
	}
	if m.lookup {
		points = append(points, failpoint.LookedUp)
	}
	return points
}

// freeAddr finds an address that is free now, to be listened at again and again.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// access waits for the credential that the broker writes for others.
func (w *world) access() (a struct{ User, Password string }) {
	w.t.Helper()
	w.until(time.Minute, "the broker runs", func() bool {
		text, err := os.ReadFile(filepath.Join(w.dir, "data", "listen.json"))
		return err == nil && json.Unmarshal(text, &a) == nil && w.brokerIsUp()
	})
	return a
}

func (w *world) brokerIsUp() bool {
	c, err := net.DialTimeout("tcp", w.broker.env["HEADRACE_NATS_LISTEN"], time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// charge arms a point that was not tried yet, and rare then says so; else a few
// points, rather those that were tried less, and in some processes none.
func (w *world) charge(points []failpoint.Point) (charges string, rare bool) {
	select {
	case <-w.quiet:
		return "", false
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if point, action, set := strings.Cut(w.plan.focus, "="); set && slices.Contains(points, failpoint.Point(point)) {
		return fmt.Sprintf("%s=%s@%d", point, action, 1+w.random.IntN(6)), true
	}
	for _, i := range w.random.Perm(len(points)) {
		if w.book.tried(string(points[i])) == 0 {
			return fmt.Sprintf("%s=%s@1", points[i], failpoint.Kill), true
		}
	}
	// Once every window has seen a few, most processes are left to chance.
	const few = 8
	young := slices.ContainsFunc(points, func(p failpoint.Point) bool { return w.book.tried(string(p)) < few })
	if len(points) == 0 || w.random.IntN(6) == 0 || !young && w.random.IntN(3) > 0 {
		return "", false
	}
	var all []string
	for range 3 {
		p, other := points[w.random.IntN(len(points))], points[w.random.IntN(len(points))]
		if w.book.tried(string(other)) < w.book.tried(string(p)) {
			p = other
		}
		action := failpoint.Kill
		if w.random.IntN(7) == 0 {
			action = failpoint.Stop
		}
		all = append(all, fmt.Sprintf("%s=%s@%d", p, action, 1+w.random.IntN(3)))
	}
	return strings.Join(all, ","), false
}

// untried lists the windows that no process has died in.
func (w *world) untried() []failpoint.Point {
	return slices.DeleteFunc(slices.Concat(endPoints(), w.mode.typePoints()), func(p failpoint.Point) bool { return w.book.tried(string(p)) > 0 })
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// until waits for a state of the world. It fails the test at the deadline.
func (w *world) until(d time.Duration, what string, reached func() bool) {
	w.t.Helper()
	if !w.within(d, reached) {
		w.t.Fatalf("not reached: %s; %s", what, strings.Join(w.faults, "\n"))
	}
}

func (w *world) within(d time.Duration, reached func() bool) bool {
	deadline := time.Now().Add(d)
	for !reached() {
		if time.Now().After(deadline) || !pause(w.done, 20*time.Millisecond) {
			return false
		}
	}
	return true
}

func (w *world) close() {
	close(w.done)
	for _, s := range w.slots {
		s.end()
	}
	w.wg.Wait()
}

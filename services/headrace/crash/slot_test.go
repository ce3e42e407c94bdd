package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// slot is a place in which one process runs at a time: it is started again
// whenever it died. Its doors to the upstreams are its own.
type slot struct {
	world   *world
	name    string
	args    []string
	points  []failpoint.Point // where its processes may be made to die
	connect *tap
	vendor  *tap
	lines   lines
	env     map[string]string
	mu      sync.Mutex
	process *process
	stopped bool      // by SIGSTOP
	spared  time.Time // until then it is left to come to its failpoint
	dying   *crash
}

// lines are the ways from a slot's process to the others.
type lines struct{ broker, connect, vendor *streamtest.Proxy }

func (w *world) newSlot(points []failpoint.Point, args ...string) *slot {
	w.t.Helper()
	s := &slot{
		world: w, name: fmt.Sprintf("%d-%s", len(w.slots), args[len(args)-1]), args: args, points: points,
		connect: newTap(w.t, w.connect.Handler()), vendor: newTap(w.t, w.vendor.Handler()),
	}
	s.lines.connect, s.lines.vendor = streamtest.To(w.t, s.connect.addr), streamtest.To(w.t, s.vendor.addr)
	s.env = map[string]string{
		"HEADRACE_CONNECT_ENDPOINT":      "http://" + s.lines.connect.Addr() + connectsim.BasePath,
		"HEADRACE_CONNECT_API_KEY":       "ApiKey " + apiKey,
		"HEADRACE_CONNECT_POLL_INTERVAL": "250ms",
		"HEADRACE_VENDOR_ENDPOINT":       "http://" + s.lines.vendor.Addr(),
		"HEADRACE_VENDOR_IDEMPOTENCY":    w.mode.idempotency,
		"HEADRACE_HTTP_ADDR":             "off",
		"HEADRACE_LOG_FORMAT":            "json",
		"HEADRACE_CONCURRENCY":           "8",
		"FAILPOINTS_ACK_WAIT":            w.plan.ackWait.String(),
		"FAILPOINTS_OFF":                 w.plan.off,
	}
	if w.mode.lookup {
		s.env["HEADRACE_CONFIG"] = w.profile(s)
	}
	w.slots = append(w.slots, s)
	return s
}

// profile is the settings file of a slot whose vendor can be asked for tenants.
// A call of unknown outcome has settled once a process that sleeps, and its
// call, must be over.
func (w *world) profile(s *slot) string {
	const timeout = 2 * time.Second
	name := filepath.Join(w.dir, s.name+".yaml")
	text := fmt.Sprintf(`products:
  - id: %s
    vendor: {timeout: %s}
    purchase:
      lookup:
        method: GET
        path: /tenant?externalId={asset.id}
        tenant: map(answer, .tenantId)
        settle: %s
`, productID, timeout, timeout+w.plan.ackWait+time.Second)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return name
}

// reach gives the slot a way to the broker.
func (s *slot) reach(addr, user, password string) {
	s.lines.broker = streamtest.To(s.world.t, addr)
	s.env["HEADRACE_NATS_URL"] = fmt.Sprintf("nats://%s:%s@%s", user, password, s.lines.broker.Addr())
}

// run keeps a process running until the world ends.
func (s *slot) run() {
	file, err := os.Create(filepath.Join(s.world.dir, s.name+".log"))
	if err != nil {
		s.world.t.Error(err)
		return
	}
	defer file.Close()
	for {
		p := s.start(file)
		<-p.done
		if !s.buried(p) || !pause(s.world.done, 50*time.Millisecond) {
			return
		}
	}
}

func (s *slot) start(log *os.File) *process {
	env := map[string]string{}
	for k, v := range s.env {
		env[k] = v
	}
	charges, rare := s.world.charge(s.points)
	env["FAILPOINTS"] = charges
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spared = (time.Time{}); rare {
		const patience = 8 * time.Second
		s.spared = time.Now().Add(patience)
	}
	if s.dying != nil {
		s.dying.until = time.Now()
		s.dying = nil
	}
	s.process = launch(s.world.t, s.args, env, log, s.struck)
	return s.process
}

// buried looks at how a process ended and reports whether the next one is to
// begin.
func (s *slot) buried(p *process) bool {
	select {
	case <-s.world.done:
		return false
	default:
	}
	switch {
	case p.race:
		s.world.fault("data race in %v:\n%s", s.args, p.said)
	case !p.killed() && p.ran.Load():
		s.world.fault("%v ended by itself, with status %d:\n%s", s.args, p.cmd.ProcessState.ExitCode(), tail(p.said))
		return false
	}
	return true
}

func tail(s string) string {
	const most = 3000
	return s[max(0, len(s)-most):]
}

// struck notes the death, or the sleep, that a failpoint is about to bring.
func (s *slot) struck(p failpoint.Point, action, request string) {
	c := s.world.book.add(&crash{what: string(p), how: action, slot: s, at: time.Now(), requests: []string{request}})
	s.mu.Lock()
	defer s.mu.Unlock()
	if action == failpoint.Stop {
		s.stopped = true
		s.world.wg.Go(func() { s.awake(c) })
		return
	}
	s.dying = c
}

// kill kills the process if one of its calls is being answered, and reports
// whether it did.
func (s *slot) kill(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.stopped || s.dying != nil || time.Now().Before(s.spared) || len(s.inFlight()) == 0 {
		return false
	}
	c := &crash{what: what, how: failpoint.Kill, slot: s, at: time.Now()}
	s.process.signal(syscall.SIGKILL)
	// What is still there now was in flight when the signal came.
	c.requests = s.inFlight()
	if len(c.requests) == 0 {
		return false
	}
	s.dying = s.world.book.add(c)
	return true
}

// stop has the process sleep for longer than the ack wait, if one of its calls
// is being answered.
func (s *slot) stop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.inFlight()
	if s.process == nil || s.stopped || s.dying != nil || time.Now().Before(s.spared) || len(ids) == 0 {
		return false
	}
	s.process.signal(syscall.SIGSTOP)
	s.stopped = true
	c := s.world.book.add(&crash{what: atRandom, how: failpoint.Stop, slot: s, at: time.Now(), requests: ids})
	s.world.wg.Go(func() { s.awake(c) })
	return true
}

// awake continues a stopped process after the broker has given its messages to
// others.
func (s *slot) awake(c *crash) {
	wait := s.world.plan.ackWait
	pause(s.world.done, wait+wait/4+rand.N(wait/2))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.signal(syscall.SIGCONT)
	s.stopped, c.until = false, time.Now()
}

// inFlight lists the requests of which the process has a call under way.
func (s *slot) inFlight() []string { return append(s.vendor.inFlight(), s.connect.inFlight()...) }

// end kills whatever runs there, for good.
func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.cmd.Process.Kill()
	}
}

// runs reports whether the slot's process has come so far as to work.
func (s *slot) runs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && s.process.ran.Load()
}

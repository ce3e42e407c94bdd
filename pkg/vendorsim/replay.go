package vendorsim

import (
	"net/http"
	"sync"
)

// replays remembers successful answers by idempotency key, method and path. It grows until it is cleared.
type replays struct {
	mu    sync.Mutex
	turns map[string]*turn
}

// A turn is held by the call that is being answered; the others of its key wait for it.
type turn struct {
	free   chan struct{} // one token
	answer *answer       // of the first success; guarded by the token
}

func (p *replays) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns = map[string]*turn{}
}

func (p *replays) turn(key string) *turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.turns[key]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		p.turns[key] = t
	}
	return t
}

// answer returns the first successful answer to the call, made by do unless there is one. A call that gives up waiting
// for the one before it gets an answer that nobody reads.
func (p *replays) answer(r *http.Request, do func() *answer) *answer {
	key := r.Header.Get("Idempotency-Key")
	if key == "" || r.Method == http.MethodGet {
		return do()
	}
	t := p.turn(r.Method + " " + r.URL.EscapedPath() + " " + key)
	select {
	case <-t.free:
	case <-r.Context().Done():
		return refusal(http.StatusServiceUnavailable, "gave up waiting")
	}
	defer func() { t.free <- struct{}{} }()
	if t.answer != nil {
		again := *t.answer
		again.replayed = true
		return &again
	}
	a := do()
	if a.status < 300 {
		t.answer = a
	}
	return a
}

package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/episode"
)

// DefaultRate is how many steps Run begins in a second where nothing is said.
const DefaultRate = 50

// errOvertaken: the stream has moved on since the plan was made, so that the
// step has nothing left to do.
var errOvertaken = errors.New("something came after it meanwhile")

// Plan is what a replay would do, in order.
type Plan struct {
	Steps  []Step
	source Source
	again  []*subscription // where the steps are those of subscriptions
}

// ToDo counts the steps that would do anything.
func (p *Plan) ToDo() int {
	n := 0
	for i := range p.Steps {
		if p.Steps[i].ToDo() {
			n++
		}
	}
	return n
}

// Options say how a plan is run.
type Options struct {
	// By names the operator, in the headers of what is stored.
	By string
	// Rate is how many steps begin in a second; 0 is DefaultRate.
	Rate float64
	// Patience is how long Run waits for the services to finish what it sent; it
	// fails nothing that they take longer. 0 does not wait.
	Patience time.Duration
	// Told, if set, is called after each step that was done, for steps of Again by
	// several goroutines at once.
	Told func(Step)
}

// Run does the steps of the plan and writes what became of each into it. One
// that fails stops no other. When ctx ends it stops between two steps and
// returns ctx's error; a plan made afterwards goes on where it was.
func (p *Plan) Run(ctx context.Context, o Options) error {
	if p.again != nil {
		return p.runAgain(ctx, o)
	}
	pace := newPacer(o.Rate)
	for i := range p.Steps {
		step := &p.Steps[i]
		if !step.ToDo() {
			step.Done = DoneNothing
			continue
		}
		if err := pace.wait(ctx); err != nil {
			return err
		}
		step.run(ctx, o)
	}
	return p.follow(ctx, o.Patience)
}

// run does one step. What is begun is finished: a stop comes between steps.
func (s *Step) run(ctx context.Context, o Options) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	switch err := s.do(ctx, o.By); {
	case errors.Is(err, errOvertaken):
		s.Done, s.Reason = DoneNothing, err.Error()
	case err != nil:
		s.Done, s.Reason = DoneFailed, err.Error()
	default:
		s.Done = DoneSent
	}
	if o.Told != nil {
		o.Told(*s)
	}
}

// follow waits for what was sent to be finished, and says how it ended.
func (p *Plan) follow(ctx context.Context, patience time.Duration) error {
	if patience <= 0 {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range p.Steps {
		step := &p.Steps[i]
		if step.Done != DoneSent || step.closes == 0 {
			continue
		}
		step.Reason = "not finished yet"
		for wait.Err() == nil {
			if event, err := p.closed(wait, step); err == nil && event != "" {
				step.Reason = "the request is " + event
				break
			}
			pause(wait)
		}
	}
	return ctx.Err()
}

// closed is the word of the event that closed what the step sent, "" if none has.
func (p *Plan) closed(ctx context.Context, s *Step) (string, error) {
	closing, err := episode.ClosingOf(ctx, p.source, s.key())
	if err != nil || !closing.Covers(s.closes) {
		return "", err
	}
	return closing.Word(), nil
}

// pause is the time between two looks at how something stands.
func pause(ctx context.Context) {
	const look = 50 * time.Millisecond
	timer := time.NewTimer(look)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// pacer spaces steps evenly.
type pacer struct {
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

func newPacer(rate float64) *pacer {
	if rate <= 0 {
		rate = DefaultRate
	}
	return &pacer{every: time.Duration(float64(time.Second) / rate)}
}

// wait returns when the next step may begin, or ctx's error.
func (p *pacer) wait(ctx context.Context) error {
	timer := time.NewTimer(p.turn(time.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("replay is stopped: %w", ctx.Err())
	case <-timer.C:
		return ctx.Err()
	}
}

// turn takes the next moment that is free and says how far off it is.
func (p *pacer) turn(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	rest := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	return rest
}

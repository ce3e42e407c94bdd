// Package headrace is the way to a program of your own: Headrace with handlers
// in Go for what settings can't say. Main is the whole program, with all of
// its commands; Handle gives it the handler of one product and type:
//
//	func main() {
//		headrace.Main(headrace.Handle("PRD-000-000-000", fulfillment.Purchase, handler{}))
//	}
//
// A Handler gets the request as processor.Work and answers with a
// processor.Verdict. All before and after it is done for it: polling, order
// within a subscription, retries, what is stored, and the calls to Connect.
package headrace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/services/headrace/app"
	"github.com/headrace/headrace/services/headrace/cli"
)

// Handler carries the requests of one product and type out: the one method
// Decide(ctx, *processor.Work) (processor.Verdict, error).
//
// Decide may be called again for the same request at any time: after an error,
// after a process died, after the request was answered by the customer. So
// whatever it does must be safe to do twice. A call to the vendor is, if the
// vendor honours w.IdempotencyKey or the call sets a state; around one that is
// not, use w.OpenCall, w.BeginCall and w.CallNotDone. Decide is never called
// for two requests of one subscription at once, but for different ones it is:
// it must be safe for concurrent use.
//
// A Verdict is final, but for processor.Wait, after which Decide is called
// again. An error means "not decided": one marked by processor.Transient, as
// for an outage, brings the request back for as long as it takes; any other,
// and a panic, eight times, and then it is a dead letter. Nothing is approved
// but by processor.Approve.
//
// In a dry run Decide is not called.
type Handler = processor.Decider

// HandlerFunc is a Handler that is one function.
type HandlerFunc = processor.DeciderFunc

// Option changes the program.
type Option func(*program)

type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	handlers       []app.Handler
	faults         []error
}

// Handle makes h carry out the requests of one type of one product, in the
// place of what Headrace would do. What the product's settings leave to a
// person, or find wrong, does not come to h. Main refuses an unknown type, and
// two handlers of the same product and type.
func Handle(product string, t fulfillment.Type, h Handler) Option {
	return func(p *program) {
		switch {
		case product == "" || h == nil:
			p.faults = append(p.faults, fmt.Errorf("handle %s %s: name a product and give a handler", product, t))
		case !t.Known():
			p.faults = append(p.faults, fmt.Errorf("handle %s: no request is of type %q; the types are %v", product, t, fulfillment.Types()))
		}
		for _, other := range p.handlers {
			if other.Product == product && other.Type == t {
				p.faults = append(p.faults, fmt.Errorf("handle %s %s: it has two handlers", product, t))
			}
		}
		p.handlers = append(p.handlers, app.Handler{Product: product, Type: t, Decider: h})
	}
}

// Streams replaces the process's standard input, output and error.
func Streams(stdin io.Reader, stdout, stderr io.Writer) Option {
	return func(p *program) { p.stdin, p.stdout, p.stderr = stdin, stdout, stderr }
}

// Main is headrace as a process: it reads the arguments and the environment,
// stops in order at the first SIGTERM or Ctrl-C and at once at the second, and
// exits. It does not return.
func Main(opts ...Option) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-signals
		stop()
		// Whoever asks twice doesn't want to wait for what is in flight.
		<-signals
		fmt.Fprintln(os.Stderr, "headrace: stopped at once by a second signal; what was in flight is taken up again at the next start")
		os.Exit(1)
	}()
	os.Exit(Run(ctx, os.Args[1:], opts...))
}

// Run is Main within a process that goes on, such as a test: it runs headrace
// with the arguments after its name until ctx ends, and returns the exit
// status: 0 done, 1 failed, 2 wrong usage, settings or handlers, 3 broker not
// reached.
func Run(ctx context.Context, args []string, opts ...Option) int {
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	for _, opt := range opts {
		opt(p)
	}
	if err := errors.Join(p.faults...); err != nil {
		_, _ = fmt.Fprintln(p.stderr, "headrace:", err) // the exit status says it, too
		return 2
	}
	return cli.Main(ctx, args, p.stdin, p.stdout, p.stderr, p.handlers...)
}

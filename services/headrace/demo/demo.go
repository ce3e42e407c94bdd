// Package demo shows Headrace at work with nothing around it: a broker, a
// simulated Connect, a simulated vendor and all services in one process, on
// free ports of the loopback interface and in a temporary directory. What came
// of the requests is read from the simulators, never from the pipeline.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/services/headrace/app"
)

// ErrOutcome says that a request did not reach the outcome that it should. The
// table, printed before, shows which type.
var ErrOutcome = errors.New("not every request reached the outcome that it should")

// Options of a demo.
type Options struct {
	// Requests is how many there are at the start. From twenty on some of them do not
	// take the ordinary course: see outcomes.
	Requests int
	// Exit ends the demo once they are finished. Without it new ones keep
	// coming until the context ends.
	Exit bool
	// Timeout is how long Exit waits for them.
	Timeout time.Duration
	// Out takes the progress and the table. Live is whether it is a terminal.
	Out  io.Writer
	Live bool
}

// refresh is how often the progress is shown on a terminal, and looked at.
const refresh = 100 * time.Millisecond

// Run runs the demo and prints the table of outcomes last. It fails with
// ErrOutcome if a request went wrong or did not finish in time; without Exit
// that is no failure, as it is a person who ends it.
func Run(ctx context.Context, o Options) (err error) {
	dir, err := os.MkdirTemp("", "headrace-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	log, closeLog, err := logFile(dir)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, closeLog(), tidy(dir, err))
	}()
	w, err := newWorld(ctx, dir, o.Requests)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.run(ctx, log, o); err != nil {
		return err
	}
	summary := w.summary()
	if err := summary.print(o.Out, time.Since(w.began)); err != nil {
		return err
	}
	if o.Exit && !summary.good() {
		return ErrOutcome
	}
	return nil
}

// run has the services run until the demo is over, and then stop.
func (w *world) run(ctx context.Context, log *logrus.Entry, o Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	metrics := telemetry.New()
	ready := make(chan app.Ready, 1)
	services := app.New(w.cfg, log, metrics, telemetry.NewHealth(), app.OnReady(func(r app.Ready) { ready <- r }))

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return services.Run(gctx, nil) })
	g.Go(func() error {
		defer stop()
		select {
		case r := <-ready:
			return w.watch(gctx, o, newView(o, w, metrics, r))
		case <-gctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// logFile keeps the log out of the progress's way.
func logFile(dir string) (*logrus.Entry, func() error, error) {
	f, err := os.Create(dir + "/headrace.log")
	if err != nil {
		return nil, nil, fmt.Errorf("make the demo's log: %w", err)
	}
	l := logrus.New()
	l.SetOutput(f)
	l.SetFormatter(&logrus.JSONFormatter{})
	return logrus.NewEntry(l), f.Close, nil
}

// tidy removes the demo's directory, unless it is needed to see what went
// wrong; nothing did when a person ended the demo.
func tidy(dir string, failed error) error {
	if failed != nil && !errors.Is(failed, context.Canceled) {
		return fmt.Errorf("the log is at %s/headrace.log", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the demo's directory: %w", err)
	}
	return nil
}

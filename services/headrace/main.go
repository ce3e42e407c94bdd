// Command headrace runs the services, one or all of them, and holds the
// operator's commands. Everything but the process itself is in package cli.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/headrace/headrace/services/headrace/cli"
)

func main() {
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
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

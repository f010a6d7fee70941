// Load puts messages on the queue of a deployed stack.
//
//	go run ./scripts/load start                        the test load, every minute, until it is stopped
//	go run ./scripts/load stop
//	go run ./scripts/load once -messages 500           one execution of the produce machine, followed to its end
//	go run ./scripts/load trace -trace FILE -rate 100  a real arrival trace, sent as its messages come
//
// It talks to AWS as the environment says, with -local to the engine that runs in this checkout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

const usage = `Usage: go run ./scripts/load start|stop|once|trace [flags]

  start   switch the test load on: the produce machine runs every minute
  stop    switch it off
  once    start the produce machine once and follow it
  trace   send the arrivals of a trace as they come

Every command takes -stack NAME and -local (the engine that run-local started here, instead of AWS).
"load COMMAND -help" lists its other flags.
`

func main() {
	if len(os.Args) < 2 || slices.Contains([]string{"-h", "-help", "--help", "help"}, os.Args[1]) {
		fmt.Print(usage)
		return
	}
	commands := map[string]func(context.Context, []string) error{
		"start": start, "stop": stop, "once": once, "trace": play,
	}
	command, known := commands[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "load: unknown command %q\n\n%s", os.Args[1], usage)
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[2:])
	cancel()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// Simulate shows what a queue will do before it does it: what policies would make of a load, how many messages would
// start within the delay, and what the tasks would cost.
//
//	go run ./scripts/simulate                                     an hour of the blueprint's load, policies compared
//	go run ./scripts/simulate -load nab_nyc_taxi_14d_30min -busy 8 -html report.html
//	go run ./scripts/simulate -load arrivals.csv -sweep headroom=1:6:1,utilization=0.6:0.95:0.05
//	go run ./scripts/simulate -from-stack my-stack                what your own queue would have done
//	go run ./scripts/simulate -suite                              the comparison of docs/tuning.md
//	go run ./scripts/simulate -band docs/band.md                  the figures and pictures of docs/band.md
//	go run ./scripts/simulate -assumptions                        what is taken for granted, and how well it is known
//
// Nothing is changed anywhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"sqs-dynamic-target-tracking/internal/terminal"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	}
	o.command = strings.Join(append([]string{"go run ./scripts/simulate"}, os.Args[1:]...), " ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, os.Stdout, terminal.New(os.Stderr), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

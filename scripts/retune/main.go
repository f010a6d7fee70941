// Retune starts a retune by hand, follows its steps while they happen, and prints what it measured, decided and why. It
// also holds targets, releases them, and shows the retunes of the past.
//
//	go run ./scripts/retune -dry-run -reason "new model is slower"
//	go run ./scripts/retune -window 30m -minimum-samples 10
//	go run ./scripts/retune -delay 30s -hold-until 8h
//	go run ./scripts/retune -history
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
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"sqs-dynamic-target-tracking/internal/awsconfig"
	"sqs-dynamic-target-tracking/internal/byhand"
	"sqs-dynamic-target-tracking/internal/retune"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
)

func main() {
	o, err := parse(os.Args[1:], time.Now())
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "retune:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	work := start
	if o.history {
		work = showHistory
	}
	err = work(ctx, terminal.New(os.Stdout), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "retune:", err)
		os.Exit(1)
	}
}

// start runs a retune and reports it: what it came to as soon as that is known, what became of it at the end.
func start(ctx context.Context, screen *terminal.Screen, o options) error {
	machine := byhand.Machine{Stack: o.stack, Local: o.local, Output: "RetuneStateMachineArn"}
	live := follower{screen: screen}
	output, err := machine.Execute(ctx, screen, o.input, live.step)
	if err != nil {
		return err
	}
	outcome, err := retune.ReadOutcome(output)
	if err != nil {
		return err
	}
	live.end(outcome)
	return nil
}

func showHistory(ctx context.Context, screen *terminal.Screen, o options) error {
	cfg, err := awsconfig.Load(ctx, o.local)
	if err != nil {
		return err
	}
	outputs, err := stack.Describe(ctx, cloudformation.NewFromConfig(cfg), o.stack)
	if err != nil {
		return err
	}
	group, err := outputs.Get("RetuneRunLogGroup")
	if err != nil {
		return err
	}
	runs, err := retune.ReadRuns(ctx, cloudwatchlogs.NewFromConfig(cfg), group, o.last)
	if err != nil {
		return err
	}
	screen.Printf("%s", historyTable(runs))
	return nil
}

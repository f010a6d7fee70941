// Retune starts a retune by hand, follows its steps while they happen, and prints what it measured, decided and why.
//
//	go run ./scripts/retune -dry-run -reason "new model is slower"
//	go run ./scripts/retune -window 30m -minimum-samples 10
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

	"sqs-dynamic-target-tracking/internal/byhand"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// options are the flags. Only those that were given enter the input of the machine, so that its defaults hold.
type options struct {
	stack string
	local bool
	input map[string]any
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "retune:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, terminal.New(os.Stdout), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "retune:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("retune", flag.ContinueOnError)
	o := options{input: map[string]any{"reason": "by hand"}}
	flags.StringVar(&o.stack, "stack", stack.DefaultName, "name of the deployed stack")
	flags.BoolVar(&o.local, "local", false, "talk to the local engine that runs in this checkout")
	flags.BoolFunc("dry-run", "measure and decide, change nothing", func(string) error {
		o.input["dryRun"] = true
		return nil
	})
	flags.Func("reason", "why, for the record (default \"by hand\")", func(reason string) error {
		o.input["reason"] = reason
		return nil
	})
	window := flags.Duration("window", 0, "measure the messages of this time, at most 24h (default: the stack's)")
	samples := flags.Int("minimum-samples", 0, "change nothing with fewer measured messages (default: the stack's)")
	factor := flags.Float64("maximum-factor", 0, "move a target at most by this factor (default: the stack's)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "window":
			o.input["windowMinutes"] = window.Minutes()
		case "minimum-samples":
			o.input["minimumSamples"] = *samples
		case "maximum-factor":
			o.input["maximumFactor"] = *factor
		}
	})
	return o, nil
}

func run(ctx context.Context, screen *terminal.Screen, o options) error {
	machine := byhand.Machine{Stack: o.stack, Local: o.local, Output: "RetuneStateMachineArn"}
	output, err := machine.Execute(ctx, screen, o.input, nil)
	if err != nil {
		return err
	}
	report, err := readReport(output)
	if err != nil {
		return err
	}
	screen.Printf("\n%s", report)
	return nil
}

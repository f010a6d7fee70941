// Verify starts a verification by hand, follows its steps while they happen, and prints what it found:
//
//	go run ./scripts/verify                             what the service runs now; taken back when it is bad
//	go run ./scripts/verify -report-only -soak 15m      look longer, and change nothing
//	go run ./scripts/verify -image sha256:...           this version must be the one that runs
//
// It talks to AWS as the environment says, with -local to the engine that runs in this checkout. The exit status is 0
// only when nothing speaks against the version.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"sqs-dynamic-target-tracking/internal/byhand"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/verify"
)

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

const usage = `Usage: go run ./scripts/verify [flags]

Proves by what comes of it that a version of the worker is good, follows the steps while they happen, and prints what
was found. A new version that is bad is taken back; one that has run for hours is only reported.

  go run ./scripts/verify -report-only -soak 15m      look longer, and change nothing
  go run ./scripts/verify -image sha256:...           this version must be the one that runs

`

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
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, terminal.New(os.Stdout), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	o := options{input: map[string]any{"reason": "by hand"}}
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.stack, "stack", stack.DefaultName, "name of the deployed stack")
	flags.BoolVar(&o.local, "local", false, "talk to the local engine that runs in this checkout")
	text := func(name, field, usage string) {
		flags.Func(name, usage, func(value string) error {
			o.input[field] = value
			return nil
		})
	}
	text("reason", "reason", "why, for the record (default \"by hand\")")
	text("change", "change", "what is deployed, for the record")
	flags.Func("image", "the version that must be running, as sha256:... (default: what the service runs)",
		func(value string) error {
			if !digest.MatchString(value) {
				return errors.New("must be sha256: and 64 hexadecimal digits")
			}
			o.input["imageDigest"] = value
			return nil
		})
	without := func(name, field, usage string) {
		flags.BoolFunc(name, usage, func(string) error {
			o.input[field] = false
			return nil
		})
	}
	without("report-only", "rollBack", "do not take the version back when it is bad")
	without("no-canary", "canary", "send no canary: the worker does not know them")
	duration := func(name, field, usage string, longest time.Duration) {
		flags.Func(name, usage, func(value string) error {
			d, err := time.ParseDuration(value)
			if err == nil && (d <= 0 || d > longest) {
				err = fmt.Errorf("must be more than 0s and at most %v", longest)
			}
			o.input[field] = d.Seconds()
			return err
		})
	}
	duration("rollout", "rolloutSeconds", "longest wait for the rollout, at most 2h (default: the stack's)",
		verify.LongestRollout)
	duration("soak", "soakSeconds", "how long to watch the outcome, at most 2h (default: the stack's)",
		verify.LongestSoak)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	return o, nil
}

func run(ctx context.Context, screen *terminal.Screen, o options) error {
	machine := byhand.Machine{Stack: o.stack, Local: o.local, Output: "VerifyStateMachineArn"}
	var told byhand.Verification
	output, err := machine.Execute(ctx, screen, o.input, told.Line)
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

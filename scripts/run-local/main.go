// Run-local is the whole system on one machine: it installs the pinned tools, starts the local engine, builds and
// deploys the template with the real SAM CLI, and tells a story with real messages and real worker processes.
//
//	go run ./scripts/run-local              the story, a summary, and everything is stopped
//	go run ./scripts/run-local -keep        ... and leave it running, with commands to look around
//	go run ./scripts/run-local -setup-only -keep   just deploy, for work by hand
//	go run ./scripts/run-local -parts burst        one part of the story: scaling, deployments or burst
//
// Time runs -speed times as fast: every configured duration is divided by it, and every view multiplies back.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/trace"

	"sqs-dynamic-target-tracking/internal/checkout"
)

// options are the flags.
type options struct {
	root      string // the checkout
	port      int
	speed     float64
	stack     string
	trace     string
	rate      float64 // messages a minute of the trace
	minTasks  int
	maxTasks  int
	parts     []string // of the story
	keep      bool
	setupOnly bool
	verbose   bool
}

// speeds keep every configured duration that AWS's APIs take in whole seconds whole.
var speeds = []float64{1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30}

func main() {
	var o options
	flag.IntVar(&o.port, "port", 4566, "port of the engine's endpoint on 127.0.0.1; 0 takes a free one")
	flag.Float64Var(&o.speed, "speed", 20, fmt.Sprintf("how many times as fast time runs: one of %v", speeds))
	flag.StringVar(&o.stack, "stack", stack.DefaultName, "name of the stack")
	flag.StringVar(&o.trace, "trace", "azure_llm_conv_1h_10s", "arrival trace to play: an embedded one, or a CSV file")
	flag.Float64Var(&o.rate, "rate", 40, "mean number of the trace's messages a minute")
	flag.IntVar(&o.minTasks, "min", 1, "MinTasks; with 0 the service starts from zero and goes back to it")
	flag.IntVar(&o.maxTasks, "max", 10, "MaxTasks")
	told := flag.String("parts", scalingPart+","+deploymentsPart,
		"what the story tells, separated by commas: "+strings.Join(allParts(), ", "))
	flag.BoolVar(&o.keep, "keep", false, "leave the engine running at the end, and print how to look around")
	flag.BoolVar(&o.setupOnly, "setup-only", false, "deploy and tell no story")
	flag.BoolVar(&o.verbose, "v", false, "show what sam prints")
	flag.Usage = usage
	flag.Parse()
	o.parts = strings.Split(*told, ",")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.complete()
	if err == nil {
		err = run(ctx, terminal.New(os.Stdout), o)
	}
	interrupted := ctx.Err() != nil
	stop()
	if interrupted {
		fmt.Fprintln(os.Stderr, "run-local: interrupted; every process was stopped")
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "run-local:", err)
		os.Exit(1)
	}
}

// A part of the story is told or left out as a whole.
const (
	scalingPart     = "scaling"
	deploymentsPart = "deployments"
	burstPart       = "burst"
)

var parts = []struct {
	name     string
	chapters int
}{{scalingPart, 4}, {deploymentsPart, 1}, {burstPart, 2}}

func allParts() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// tells tells whether a part belongs to the story.
func (o options) tells(part string) bool { return slices.Contains(o.parts, part) }

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Usage: go run ./scripts/run-local [flags]

Builds and deploys the whole system on this machine (real SAM CLI, emulator, real Lambda binaries, real worker
processes), plays the blueprint's load and a real trace through it, retunes, brings a good and four bad versions of the
worker out under load, and sums up. Needs no AWS account and no Docker. Everything is written into .local.

`)
	flag.PrintDefaults()
}

// complete finds the checkout and refuses what cannot work.
func (o *options) complete() error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -help", flag.Arg(0))
	}
	known := false
	for _, speed := range speeds {
		known = known || speed == o.speed
	}
	if !known {
		return fmt.Errorf("-speed %g is not one of %v", o.speed, speeds)
	}
	if o.rate <= 0 || o.minTasks < 0 || o.maxTasks < max(1, o.minTasks) {
		return fmt.Errorf("-rate %g, -min %d, -max %d: a rate is above 0, and 0 <= min <= max",
			o.rate, o.minTasks, o.maxTasks)
	}
	for _, part := range o.parts {
		if !slices.Contains(allParts(), part) {
			return fmt.Errorf("-parts names %q; there are %s", part, strings.Join(allParts(), ", "))
		}
	}
	if _, err := trace.Open(o.trace); err != nil {
		return err // now, not when its chapter comes
	}
	root, err := checkout.Root()
	o.root = root
	return err
}

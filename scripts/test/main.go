// Test runs everything that this repository is checked with, from a clean checkout and with nothing installed by hand:
//
//	go run ./scripts/test                 everything
//	go run ./scripts/test -list           the checks, a line each
//	go run ./scripts/test -only unit,lint some of them
//
// The pinned tools go into .local. What a check prints stands in .local/test/<check>.log and, when it fails, below it.
// A tool that cannot be had is a failure of its check. The exit status is 0 only when every check passed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sqs-dynamic-target-tracking/internal/terminal"

	"sqs-dynamic-target-tracking/internal/checkout"
)

func main() {
	list := flag.Bool("list", false, "list the checks and stop")
	only := flag.String("only", "", "run only these checks, separated by commas")
	flag.Usage = usage
	flag.Parse()

	selected, err := choose(*only)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: name checks with -only", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(2)
	}
	if *list {
		for _, c := range selected {
			fmt.Printf("%-12s %s\n", c.name, c.about)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, terminal.New(os.Stdout), selected)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Usage: go run ./scripts/test [-list] [-only check,check]

Runs every check of this repository; installs what they need into .local.

`)
	flag.PrintDefaults()
}

// choose returns the checks with these names, in the order in which they run; all when there are none.
func choose(names string) ([]check, error) {
	if names == "" {
		return checks, nil
	}
	wanted := strings.Split(names, ",")
	var known []string
	for _, c := range checks {
		known = append(known, c.name)
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no check is named %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c check) bool { return !slices.Contains(wanted, c.name) }), nil
}

// run makes every check, also after one that failed, and reports the failures at the end once more.
func run(ctx context.Context, screen *terminal.Screen, selected []check) error {
	root, err := checkout.Root()
	if err != nil {
		return err
	}
	logs := filepath.Join(root, ".local", "test")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	var failed []string
	notRun := 0
	for _, c := range selected {
		log, err := os.Create(filepath.Join(logs, c.name+".log"))
		if err != nil {
			return err
		}
		on := bench{root: root, log: log}
		err = screen.Step(c.name, func(tell func(string)) error {
			tell(c.about)
			on.tell = tell
			err := c.run(ctx, &on)
			if reason := (errNotRun{}); errors.As(err, &reason) {
				notRun++
				tell(reason.Error())
				return nil
			}
			return err
		})
		log.Close()
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			failed = append(failed, c.name)
			screen.Printf("%s\n  %v; the whole output is in %s", tail(log.Name(), 60), err, log.Name())
		}
	}
	screen.Printf("\n%d passed, %d failed, %d skipped", len(selected)-len(failed)-notRun, len(failed), notRun)
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// tail is the end of a log, indented.
func tail(path string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return "    " + strings.Join(all[max(0, len(all)-lines):], "\n    ")
}

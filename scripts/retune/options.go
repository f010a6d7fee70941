package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/retune"
	"sqs-dynamic-target-tracking/internal/stack"
)

// options are the flags. Only those that were given enter the input of the machine, so that its defaults hold.
type options struct {
	stack   string
	local   bool
	history bool
	last    int
	input   map[string]any
}

const usage = `Starts a retune by hand, follows its steps, and prints what it measured, decided and why.

  go run ./scripts/retune -dry-run                        what would it do? Changes nothing.
  go run ./scripts/retune -window 30m -reason "new model" measure the last half hour only
  go run ./scripts/retune -delay 30s -hold-until 8h       keep another delay for tonight
  go run ./scripts/retune -target backlog=20,rate=9       set targets by hand, until -release
  go run ./scripts/retune -hold-until 2026-12-24T08:00:00Z  keep what is in force
  go run ./scripts/retune -release                        follow the measurements again
  go run ./scripts/retune -history                        what were the last ones?

`

// parse reads the flags. What the machine would refuse is refused here, by the name of the flag.
func parse(args []string, now time.Time) (options, error) {
	flags := flag.NewFlagSet("retune", flag.ContinueOnError)
	o := options{input: map[string]any{"reason": "by hand"}}
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.stack, "stack", stack.DefaultName, "name of the deployed stack")
	flags.BoolVar(&o.local, "local", false, "talk to the local engine that runs in this checkout")
	flags.BoolVar(&o.history, "history", false, "print the last retunes as a table, and start none")
	flags.IntVar(&o.last, "last", 20, "how many retunes -history prints, at most 1000")
	flags.BoolFunc("dry-run", "measure and decide, change nothing", o.set("dryRun", true))
	flags.BoolFunc("release", "end a hold, and follow the measurements again", o.set("release", true))
	flags.Func("reason", "why, for the record (default \"by hand\")", o.text("reason"))
	flags.Func("on-busy", "skip or wait, when another retune is at work (default wait)",
		o.oneOf("onBusy", retune.BusySkip, retune.BusyWait))
	flags.Func("choice", "who chooses headroom, utilisation and bounds: formula or replay (default: the stack's)",
		o.oneOf("choice", retune.ByFormula, retune.ByReplay))
	flags.Func("window", "measure the messages of this time, at most 24h (default: the stack's)",
		o.duration("windowMinutes", time.Minute, retune.LeastWindow, retune.LongestWindow))
	flags.Func(
		"watch",
		"watch a change for this time and take it back if it made things worse, at most 24h; 0s watches "+
			"nothing (default: the stack's)",
		o.duration("watchMinutes", time.Minute, 0, retune.LongestWatch),
	)
	flags.Func("minimum-samples", "change nothing with fewer measured messages (default: the stack's)",
		o.whole("minimumSamples", 1, backlog.MostSamples))
	flags.Func("maximum-factor", "move a target at most by this factor (default: the stack's)",
		o.number("maximumFactor", backlog.LeastFactor, backlog.MostFactor))
	flags.Func("delay", "make the targets for this acceptable delay instead of the stack's, and hold them",
		o.duration("delaySeconds", time.Second, time.Millisecond, backlog.LongestDelay))
	flags.Func("target", "set targets by hand, and hold them: backlog=20,rate=9 or one of both", o.targets)
	flags.Func("hold-until", "hold the targets until this time (2026-12-24T08:00:00Z), for this long (8h), or until "+
		"\"released\" (default, with -delay or -target: until released)", o.hold(now))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	return o, o.check()
}

// check refuses what does not go together.
func (o options) check() error {
	has := func(field string) bool { _, given := o.input[field]; return given }
	target := has("backlogTarget") || has("rateTarget")
	switch {
	case has("delaySeconds") && target:
		return errors.New("-delay and -target exclude each other: targets follow from a delay, or are given themselves")
	case has("release") && (has("delaySeconds") || target || has("holdUntil")):
		return errors.New("-release excludes -delay, -target and -hold-until: either release the targets or set them")
	case o.history && len(o.input) > 1:
		return errors.New("-history starts no retune: give no other flag but -last, -stack and -local")
	case o.last < 1 || o.last > 1000:
		return fmt.Errorf("-last %d: allowed are 1 to 1000", o.last)
	}
	return nil
}

func (o options) set(field string, value any) func(string) error {
	return func(string) error { o.input[field] = value; return nil }
}

func (o options) text(field string) func(string) error {
	return func(text string) error {
		if text == "" || len(text) > 200 {
			return errors.New("allowed are 1 to 200 characters")
		}
		o.input[field] = text
		return nil
	}
}

func (o options) oneOf(field string, allowed ...string) func(string) error {
	return func(text string) error {
		for _, a := range allowed {
			if a == text {
				o.input[field] = text
				return nil
			}
		}
		return fmt.Errorf("allowed are %s", strings.Join(allowed, " and "))
	}
}

// duration puts a duration into a field as a number of units.
func (o options) duration(field string, unit, least, most time.Duration) func(string) error {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("give a number with a unit, like 90s, 30m or 8h")
		}
		if d < least || d > most {
			return fmt.Errorf("allowed are %v to %v", least, most)
		}
		o.input[field] = float64(d) / float64(unit)
		return nil
	}
}

func (o options) number(field string, least, most float64) func(string) error {
	return func(text string) error {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || !(value >= least && value <= most) {
			return fmt.Errorf("allowed are %g to %g", least, most)
		}
		o.input[field] = value
		return nil
	}
}

func (o options) whole(field string, least, most int) func(string) error {
	return func(text string) error {
		value, err := strconv.Atoi(text)
		if err != nil || value < least || value > most {
			return fmt.Errorf("allowed are the whole numbers %d to %d", least, most)
		}
		o.input[field] = value
		return nil
	}
}

func (o options) targets(text string) error {
	fields := map[string]string{"backlog": "backlogTarget", "rate": "rateTarget"}
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		field, known := fields[strings.TrimSpace(name)]
		value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if !known || err != nil || !(value > 0 && value <= 1e9) {
			return fmt.Errorf("%q is not backlog=<messages per task> or rate=<messages sent per period and task>", part)
		}
		o.input[field] = value
	}
	return nil
}

func (o options) hold(now time.Time) func(string) error {
	return func(text string) error {
		if text == retune.UntilReleased {
			o.input["holdUntil"] = text
			return nil
		}
		until, err := time.Parse(time.RFC3339, text)
		if length, other := time.ParseDuration(text); err != nil && other == nil {
			until, err = now.Add(length).Truncate(time.Second), nil
		}
		if err != nil || !until.After(now) {
			return fmt.Errorf("give a time to come like %s, a duration like 8h, or %q",
				now.Add(8*time.Hour).UTC().Truncate(time.Minute).Format(time.RFC3339), retune.UntilReleased)
		}
		o.input["holdUntil"] = until.UTC().Format(time.RFC3339)
		return nil
	}
}

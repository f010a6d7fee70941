package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/retune"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// follower tells a person each step of a retune with what came of it, and reports before the long watch begins.
type follower struct {
	screen   *terminal.Screen
	known    retune.Outcome // as far as the steps have told
	reported bool
}

// step is the line of a step; Choices and the like have none. It is called in the order of the steps.
func (f *follower) step(step execution.Step) string {
	switch step.Name {
	case "Take Turn", "Measure Duration", "Decide Targets", "Apply Targets", "Schedule Another", "Compare With Before",
		"Restore Targets", "Publish", "Publish Restore":
	case "Watch Change?":
		if f.known.Applied != nil && !f.known.Applied.Moved && f.known.Decided.Outcome == "change" &&
			f.known.Measured.WatchMinutes > 0 {
			f.report()
			f.screen.Printf("The change is watched for %g minutes, and taken back if it made things worse.\n"+
				"Ctrl-C leaves that to the machine.\n", f.known.Measured.WatchMinutes)
		}
		return ""
	default:
		return ""
	}
	return strings.TrimRight(
		fmt.Sprintf("%-20s %7s  %s", step.Name, terminal.Seconds(step.Duration), f.learn(step)),
		" ",
	)
}

// learn keeps what a step answered, and returns its summary.
func (f *follower) learn(step execution.Step) string {
	var said struct {
		Summary     string
		Measurement *retune.Measurement
	}
	if json.Unmarshal(step.Output, &said) != nil {
		return ""
	}
	switch step.Name {
	case "Measure Duration":
		if said.Measurement != nil {
			f.known.Measured = *said.Measurement
			return said.Measurement.Summary
		}
	case "Decide Targets":
		f.known.Decided = as[retune.Decision](step.Output)
		if f.known.Decided != nil {
			return f.known.Decided.Outcome
		}
	case "Apply Targets":
		f.known.Applied = as[retune.Applied](step.Output)
		f.known.Outcome = "applied"
		if f.known.Decided != nil {
			f.known.Summary = f.known.Decided.Summary
		}
	}
	return said.Summary
}

func as[T any](document json.RawMessage) *T {
	var value T
	if json.Unmarshal(document, &value) != nil {
		return nil
	}
	return &value
}

// end reports an execution that is over.
func (f *follower) end(outcome retune.Outcome) {
	f.known = outcome
	switch {
	case outcome.GaveWay != nil:
		f.screen.Printf("\n%s: %s\n", outcome.Outcome, outcome.Summary)
	case !f.reported:
		f.report()
	case outcome.Compared != nil:
		f.screen.Printf("\n%s", watched(outcome))
	}
}

func (f *follower) report() {
	f.reported = true
	f.screen.Printf("\n%s", report(f.known))
}

// watched says what became of a change that was watched.
func watched(outcome retune.Outcome) string {
	text := fmt.Sprintf("%s\n%s\n", outcome.Outcome, outcome.Compared.Summary)
	if outcome.Compared.Before != nil && outcome.Compared.After != nil {
		text += fmt.Sprintf("before  %v\nsince   %v\n", *outcome.Compared.Before, *outcome.Compared.After)
	}
	if outcome.Restored != nil {
		text += outcome.Restored.Summary + "\n"
	}
	return text
}

// report is what a person wants to know of a retune: what was measured, what changed, why.
func report(outcome retune.Outcome) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%s\n\n", outcome.Outcome, outcome.Summary)
	tabs := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	measured := outcome.Measured
	row := func(cells ...string) { fmt.Fprintln(tabs, strings.Join(cells, "\t")) }
	row(
		"window",
		fmt.Sprintf("%s to %s", measured.Window.From.Format(time.RFC3339), measured.Window.To.Format(time.RFC3339)),
	)
	if measured.Window.Begins != "" {
		row("begins there", measured.Window.Begins)
	}
	row("messages measured", fmt.Sprint(measured.Samples))
	row("processing duration", fmt.Sprintf("%.4g s", measured.ProcessingSeconds)+spread(measured.ProcessingQuantiles))
	row("wait", number("%.4g s", measured.WaitSeconds)+also(", 95 %% at most %.4g s", measured.WaitP95Seconds))
	row("promise kept", number("%.4g %%", measured.PromiseKeptPercent))
	row("arrivals", number("%.4g a minute", measured.ArrivalsPerMinute)+
		also(", 95 %% of the minutes at most %.4g", measured.ArrivalsP95PerMinute))
	row("tasks", number("%.3g", measured.Tasks))
	if decided := outcome.Decided; decided != nil {
		row()
		row("target", "before", "wanted", "after")
		now := after(outcome)
		row("backlog per task", cell(decided.Current.Backlog), cell(decided.Wanted.Backlog), cell(now.Backlog))
		row("sent per task", cell(decided.Current.Rate), cell(decided.Wanted.Rate), cell(now.Rate))
	}
	tabs.Flush()
	if outcome.Decided != nil {
		for _, why := range outcome.Decided.Why {
			fmt.Fprintf(&text, "- %s\n", why)
		}
	}
	if outcome.Applied != nil {
		for _, note := range outcome.Applied.Notes {
			fmt.Fprintf(&text, "- %s\n", note)
		}
	}
	if outcome.ComesAgain != nil {
		fmt.Fprintf(&text, "- %s\n", outcome.ComesAgain.Summary)
	}
	if outcome.Compared != nil {
		fmt.Fprintf(&text, "\n%s", watched(outcome))
	}
	return text.String()
}

// after are the targets that hold now: as applied, or as they were.
func after(outcome retune.Outcome) retune.Targets {
	switch {
	case outcome.Restored != nil:
		return outcome.Restored.After.Targets
	case outcome.Applied != nil:
		return outcome.Applied.After.Targets
	}
	return outcome.Decided.Current
}

func spread(quantiles map[string]float64) string {
	p50, p95 := quantiles["p50"], quantiles["p95"]
	if p50 == 0 || p95 == 0 {
		return ""
	}
	return fmt.Sprintf(" on average, half at most %.4g s, 95 %% at most %.4g s", p50, p95)
}

func cell(target float64) string { return fmt.Sprintf("%.3f", target) }

func also(format string, value *float64) string {
	if value == nil {
		return ""
	}
	return fmt.Sprintf(format, *value)
}

func number(format string, value *float64) string {
	if value == nil {
		return "no data"
	}
	return fmt.Sprintf(format, *value)
}

// historyTable shows runs, the newest last, with why below each one that changed something.
func historyTable(runs []retune.Run) string {
	if len(runs) == 0 {
		return "no retune is recorded yet\n"
	}
	var text strings.Builder
	tabs := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tabs, "at\treason\toutcome\tby\tmessages\tduration\tp95\tkept\tbacklog per task\tsent per task\ttasks")
	for _, r := range runs {
		fmt.Fprintf(
			tabs,
			"%s\t%s\t%s\t%s\t%d\t%.4g s\t%s\t%s\t%s\t%s\t%s\n",
			r.At.UTC().
				Format("2006-01-02 15:04:05"),
			short(r.Reason),
			short(r.Outcome),
			r.By,
			r.Samples,
			r.ProcessingSeconds,
			seconds(r.P95Seconds),
			number("%.4g %%", r.PromisePercent),
			move("%.4g", r.Before.Backlog, r.After.Backlog),
			move("%.4g", r.Before.Rate, r.After.Rate),
			bounds(r),
		)
	}
	tabs.Flush()
	if last := runs[len(runs)-1]; len(last.Why) > 0 {
		fmt.Fprintf(&text, "\nthe last one, %s:\n", last.Execution)
		for _, why := range last.Why {
			fmt.Fprintf(&text, "- %s\n", why)
		}
	}
	return text.String()
}

// short keeps a cell from widening the table.
func short(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:39]) + "…"
	}
	return text
}

func seconds(value float64) string {
	if value == 0 {
		return "no data"
	}
	return fmt.Sprintf("%.4g s", value)
}

func move(format string, before, after float64) string {
	if before == after {
		return fmt.Sprintf(format, after)
	}
	return fmt.Sprintf(format+" → "+format, before, after)
}

func bounds(r retune.Run) string {
	b, a := r.Before.Bounds, r.After.Bounds
	switch {
	case a == nil && b == nil:
		return ""
	case a == nil || b == nil || *a == *b:
		if a == nil {
			a = b
		}
		return fmt.Sprintf("%d–%d", a.MinTasks, a.MaxTasks)
	}
	return fmt.Sprintf("%d–%d → %d–%d", b.MinTasks, b.MaxTasks, a.MinTasks, a.MaxTasks)
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sqs-dynamic-target-tracking/internal/retune"
)

// readReport turns the output of an execution into what a person wants to know: what was measured, what changed, why.
func readReport(output json.RawMessage) (string, error) {
	outcome, err := retune.ReadOutcome(output)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%s\n\n", outcome.Outcome, outcome.Summary)
	tabs := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	measured := outcome.Measured
	row := func(cells ...string) { fmt.Fprintln(tabs, strings.Join(cells, "\t")) }
	row("window", measured.Window.From.Format(time.RFC3339)+" to "+measured.Window.To.Format(time.RFC3339))
	row("messages measured", fmt.Sprint(measured.Samples))
	row("processing duration", fmt.Sprintf("%.4g s", measured.ProcessingSeconds))
	row("wait", number("%.4g s", measured.WaitSeconds))
	row("promise kept", number("%.4g %%", measured.PromiseKeptPercent))
	row("arrivals", number("%.4g a minute", measured.ArrivalsPerMinute))
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
	return text.String(), nil
}

// after are the targets that hold now: as applied, or as they were.
func after(outcome retune.Outcome) retune.Targets {
	if outcome.Applied != nil {
		return outcome.Applied.After
	}
	return outcome.Decided.Current
}

func cell(target float64) string { return fmt.Sprintf("%.3f", target) }

func number(format string, value *float64) string {
	if value == nil {
		return "no data"
	}
	return fmt.Sprintf(format, *value)
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"sqs-dynamic-target-tracking/internal/verify"
)

// readReport turns the output of an execution into what a person wants to know.
func readReport(output json.RawMessage) (string, error) {
	var report verify.Report
	if err := json.Unmarshal(output, &report); err != nil {
		return "", fmt.Errorf("the execution's output is no report: %w", err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", report.Summary)
	tabs := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(tabs, strings.Join(cells, "\t")) }
	row("version", report.Version.TaskDefinition, report.Version.ImageDigest)
	if report.Before != nil {
		row("before it", report.Before.TaskDefinition, report.Before.ImageDigest)
	}
	row("canary", string(report.Canary))
	if m := report.Measured; m != nil {
		row()
		row("", "before", "after")
		row("messages processed", fmt.Sprintf("%.0f", m.Before.Processed), fmt.Sprintf("%.0f", m.After.Processed))
		row("attempts failed", fmt.Sprintf("%.0f", m.Before.Failed), fmt.Sprintf("%.0f", m.After.Failed))
		row("duration p95", number("%.3g s", m.Before.P95Duration), number("%.3g s", m.After.P95Duration))
		row("wait p95", number("%.3g s", m.Before.P95Wait), number("%.3g s", m.After.P95Wait))
		row("promise kept", number("%.1f %%", m.Before.PromiseKept), number("%.1f %%", m.After.PromiseKept))
	}
	tabs.Flush()
	for _, note := range report.Notes {
		fmt.Fprintf(&text, "- %s\n", note)
	}
	return text.String(), nil
}

func number(format string, value *float64) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprintf(format, *value)
}

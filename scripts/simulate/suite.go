package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
	"sqs-dynamic-target-tracking/internal/simulation/report"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// suiteLoad is a load of the comparison in docs/tuning.md.
type suiteLoad struct {
	title, what string
	spec        loadSpec
	mostTasks   int
}

func suiteLoads() []suiteLoad {
	return []suiteLoad{
		{"smooth", "taxi rides in New York, 14 days, a daily cycle",
			loadSpec{name: "nab_nyc_taxi_14d_30min", busy: 8, durations: "fixed:5"}, 100},
		{"noisy", "requests of a load balancer, 14 days, bursts of ten times the mean",
			loadSpec{name: "nab_elb_request_count_14d_5min", busy: 8, durations: "fixed:5"}, 100},
		{"bursty", "requests to a code model, an hour repeated for a day, on and off within a minute",
			loadSpec{name: "azure_llm_code_1h_10s", busy: 8, durations: "fixed:5", length: 24 * time.Hour}, 100},
		{"drift", "a steady day in which jobs become three times as long between hour 8 and hour 16",
			loadSpec{name: "poisson", busy: 8, durations: "fixed:5", drift: "8h=1,16h=3"}, 100},
		{"blueprint", "the blueprint's own load, 50 messages at once each minute, at most 10 tasks",
			loadSpec{name: "blueprint", rate: 50, durations: "fixed:5"}, 10},
		{"long jobs", "jobs of 300 s, arriving at random for a week",
			loadSpec{name: "poisson", busy: 8, durations: "fixed:300", length: 7 * 24 * time.Hour}, 100},
	}
}

// runSuite prints one table a pace of scale-in: policies against loads, share kept and cost.
func runSuite(ctx context.Context, out io.Writer, screen *terminal.Screen, o options) error {
	policies, err := o.chosenPolicies()
	if err != nil {
		return err
	}
	paces, err := o.paces()
	if err != nil {
		return err
	}
	loads := suiteLoads()
	comparisons := make([]*compare.Comparison, len(loads))
	for i, l := range loads {
		s, err := l.scenario(o)
		if err != nil {
			return fmt.Errorf("%s: %w", l.title, err)
		}
		what := fmt.Sprintf("%s (%d of %d)", l.title, i+1, len(loads))
		comparisons[i], err = compare.Run(ctx, s, o.goal/100, compare.Jobs(policies, paces), progress(screen, what))
		screen.Clear()
		if err != nil {
			return fmt.Errorf("%s: %w", l.title, err)
		}
	}
	fmt.Fprintf(
		out,
		"%% of the messages started within %v / task-hours over those of the clairvoyant plan\n",
		o.delay,
	)
	for _, pace := range paces {
		fmt.Fprintf(out, "\nScale-in %s:\n\n", pace)
		printSuite(out, loads, comparisons, policies, pace)
	}
	fmt.Fprintln(out)
	for _, l := range loads {
		fmt.Fprintf(out, "- **%s**: %s\n", l.title, l.what)
	}
	return nil
}

func (l suiteLoad) scenario(o options) (simulation.Scenario, error) {
	load, err := l.spec.build(o.seed)
	if err != nil {
		return simulation.Scenario{}, err
	}
	o.bounds.Max = l.mostTasks
	o.processing = firstDurations(load)
	return o.scenario(load), nil
}

// printSuite writes a Markdown table, and in bold what no other policy beats at both.
func printSuite(
	out io.Writer,
	loads []suiteLoad,
	comparisons []*compare.Comparison,
	policies []simulation.Policy,
	pace tracking.Pace,
) {
	fmt.Fprint(out, "| policy |")
	for _, l := range loads {
		fmt.Fprintf(out, " %s |", l.title)
	}
	fmt.Fprint(out, "\n|---|")
	for range loads {
		fmt.Fprint(out, "--:|")
	}
	fmt.Fprintln(out)
	for _, p := range policies {
		fmt.Fprintf(out, "| %s |", p.Name())
		for _, c := range comparisons {
			fmt.Fprintf(out, " %s |", cell(c, p.Name(), pace))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "| (best fixed count) |")
	for _, c := range comparisons {
		r := c.Reference
		hours := float64(r.FixedTasks) * c.Scenario.Load.Length.Hours()
		fmt.Fprintf(out, " %s (%d) |", report.Cell(100*r.FixedKept, hours/r.Plan.Billed.Hours()), r.FixedTasks)
	}
	fmt.Fprintln(out)
}

func cell(c *compare.Comparison, policy string, pace tracking.Pace) string {
	rows := ofPace(report.Rows(c), pace)
	front := compare.Front(rows)
	for i, row := range rows {
		if row.Policy != policy {
			continue
		}
		text := report.Cell(row.Kept, row.Ratio)
		if front[i] {
			return "**" + text + "**"
		}
		return text
	}
	return "-"
}

// ofPace are the rows of one pace, and those for which it makes no difference.
func ofPace(rows []compare.Row, pace tracking.Pace) []compare.Row {
	var chosen []compare.Row
	for _, row := range rows {
		if row.Pace == "" || row.Pace == string(pace) {
			chosen = append(chosen, row)
		}
	}
	return chosen
}

// Package report shows comparisons and sweeps to people and to other tools: a table, CSV, JSON, pictures, and one HTML
// file with all of it.
package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation/compare"
)

// column is one column of the table.
type column struct {
	name  string
	value func(compare.Row) string
}

func columns(paces bool) []column {
	all := []column{
		{"policy", func(r compare.Row) string { return r.Policy }},
		{"kept %", func(r compare.Row) string { return kept(r.Kept) }},
		{"p50", func(r compare.Row) string { return wait(r.WaitP50) }},
		{"p95", func(r compare.Row) string { return wait(r.WaitP95) }},
		{"p99", func(r compare.Row) string { return wait(r.WaitP99) }},
		{"max", func(r compare.Row) string { return wait(r.WaitMax) }},
		{"task-hours", func(r compare.Row) string { return fmt.Sprintf("%.1f", r.TaskHours) }},
		{"USD/month", func(r compare.Row) string { return fmt.Sprintf("%.2f", r.MonthUSD) }},
		{"ratio", func(r compare.Row) string { return fmt.Sprintf("%.2f", r.Ratio) }},
		{"actions", func(r compare.Row) string { return strconv.Itoa(r.Actions) }},
		{"turns", func(r compare.Row) string { return strconv.Itoa(r.Turns) }},
		{"doubled", func(r compare.Row) string { return wait(60 * r.Doubled) }},
		{"θU %", func(r compare.Row) string { return fmt.Sprintf("%.1f", r.Under) }},
		{"θO %", func(r compare.Row) string { return fmt.Sprintf("%.0f", r.Over) }},
		{"τU %", func(r compare.Row) string { return fmt.Sprintf("%.1f", r.UnderTime) }},
		{"τO %", func(r compare.Row) string { return fmt.Sprintf("%.0f", r.OverTime) }},
		{"υ %", func(r compare.Row) string { return fmt.Sprintf("%.1f", r.Instability) }},
	}
	if paces {
		pace := column{"scale-in", func(r compare.Row) string {
			if r.Pace == "" && !strings.HasPrefix(r.Policy, "(") {
				return "either"
			}
			return r.Pace
		}}
		all = append(all[:1], append([]column{pace}, all[1:]...)...)
	}
	return all
}

// kept is a share in percent with enough digits to tell 99.9 from 100.
func kept(percent float64) string {
	if percent > 99 && percent < 100 {
		return fmt.Sprintf("%.2f", min(percent, 99.99))
	}
	return fmt.Sprintf("%.1f", percent)
}

// wait is a time in seconds, short.
func wait(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d == 0:
		return "0"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 10*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 3*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	default:
		return fmt.Sprintf("%.1fh", d.Hours())
	}
}

// Legend explains the columns of the table, a line each.
func Legend() []string {
	return []string{
		"kept: share of messages that started within the delay; p50 to max: how long they waited",
		"ratio: task-hours over those of the clairvoyant plan, which knows all arrivals and keeps everything",
		"turns: changes of direction; doubled: work done again or thrown away",
		"θU, θO: tasks missing, too many, in % of the demand (the clairvoyant plan's); τU, τO: share of time with that",
		"υ: share of the minutes in which supply and demand do not move the same way",
	}
}

// Table writes the comparison for a terminal, bounds last.
func Table(w io.Writer, c *compare.Comparison) {
	fmt.Fprintln(w, headline(c))
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range grid(c) {
		fmt.Fprintln(out, strings.Join(row, "\t")+"\t")
	}
	out.Flush()
}

// Markdown writes the comparison as a table for documents.
func Markdown(w io.Writer, c *compare.Comparison) {
	for i, row := range grid(c) {
		fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			fmt.Fprintln(w, "|---"+strings.Repeat("|--:", len(row)-1)+"|")
		}
	}
}

// grid is the table's text: a head, the policies, the bounds.
func grid(c *compare.Comparison) [][]string {
	chosen := columns(severalPaces(c))
	rows := [][]string{make([]string, len(chosen))}
	for i, col := range chosen {
		rows[0][i] = col.name
	}
	for _, outcome := range c.Outcomes {
		row := make([]string, len(chosen))
		for i, col := range chosen {
			row[i] = col.value(outcome.Row)
		}
		rows = append(rows, row)
	}
	for _, b := range bounds(c) {
		row := make([]string, len(chosen))
		for i, col := range chosen {
			switch col.name {
			case "policy", "kept %", "task-hours", "USD/month", "ratio":
				row[i] = col.value(b)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// bounds are the references as rows.
func bounds(c *compare.Comparison) []compare.Row {
	r, length := c.Reference, c.Scenario.Load.Length
	row := func(name string, kept float64, hours float64) compare.Row {
		a := c.Scenario.Assumptions
		month := (30 * 24 * time.Hour).Hours() / length.Hours()
		return compare.Row{
			Policy: name, Kept: kept, TaskHours: hours, Ratio: hours / r.Plan.Billed.Hours(),
			MonthUSD: hours * a.Prices.TaskHour(a.SpotShare) * month,
		}
	}
	return []compare.Row{
		row(
			fmt.Sprintf("(best fixed count: %d)", r.FixedTasks),
			100*r.FixedKept,
			float64(r.FixedTasks)*length.Hours(),
		),
		row("(clairvoyant plan)", 100, r.Plan.Billed.Hours()),
		row("(sum of work)", 100, r.Work.Hours()),
	}
}

func severalPaces(c *compare.Comparison) bool {
	for _, o := range c.Outcomes {
		if o.Pace != c.Outcomes[0].Pace {
			return true
		}
	}
	return false
}

func headline(c *compare.Comparison) string {
	s := c.Scenario
	return fmt.Sprintf("%s: %d messages in %s, %.3g s each, %.3g busy tasks on average; to start within %s",
		s.Load.Name, len(s.Load.At), span(s.Load.Length), s.Load.MeanWork().Seconds(),
		s.Load.MeanDemand()/float64(s.Concurrency), s.Delay)
}

func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour || d == 24*time.Hour:
		return fmt.Sprintf("%.3g days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.3g hours", d.Hours())
	default:
		return fmt.Sprintf("%.3g minutes", d.Minutes())
	}
}

// CSV writes a row for each policy, with the names of the JSON fields.
func CSV(w io.Writer, rows []compare.Row) error {
	out := csv.NewWriter(w)
	for i, row := range rows {
		names, values, err := fields(row)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := out.Write(names); err != nil {
				return err
			}
		}
		if err := out.Write(values); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// fields returns the names and values of a row in the order of its JSON.
func fields(row compare.Row) (names, values []string, err error) {
	text, err := json.Marshal(row)
	if err != nil {
		return nil, nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var tokens []string
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		if _, brace := token.(json.Delim); !brace {
			tokens = append(tokens, fmt.Sprint(token))
		}
	}
	for i := 0; i+1 < len(tokens); i += 2 {
		names, values = append(names, tokens[i]), append(values, tokens[i+1])
	}
	return names, values, nil
}

// Rows are the rows of a comparison without the runs behind them.
func Rows(c *compare.Comparison) []compare.Row {
	rows := make([]compare.Row, len(c.Outcomes))
	for i, o := range c.Outcomes {
		rows[i] = o.Row
	}
	return rows
}

// JSON writes the comparison: load, promise, assumptions, bounds, rows.
func JSON(w io.Writer, c *compare.Comparison) error {
	s := c.Scenario
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(map[string]any{
		"load": map[string]any{
			"name": s.Load.Name, "messages": len(s.Load.At), "lengthSeconds": s.Load.Length.Seconds(),
			"meanProcessingSeconds": s.Load.MeanWork().Seconds(),
		},
		"acceptableDelaySeconds": s.Delay.Seconds(),
		"concurrency":            s.Concurrency,
		"minTasks":               s.Bounds.Min,
		"maxTasks":               s.Bounds.Max,
		"assumptions":            s.Assumptions,
		"bounds": map[string]any{
			"workTaskHours": c.Reference.Work.Hours(), "clairvoyantTaskHours": c.Reference.Plan.Billed.Hours(),
			"bestFixedTasks": c.Reference.FixedTasks, "bestFixedKeptPercent": 100 * c.Reference.FixedKept,
		},
		"policies": Rows(c),
	})
}

// SweepTable writes the front of a sweep for a terminal.
func SweepTable(w io.Writer, s *compare.Sweep) {
	fmt.Fprintf(w, "\nOn the front of %d settings, cheapest first:\n", len(s.Points))
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range front(s) {
		fmt.Fprintln(out, strings.Join(row, "\t")+"\t")
	}
	out.Flush()
}

// Cell is share kept and cost in a few characters.
func Cell(keptPercent, ratio float64) string {
	if keptPercent > 99.95 {
		return fmt.Sprintf("100 / %.2f", ratio)
	}
	return fmt.Sprintf("%.1f / %.2f", keptPercent, ratio)
}

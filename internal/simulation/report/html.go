package report

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// Page is what a report tells.
type Page struct {
	Comparison *compare.Comparison
	Sweep      *compare.Sweep // nil: none
	Command    string         // that made the report
	View       View           // of the pictures
	// Measured says where the load was measured, for a load that was; empty otherwise.
	Measured string
}

// picture is an SVG that is embedded as an image, so that the styles of two do not meet.
type picture struct {
	Name string
	Data template.URL
}

func embed(name, svg string) picture {
	return picture{name, template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg)))}
}

// HTML writes a report that needs no other file.
func HTML(w io.Writer, p Page) error {
	c := p.Comparison
	table := grid(c)
	data := map[string]any{
		"Title":    "Simulation: " + c.Scenario.Load.Name,
		"Headline": headline(c),
		"Command":  p.Command,
		"Measured": p.Measured,
		"Verdict":  Verdict(c),
		"Head":     table[0],
		"Legend":   Legend(),
		"Rows":     table[1 : 1+len(c.Outcomes)],
		"Bounds":   table[1+len(c.Outcomes):],
		"Scatter":  embed("cost against promise kept", Scatter(c)),
		"Pictures": pictures(p),
		"Assumptions": assumptions(
			c,
		),
		"Bounded": fmt.Sprintf("%d to %d", c.Scenario.Bounds.Min, c.Scenario.Bounds.Max),
	}
	if p.Sweep != nil {
		data["Sweep"] = embed("sweep", SweepScatter("settings of this project", p.Sweep, c.Goal))
		data["Front"] = front(p.Sweep)
	}
	return pageTemplate.Execute(w, data)
}

// pictures are one with the first policies together, and one for each.
func pictures(p Page) []picture {
	c := p.Comparison
	var all []picture
	if together := Together(c); len(together) > 1 {
		all = append(all, embed("together", Picture(c, together, p.View).SVG()))
	}
	for i := range c.Outcomes {
		name := label(c.Outcomes[i], c.Outcomes)
		all = append(all, embed(name, Picture(c, c.Outcomes[i:i+1], p.View).SVG()))
	}
	return all
}

// assumptionRow is a line of the list of assumptions.
type assumptionRow struct {
	simulation.Assumption
	Value   any
	Changed bool
}

func assumptions(c *compare.Comparison) []assumptionRow {
	var rows []assumptionRow
	for _, k := range simulation.Catalogue() {
		value := k.Value(c.Scenario.Assumptions)
		rows = append(rows, assumptionRow{k, value, value != k.Value(simulation.DefaultAssumptions())})
	}
	return rows
}

// front are the points on the front of a sweep, cheapest first, as rows of text.
func front(s *compare.Sweep) [][]string {
	var points []compare.Point
	for _, p := range s.Points {
		if p.OnFront {
			points = append(points, p)
		}
	}
	slices.SortFunc(points, func(a, b compare.Point) int { return compareFloats(a.TaskHours, b.TaskHours) })
	head := []string{"kept %", "ratio", "p95", "task-hours"}
	for _, axis := range s.Axes {
		head = append(head, axis.Name)
	}
	rows := [][]string{head}
	for _, p := range points {
		row := []string{kept(p.Kept), fmt.Sprintf("%.2f", p.Ratio), wait(p.WaitP95), fmt.Sprintf("%.1f", p.TaskHours)}
		for _, v := range p.Values {
			row = append(row, fmt.Sprintf("%.4g", v))
		}
		rows = append(rows, row)
	}
	return rows
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

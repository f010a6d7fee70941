package report

import (
	"fmt"
	"slices"
	"time"

	"sqs-dynamic-target-tracking/internal/chart"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
)

// View is the stretch of time that a picture shows. The zero value shows everything.
type View struct{ From, To time.Duration }

// Telling is the view that a picture should show when nobody chose one: everything, or of a load that is longer than
// two days the day in which most messages were late, of all policies together. Two weeks in one picture show nothing.
func Telling(c *compare.Comparison) View {
	const day = 24 * time.Hour
	if c.Scenario.Load.Length <= 2*day {
		return View{}
	}
	late := make([]int, c.Scenario.Load.Length/day)
	perDay := int(day / c.Scenario.Assumptions.Period())
	for _, o := range c.Outcomes {
		s := &o.Result.Series
		for i := range s.Started {
			if at := i / perDay; at < len(late) {
				late[at] += int(s.Started[i] - s.InTime[i])
			}
		}
	}
	worst := 0
	for i, n := range late {
		if n > late[worst] {
			worst = i
		}
	}
	return View{From: time.Duration(worst) * day, To: time.Duration(worst+1) * day}
}

// longestWait is how many times the promise the axis of waits reaches at most: beyond, a wait is just late.
const longestWait = 10

func (v View) words() string {
	if v.To == 0 {
		return ""
	}
	return fmt.Sprintf("; shown from %s to %s", span(v.From), span(v.To))
}

// palette is used for the policies of a picture in their order.
var palette = []chart.Color{chart.Blue, chart.Orange, chart.Green, chart.Purple, chart.Red, chart.Gray}

// Picture draws queue, tasks and waits of up to six outcomes with one time axis. For a single outcome it also draws
// what its targets hold: the metric against the target.
func Picture(c *compare.Comparison, outcomes []compare.Outcome, view View) chart.Chart {
	outcomes = outcomes[:min(len(outcomes), len(palette))]
	d := newDrawing(c, view)
	picture := chart.Chart{
		Title:    title(c.Scenario.Load.Name, outcomes),
		Subtitle: headline(c) + view.words(),
		XLabel:   d.label,
		Panels:   []chart.Panel{d.queue(outcomes), d.tasks(outcomes)},
	}
	if len(outcomes) == 1 {
		picture.Subtitle = fmt.Sprintf("%s. Kept %s %%, %.2f times the task-hours of the clairvoyant plan.",
			picture.Subtitle, kept(outcomes[0].Kept), outcomes[0].Ratio)
		picture.Panels = append(picture.Panels, d.targets(&outcomes[0].Result.Series)...)
	}
	picture.Panels = append(picture.Panels, d.waits(outcomes))
	return picture
}

func title(load string, outcomes []compare.Outcome) string {
	if len(outcomes) == 1 {
		return load + ": " + outcomes[0].Policy
	}
	return load
}

// Together picks what one picture can show: up to four policies, each at the first pace that it was run with.
func Together(c *compare.Comparison) []compare.Outcome {
	var chosen []compare.Outcome
	for _, o := range c.Outcomes {
		shown := slices.ContainsFunc(chosen, func(other compare.Outcome) bool { return other.Policy == o.Policy })
		if !shown && len(chosen) < 4 {
			chosen = append(chosen, o)
		}
	}
	return chosen
}

// label is the policy's name, with its pace where it stands there twice.
func label(o compare.Outcome, among []compare.Outcome) string {
	for _, other := range among {
		if other.Policy == o.Policy && other.Pace != o.Pace {
			return o.Policy + " (" + o.Pace + ")"
		}
	}
	return o.Policy
}

type drawing struct {
	curve
	label      string
	comparison *compare.Comparison
}

func newDrawing(c *compare.Comparison, view View) drawing {
	period, length := c.Scenario.Assumptions.Period(), c.Scenario.Load.Length
	if view.To == 0 || view.To > length {
		view.To = length
	}
	unit, label := unitOf(view.To - view.From)
	return drawing{
		curve:      curve{period: period, unit: unit, from: int(view.From / period), to: int(view.To / period)},
		label:      label,
		comparison: c,
	}
}

func (d drawing) line(name string, color chart.Color, x, y []float64) chart.Line {
	return chart.Line{Name: name, X: x, Y: y, Color: color, Step: true}
}

func (d drawing) queue(outcomes []compare.Outcome) chart.Panel {
	panel := chart.Panel{Title: "messages that wait"}
	for i, o := range outcomes {
		x, y := d.most(floats(o.Result.Series.Visible), 1e12)
		panel.Marks = append(panel.Marks, d.line(label(o, outcomes), palette[i], x, y))
	}
	return panel
}

func (d drawing) tasks(outcomes []compare.Outcome) chart.Panel {
	panel := chart.Panel{Title: "running tasks", Height: 190}
	if len(outcomes) == 1 {
		if band, moves := d.bounds(&outcomes[0].Result.Series); moves {
			panel.Marks = append(panel.Marks, band)
		}
	}
	x, y := d.mean(demandOf(d.comparison.Reference.Plan.Demand, d.period))
	demand := d.line("clairvoyant plan", chart.Gray, x, y)
	demand.Fill = true
	panel.Marks = append(panel.Marks, demand)
	for i, o := range outcomes {
		x, y := d.mean(floats(o.Result.Series.Running))
		panel.Marks = append(panel.Marks, d.line(label(o, outcomes), palette[i], x, y))
	}
	return panel
}

// bounds is floor and ceiling as a band, and whether they ever move.
func (d drawing) bounds(s *simulation.Series) (band chart.Band, moves bool) {
	for i := 1; i < len(s.Floor); i++ {
		moves = moves || s.Floor[i] != s.Floor[0] || s.Ceiling[i] != s.Ceiling[0]
	}
	x, low := d.mean(counts(s.Floor))
	_, high := d.mean(counts(s.Ceiling))
	return chart.Band{Name: "floor to ceiling", X: x, Low: low, High: high, Color: chart.Green}, moves
}

// targets draws each metric that is held at a target.
func (d drawing) targets(s *simulation.Series) []chart.Panel {
	perTask := func(sum func(i int) float64) func(i int) float64 {
		return func(i int) float64 { return sum(i) / max(1, float64(s.Running[i])) }
	}
	metrics := map[string]struct {
		title string
		value func(i int) float64
	}{
		"backlog target": {
			"backlog per task",
			perTask(func(i int) float64 { return float64(s.Visible[i] + s.InFlight[i]) }),
		},
		"rate target": {
			"messages sent a period and task",
			perTask(func(i int) float64 { return float64(s.Sent[i]) }),
		},
	}
	var panels []chart.Panel
	for _, name := range s.NoteNames() {
		metric, ok := metrics[name]
		if !ok {
			continue
		}
		x, target := d.mean(floats(s.Notes[name]))
		_, y := d.most(metric.value, 4*largest(target))
		line := d.line("target", chart.Red, x, target)
		line.Dashed = true
		panels = append(panels, chart.Panel{
			Title: metric.title, Height: 110, Marks: []chart.Mark{d.line("metric", chart.Orange, x, y), line},
		})
	}
	return panels
}

func (d drawing) waits(outcomes []compare.Outcome) chart.Panel {
	promise := d.comparison.Scenario.Delay.Seconds()
	panel := chart.Panel{Title: "longest wait, seconds"}
	for i, o := range outcomes {
		x, y := d.most(floats(o.Result.Series.WaitMax), longestWait*promise)
		panel.Marks = append(panel.Marks, d.line(label(o, outcomes), palette[i], x, y))
	}
	panel.Marks = append(panel.Marks, chart.Rule{Name: "promise", Y: promise, Color: chart.Red})
	return panel
}

func floats(values []float32) func(i int) float64 {
	return func(i int) float64 { return float64(at(values, i)) }
}

func counts(values []int32) func(i int) float64 {
	return func(i int) float64 {
		if i < len(values) {
			return float64(values[i])
		}
		return 0
	}
}

func largest(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// demandOf is the mean demand of each period. It is asked for ascending periods.
func demandOf(steps []simulation.Step, period time.Duration) func(i int) float64 {
	next, count := 0, 0
	return func(i int) float64 {
		at, end := time.Duration(i)*period, time.Duration(i+1)*period
		sum := 0.0
		for at < end {
			for next < len(steps) && steps[next].At <= at {
				count = steps[next].Count
				next++
			}
			until := end
			if next < len(steps) {
				until = min(end, steps[next].At)
			}
			sum += float64(count) * float64(until-at)
			at = until
		}
		return sum / float64(period)
	}
}

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"sqs-dynamic-target-tracking/internal/chart"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// reel is the film as series, in minutes of the story.
type reel struct {
	minutes           []float64
	visible, inFlight []float64
	desired, running  []float64
	floor, ceiling    []float64
	policies          map[string]policyReel // by the policy's short name
}

type policyReel struct{ value, target []float64 }

func develop(film []moment) reel {
	r := reel{policies: map[string]policyReel{}}
	for i, m := range film {
		r.minutes = append(r.minutes, m.at.Minutes())
		r.visible = append(r.visible, float64(m.queue.visible))
		r.inFlight = append(r.inFlight, float64(m.queue.inFlight))
		r.desired = append(r.desired, float64(m.desired))
		r.running = append(r.running, float64(m.running))
		r.floor, r.ceiling = append(r.floor, float64(m.bounds.Min)), append(r.ceiling, float64(m.bounds.Max))
		for _, p := range m.policies {
			name := shortName(p)
			of := r.policies[name]
			of.value = append(pad(of.value, i), p.Value)
			of.target = append(pad(of.target, i), p.Target)
			r.policies[name] = of
		}
	}
	return r
}

// pad makes a series that long where a policy was not seen.
func pad(series []float64, length int) []float64 {
	for len(series) < length {
		series = append(series, math.NaN())
	}
	return series
}

// drawFilm writes the whole story as a picture and returns its path.
func (w *world) drawFilm(c *camera) (string, error) {
	r := develop(c.film)
	policy := func(name, title string) chart.Panel {
		of := r.policies[name]
		return chart.Panel{Title: title, Marks: []chart.Mark{
			chart.Line{Name: "metric", X: r.minutes, Y: of.value, Color: chart.Blue, Step: true},
			chart.Line{Name: "target", X: r.minutes, Y: of.target, Color: chart.Red, Step: true, Dashed: true},
		}}
	}
	tasks := chart.Panel{Title: "tasks", Marks: []chart.Mark{
		chart.Band{Name: "bounds", X: r.minutes, Low: r.floor, High: r.ceiling, Color: chart.Gray},
		chart.Line{Name: "running", X: r.minutes, Y: r.running, Color: chart.Green, Step: true, Fill: true},
		chart.Line{Name: "wanted", X: r.minutes, Y: r.desired, Color: chart.Gray, Step: true, Dashed: true},
	}}
	for _, chapter := range c.chapters {
		tasks.Marks = append(tasks.Marks, chart.Event{
			X: chapter.at.Minutes(), Label: fmt.Sprintf("chapter %d", chapter.number), Color: chart.Gray,
		})
	}
	picture := chart.Chart{
		Title:    "One machine's story",
		Subtitle: fmt.Sprintf("real messages and worker processes, time running %g times as fast", w.speed),
		XLabel:   "minutes",
		Panels: []chart.Panel{
			{Title: "messages", Marks: []chart.Mark{
				chart.Line{Name: "visible", X: r.minutes, Y: r.visible, Color: chart.Orange, Fill: true},
				chart.Line{Name: "in flight", X: r.minutes, Y: r.inFlight, Color: chart.Blue},
			}},
			tasks,
			policy("backlog", "backlog per task"),
			policy("rate", "messages sent per minute and task"),
		},
	}
	path := filepath.Join(w.cloud.Dir(), "story.svg")
	return path, writePicture(path, picture)
}

func writePicture(path string, picture chart.Chart) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(picture.WriteSVG(file), file.Close())
}

// plotTasks draws the tasks for the terminal.
func plotTasks(screen *terminal.Screen, film []moment) string {
	r := develop(film)
	return plotCounts(screen,
		chart.Line{Name: "running", X: r.minutes, Y: r.running, Color: chart.Green, Step: true},
		chart.Line{Name: "wanted", X: r.minutes, Y: r.desired, Color: chart.Gray, Step: true})
}

// plotCounts draws numbers of tasks, where they are few with a row for each.
func plotCounts(screen *terminal.Screen, lines ...chart.Line) string {
	const mostRows = 16
	var counts []float64
	for _, l := range lines {
		counts = append(counts, l.Y...)
	}
	height := 0 // the plot's own
	if len(counts) > 0 {
		if span := slices.Max(counts) - slices.Min(counts); span < mostRows {
			height = int(span) + 1
		}
	}
	return chart.Text{Color: screen.Live(), XLabel: "minutes", Height: height, Lines: lines}.String()
}

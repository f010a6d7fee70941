package compare

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Axis is a setting and the values that it is to take.
type Axis struct {
	Name   string
	Values []float64
}

// Point is a set of values and what came of it.
type Point struct {
	Values []float64 `json:"values"` // in the order of the axes
	Row
	OnFront bool `json:"onFront"`
}

// Sweep is a grid of settings of this project.
type Sweep struct {
	Axes      []Axis
	Reference Reference
	Points    []Point
}

// setting changes what an axis stands for.
type setting func(value float64, s *simulation.Scenario, p *policy.Project)

var settings = map[string]setting{
	"headroom":    func(v float64, _ *simulation.Scenario, p *policy.Project) { p.Headroom = v },
	"utilization": func(v float64, _ *simulation.Scenario, p *policy.Project) { p.Utilization = v },
	"out-cooldown": func(v float64, _ *simulation.Scenario, p *policy.Project) {
		p.ScaleOutCooldown = time.Duration(v * float64(time.Second))
	},
	"in-cooldown": func(v float64, _ *simulation.Scenario, p *policy.Project) {
		p.ScaleInCooldown = time.Duration(v * float64(time.Second))
	},
	"min":         func(v float64, s *simulation.Scenario, _ *policy.Project) { s.Bounds.Min = int(v) },
	"max":         func(v float64, s *simulation.Scenario, _ *policy.Project) { s.Bounds.Max = int(v) },
	"concurrency": func(v float64, s *simulation.Scenario, _ *policy.Project) { s.Concurrency = int(v) },
	"delay": func(v float64, s *simulation.Scenario, _ *policy.Project) {
		s.Delay = time.Duration(v * float64(time.Second))
	},
	"start-up": func(v float64, s *simulation.Scenario, _ *policy.Project) {
		s.Assumptions.StartUp = time.Duration(v * float64(time.Second))
	},
	"staleness": func(v float64, s *simulation.Scenario, _ *policy.Project) {
		s.Assumptions.Staleness = time.Duration(v * float64(time.Second))
	},
}

// MostPoints is how many combinations a sweep may have.
const MostPoints = 10_000

// ParseAxes reads `name=from:to:step,name=value+value`.
func ParseAxes(text string) ([]Axis, error) {
	var axes []Axis
	for _, part := range strings.Split(text, ",") {
		name, values, ok := strings.Cut(part, "=")
		if _, known := settings[name]; !ok || !known {
			return nil, fmt.Errorf(
				"sweep %q: write setting=from:to:step with one of headroom, utilization, out-cooldown, "+
					"in-cooldown, min, max, concurrency, delay, start-up, staleness",
				part,
			)
		}
		axis, err := parseValues(values)
		if err != nil {
			return nil, fmt.Errorf("sweep %q: %w", part, err)
		}
		axes = append(axes, Axis{name, axis})
		if n := combinations(axes); n > MostPoints {
			return nil, fmt.Errorf("sweep %q: %d points up to there; at most %d: take larger steps",
				text, n, MostPoints)
		}
	}
	return axes, nil
}

func parseValues(text string) ([]float64, error) {
	separator := "+"
	if strings.Contains(text, ":") {
		separator = ":"
	}
	var numbers []float64
	for _, field := range strings.Split(text, separator) {
		number, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", field)
		}
		numbers = append(numbers, number)
	}
	if separator == "+" {
		return numbers, nil
	}
	if len(numbers) != 3 || numbers[2] <= 0 || numbers[1] < numbers[0] {
		return nil, fmt.Errorf("%q is not from:to:step with a step above 0", text)
	}
	if n := (numbers[1] - numbers[0]) / numbers[2]; n > MostPoints {
		return nil, fmt.Errorf("%q has %.0f values; at most %d: take a larger step", text, n, MostPoints)
	}
	var values []float64
	for i := 0; ; i++ {
		value := numbers[0] + float64(i)*numbers[2]
		if value > numbers[1]+numbers[2]*1e-6 {
			return values, nil
		}
		values = append(values, value)
	}
}

// RunSweep runs this project, retuned, at every combination of the axes' values, and marks the front of cost against
// promise kept.
func RunSweep(
	ctx context.Context, s simulation.Scenario, goal float64, tuning policy.Project, axes []Axis, pace tracking.Pace,
	progress func(float64),
) (*Sweep, error) {
	s.Assumptions.Tracking.ScaleInPace = pace
	reference, err := Refer(s, goal)
	if err != nil {
		return nil, err
	}
	sweep := &Sweep{Axes: axes, Reference: reference, Points: make([]Point, combinations(axes))}
	done := newMeter(len(sweep.Points), progress)
	err = each(ctx, len(sweep.Points), func(ctx context.Context, i int) error {
		scenario, project := s, tuning
		values := combination(axes, i)
		for k, axis := range axes {
			settings[axis.Name](values[k], &scenario, &project)
		}
		scenario.Progress = done.of(i)
		result, err := simulation.Run(ctx, scenario, policy.Retuned(project))
		if err != nil {
			return err
		}
		sweep.Points[i] = Point{Values: values, Row: reference.row(result, scenario)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(sweep.Points))
	for i, point := range sweep.Points {
		rows[i] = point.Row
	}
	for i, on := range Front(rows) {
		sweep.Points[i].OnFront = on
	}
	return sweep, nil
}

func combinations(axes []Axis) int {
	n := 1
	for _, axis := range axes {
		n *= len(axis.Values)
	}
	return n
}

// combination is the i-th set of values; the last axis turns fastest.
func combination(axes []Axis, i int) []float64 {
	values := make([]float64, len(axes))
	for k := len(axes) - 1; k >= 0; k-- {
		n := len(axes[k].Values)
		values[k] = axes[k].Values[i%n]
		i /= n
	}
	return values
}

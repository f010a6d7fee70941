// Package policy holds the ways to choose a task count that a simulation compares: this project's, its peers', and a
// fixed count. Each is one small file, whose comment says where its parameters come from.
//
// A peer gets what its own users would give it: the acceptable delay, the expected processing duration, and the bounds.
// What it does not know it does not get.
package policy

import (
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// acceptableBacklog is the acceptable backlog per task of the AWS guides: how many messages a task works off within the
// acceptable delay.
func acceptableBacklog(s simulation.Scenario) float64 {
	return float64(s.Concurrency) * s.Delay.Seconds() / s.Processing.Seconds()
}

func wholeBacklog(s simulation.Scenario) float64 { return max(1, math.Ceil(acceptableBacklog(s))) }

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

// alarm makes alarms on a request, in N of N periods.
func alarm(c *simulation.Control, metrics []tracking.MetricQuery, period time.Duration, n int) func(
	name string, how tracking.Comparison, threshold float64) tracking.AlarmSpec {
	return func(name string, how tracking.Comparison, threshold float64) tracking.AlarmSpec {
		return tracking.AlarmSpec{
			Name: name, Metrics: metrics, Comparison: how, Threshold: threshold, Period: period, EvaluationPeriods: n,
			ExtraDatapoints: c.Scenario().Assumptions.Tracking.ExtraDatapoints,
		}
	}
}

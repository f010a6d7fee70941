// Package policy holds the ways to choose a task count that a simulation compares: this project's, its peers', and a
// fixed count. Each is one small file, whose comment says where its parameters come from.
//
// A peer gets what its own users would give it: the acceptable delay, the expected processing duration, and the bounds.
// What it does not know it does not get.
package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// described is a policy that can be chosen by its name.
type described struct {
	name, what string
	make       func(Project) simulation.Policy
}

func all() []described {
	return []described{
		{"project", "this project: backlog and rate policy, retuned hourly and on drift", Retuned},
		{"project-static", "this project without a retune", Static},
		{"project-choice", "this project, its tuning chosen by replaying what was measured", Choosing},
		{"backlog", "this project's backlog policy alone, without a retune", BacklogAlone},
		{"blueprint", "the AWS blueprint, its bugs repaired, retuned hourly", func(Project) simulation.Policy { return Blueprint{} }},
		{"blueprint-bugs", "the AWS blueprint as it was, with its worker",
			func(Project) simulation.Policy { return Blueprint{Bugs: true} }},
		{"guide", "the AWS guide: metric math, static target", func(Project) simulation.Policy { return Guide{} }},
		{"copilot", "AWS Copilot's queue_delay", func(Project) simulation.Policy { return Copilot{} }},
		{"cdk", "the CDK's QueueProcessingFargateService", func(Project) simulation.Policy { return CDK{CPU: true} }},
		{"cdk-no-cpu", "the same without its CPU policy", func(Project) simulation.Policy { return CDK{} }},
		{"keda", "KEDA's aws-sqs-queue scaler on Kubernetes", func(Project) simulation.Policy { return KEDA{} }},
		{"steps", "step scaling on backlog per task", func(Project) simulation.Policy { return Steps{} }},
	}
}

// Names lists the policies with a line each; fixed:N is one more.
func Names() (names, lines []string) {
	for _, d := range all() {
		names = append(names, d.name)
		lines = append(lines, d.what)
	}
	return append(names, "fixed:N"), append(lines, "a fixed number of tasks")
}

// Named returns the policy of that name; tuning is for this project's own.
func Named(name string, tuning Project) (simulation.Policy, error) {
	if count, ok := strings.CutPrefix(name, "fixed:"); ok {
		tasks, err := strconv.Atoi(count)
		if err != nil || tasks < 1 {
			return nil, fmt.Errorf("policy %q: give a number of tasks, such as fixed:8", name)
		}
		return Fixed{Tasks: tasks}, nil
	}
	for _, d := range all() {
		if d.name == name {
			return d.make(tuning), nil
		}
	}
	names, _ := Names()
	return nil, fmt.Errorf("there is no policy %q; there are %s", name, strings.Join(names, ", "))
}

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

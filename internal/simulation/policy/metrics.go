package policy

import (
	"strings"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// perTask is this project's request for a sum of metrics divided by the newest known number of tasks, taken as one when
// none runs. Where an addend is late there is no value. The template writes the same expression.
func perTask(result string, addends ...tracking.MetricQuery) []tracking.MetricQuery {
	running := simulation.RunningTasks()
	var names, known []string
	for _, q := range addends {
		names = append(names, q.ID)
		known = append(known, q.ID+" >= 0")
	}
	sum := strings.Join(names, " + ")
	if len(names) > 1 {
		sum = "(" + sum + ")"
	}
	known = append(known, "tasks >= 0")
	return append(addends,
		tracking.MetricQuery{ID: "running", Metric: &running},
		tracking.MetricQuery{ID: "tasks", Expression: "FILL(running, REPEAT)"},
		tracking.MetricQuery{
			ID: result, ReturnData: true,
			Expression: "IF(" + strings.Join(known, " AND ") + ", " + sum + " / IF(tasks > 1, tasks, 1))",
		})
}

func backlogPerTask() []tracking.MetricQuery {
	visible, inFlight := simulation.Visible("Average"), simulation.InFlight("Average")
	return perTask(
		"backlogPerTask",
		tracking.MetricQuery{
			ID:     "visible",
			Metric: &visible,
		},
		tracking.MetricQuery{ID: "inFlight", Metric: &inFlight},
	)
}

func sentPerTask() []tracking.MetricQuery {
	sent := simulation.Sent()
	return perTask("sentPerTask", tracking.MetricQuery{ID: "sent", Metric: &sent})
}

// visiblePerTask is m1 / m2 of the AWS guide and of the blueprint: messages that wait, divided by running tasks.
// Without a task it has no value.
func visiblePerTask() []tracking.MetricQuery {
	visible, running := simulation.Visible("Average"), simulation.RunningTasks()
	return []tracking.MetricQuery{
		{ID: "m1", Metric: &visible},
		{ID: "m2", Metric: &running},
		{ID: "e1", Expression: "m1 / m2", ReturnData: true},
	}
}

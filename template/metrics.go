package main

import (
	"strings"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

// What this system publishes its metrics under.
const (
	metricNamespace = "ECS-SQS-BPI"
	metricType      = "Single-Queue"
)

// metric is one line of a calculation or a picture: a metric with a statistic,
// or an expression over other lines.
type metric struct {
	id         string // starts with a lower-case letter
	namespace  string
	name       string
	stat       string
	dimensions []dimension
	expression string // instead of the four above
	label      string
}

// dimension has a slice's order: it decides nothing but how the template reads.
type dimension struct {
	name, value string
}

// Dimensions of the services' metrics and of this system's own.
func ofQueue() []dimension { return []dimension{{"QueueName", queueName()}} }

func ofService() []dimension {
	return []dimension{{"ClusterName", clusterName()}, {"ServiceName", serviceName()}}
}

func ofWorker() []dimension {
	return []dimension{{"Type", metricType}, {"QueueName", queueName()}}
}

func visible() metric {
	return metric{id: "visible", namespace: "AWS/SQS", name: "ApproximateNumberOfMessagesVisible", stat: "Average",
		dimensions: ofQueue()}
}

func inFlight() metric {
	return metric{id: "inFlight", namespace: "AWS/SQS", name: "ApproximateNumberOfMessagesNotVisible", stat: "Average",
		dimensions: ofQueue()}
}

func sent() metric {
	return metric{id: "sent", namespace: "AWS/SQS", name: "NumberOfMessagesSent", stat: "Sum", dimensions: ofQueue()}
}

func oldestAge() metric {
	return metric{id: "age", namespace: "AWS/SQS", name: "ApproximateAgeOfOldestMessage", stat: "Maximum",
		dimensions: ofQueue()}
}

// running is the number of tasks that run.
func running() metric {
	return metric{id: "running", namespace: "ECS/ContainerInsights", name: "RunningTaskCount", stat: "Average",
		dimensions: ofService()}
}

// executions counts those of a state machine that ended in a way.
func executions(id, name, machine string) metric {
	return metric{id: id, namespace: "AWS/States", name: name, stat: "Sum",
		dimensions: []dimension{{"StateMachineArn", cfn.Ref(machineID(machine))}}}
}

// own is a metric that the worker or the retune publishes.
func own(id, name, stat string) metric {
	return metric{id: id, namespace: metricNamespace, name: name, stat: stat, dimensions: ofWorker()}
}

// perTask is a calculation whose last line divides a sum by the newest known
// number of tasks, taken as one when none runs. The number is repeated where it
// is late: a late count must not look like no tasks, or undivided messages
// would ask for the most tasks there may be. (From zero the step policy scales.)
// Where anything else is late there is no value: without the condition
// CloudWatch would add a nothing as 0.
func perTask(id, label string, addends ...metric) []metric {
	var names, known []string
	for _, m := range addends {
		names = append(names, m.id)
		known = append(known, m.id+" >= 0")
	}
	sum := strings.Join(names, " + ")
	if len(names) > 1 {
		sum = "(" + sum + ")"
	}
	known = append(known, "tasks >= 0")
	return append(addends,
		running(),
		metric{id: "tasks", expression: "FILL(running, REPEAT)"},
		metric{id: id, label: label,
			expression: "IF(" + strings.Join(known, " AND ") + ", " + sum + " / IF(tasks > 1, tasks, 1))"},
	)
}

// backlogPerTask counts what waits and what is being worked on: a task that is
// busy must not look idle.
func backlogPerTask() []metric {
	return perTask("backlogPerTask", "Backlog per task", visible(), inFlight())
}

// sentPerTask counts the arrivals of a period.
func sentPerTask() []metric {
	return perTask("sentPerTask", "Messages sent per period and task", sent())
}

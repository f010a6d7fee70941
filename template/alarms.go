package main

import (
	"strconv"
	"strings"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/cloudwatch"
)

// Comparisons of an alarm.
const (
	above   = "GreaterThanThreshold"
	atLeast = "GreaterThanOrEqualToThreshold"
	below   = "LessThanThreshold"
)

// alarm watches the last of its metrics, whose periods all are the metric
// period. Missing data is no alarm: a queue that is not used publishes none.
type alarm struct {
	description string
	metrics     []metric
	comparison  string
	threshold   any
	periods     int
	datapoints  int
	actions     []string
	condition   string
}

func addAlarms(s *stack) {
	s.condition("CanScale", cfn.Not([]string{cfn.Equals(cfn.Ref("MinTasks"), cfn.Ref("MaxTasks"))}))

	s.heading("When somebody should look.")
	notify := func(id string, a alarm) {
		a.actions = []string{cfn.Ref("NotificationTopic")}
		s.resource(id, a.resource())
	}
	addVerificationAlarms(s)
	unlessVerifying := func(id string, a alarm) {
		s.resource(id, a.resource())
		s.resource(strings.TrimSuffix(id, "Alarm")+"Notification",
			heldBack(id, a, []string{cfn.Ref("NotificationTopic")}))
	}
	unlessVerifying("DeadLetterQueueAlarm", alarm{
		description: "A message could not be processed and was set aside in the dead-letter queue.",
		metrics: []metric{{id: "setAside", namespace: "AWS/SQS", name: "ApproximateNumberOfMessagesVisible",
			stat: "Maximum", dimensions: []dimension{{"QueueName", deadLetterQueueName()}}}},
		comparison: above, threshold: 0, periods: 1, datapoints: 1, condition: "HasDeadLetterQueue",
	})
	unlessVerifying("OldestMessageAlarm", alarm{
		description: "Messages wait, the oldest for longer than the acceptable delay.",
		// The oldest message may be one that is being worked on, for as long as
		// that takes: only while others wait does its age say something.
		metrics: []metric{oldestAge(), visible(),
			{id: "waiting", expression: "IF(visible > 0, age, 0)", label: "Age of the oldest message while some wait"}},
		comparison: above, threshold: cfn.Ref("AcceptableDelaySeconds"), periods: 5, datapoints: 5,
	})
	unlessVerifying("PromiseAlarm", alarm{
		description: "Less than 95 % of the messages were started within the acceptable delay.",
		metrics:     []metric{own("kept", "MsgWithinDelay", "Average")},
		comparison:  below, threshold: 0.95, periods: 5, datapoints: 3,
	})
	unlessVerifying("MaxTasksAlarm", alarm{
		description: "As many tasks as MaxTasks allows have run for 15 periods: the load may need more.",
		metrics:     []metric{running()},
		comparison:  atLeast, threshold: cfn.Ref("MaxTasks"), periods: 15, datapoints: 15, condition: "CanScale",
	})
	for _, name := range []string{produceMachine, retuneMachine} {
		notify(name+"FailedAlarm", alarm{
			description: "An execution of the state machine " + name + " failed or took too long.",
			metrics: []metric{
				executions("failed", "ExecutionsFailed", name),
				executions("late", "ExecutionsTimedOut", name),
				{id: "bad", expression: "FILL(failed, 0) + FILL(late, 0)", label: "Failed and late executions"},
			},
			comparison: above, threshold: 0, periods: 1, datapoints: 1,
		})
	}
	addBandAlarm(s)
	// A verification that fails has told so itself. One that runs out of time has not.
	notify("VerifyTimedOutAlarm", alarm{
		description: "A verification of a deployment took longer than ten hours and was ended; look at the service.",
		metrics:     []metric{executions("late", "ExecutionsTimedOut", verifyMachine)},
		comparison:  above, threshold: 0, periods: 1, datapoints: 1,
	})
}

func (a alarm) resource() cfn.Resource {
	patch := properties{"Threshold": a.threshold}
	r := &cloudwatch.Alarm{
		AlarmDescription:           &a.description,
		AlarmActions:               a.actions,
		ComparisonOperator:         a.comparison,
		EvaluationPeriods:          a.periods,
		DatapointsToAlarm:          &a.datapoints,
		TreatMissingData:           new("notBreaching"),
		AWSCloudFormationCondition: a.condition,
	}
	if len(a.metrics) == 1 {
		m := a.metrics[0]
		r.Namespace, r.MetricName, r.Statistic, r.Dimensions = &m.namespace, &m.name, &m.stat, m.alarmDimensions()
		patch["Period"] = cfn.Ref("MetricPeriodSeconds")
		return with(r, patch)
	}
	for i, m := range a.metrics {
		query := cloudwatch.Alarm_MetricDataQuery{Id: m.id, ReturnData: new(i == len(a.metrics)-1)}
		if m.label != "" {
			query.Label = new(m.label)
		}
		if m.expression != "" {
			query.Expression = new(m.expression)
		} else {
			query.MetricStat = &cloudwatch.Alarm_MetricStat{Stat: m.stat, Metric: &cloudwatch.Alarm_Metric{
				Namespace: new(m.namespace), MetricName: new(m.name), Dimensions: m.alarmDimensions(),
			}}
			patch["Metrics."+strconv.Itoa(i)+".MetricStat.Period"] = cfn.Ref("MetricPeriodSeconds")
		}
		r.Metrics = append(r.Metrics, query)
	}
	return with(r, patch)
}

func (m metric) alarmDimensions() []cloudwatch.Alarm_Dimension {
	var dimensions []cloudwatch.Alarm_Dimension
	for _, d := range m.dimensions {
		dimensions = append(dimensions, cloudwatch.Alarm_Dimension{Name: d.name, Value: d.value})
	}
	return dimensions
}

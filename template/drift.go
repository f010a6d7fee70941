package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/events"
)

// driftAlarmName is the alarm's name, by which the retune finds it: it rewrites
// one number in it.
func driftAlarmName() string { return cfn.Sub("${AWS::StackName}-drift") }

func driftAlarmARN() string { return arn("cloudwatch", "alarm:${AWS::StackName}-drift") }

// addDrift makes the alarm that compares the measured duration with the one
// that the targets are made for, and the rule that starts a retune on it.
//
// The duration that the targets are made for is a number in the alarm: the
// answer of InitialTargets when the stack is made or changed, then what each
// retune writes. An alarm compares metrics, and a metric that is published once
// an hour is no data for one.
func addDrift(s *stack) {
	s.heading("On drift a retune starts at once, instead of within the hour.")
	s.resource("DriftAlarm", driftAlarm())
	s.resource("DriftRuleRole", starter(eventsService, retuneMachine))
	s.resource("DriftRule", &events.Rule{
		Description: new("Starts a retune when the duration has left the one that the targets are made for"),
		State:       new(cfn.Ref("RetuneState")),
		EventPattern: map[string]any{
			"source":      []string{"aws.cloudwatch"},
			"detail-type": []string{"CloudWatch Alarm State Change"},
			"resources":   []string{driftAlarmARN()},
			"detail":      map[string]any{"state": map[string]any{"value": []string{"ALARM"}}},
		},
		Targets: []events.Rule_Target{{
			Id: "retune", Arn: cfn.Ref(machineID(retuneMachine)),
			RoleArn:     new(cfn.GetAtt("DriftRuleRole", "Arn")),
			Input:       new(`{"reason":"drift","onBusy":"skip"}`),
			RetryPolicy: &events.Rule_RetryPolicy{MaximumEventAgeInSeconds: new(600), MaximumRetryAttempts: new(10)},
		}},
	})
}

// driftAlarm is on when five periods in a row, with data, were outside of what
// backlog.DriftLimit allows.
func driftAlarm() cfn.Resource {
	const many = "1.05 + 0.5 / (count ^ 0.5)" // DriftLeast, DriftNoise
	return with(alarm{
		description: "The measured processing duration is far from the one that the scaling targets are made for. " +
			"Starts a retune, which writes the new duration into this alarm.",
		metrics: []metric{
			own("duration", "MsgProcessingDuration", "Average"),
			own("count", "MsgProcessingDuration", "SampleCount"),
			{id: "times", expression: cfn.Sub("duration / ${InitialTargets.ReferenceSeconds}"),
				label: "Times the duration that the targets are made for"},
			{id: "limit", label: "Factor that is no drift, for so many messages",
				expression: cfn.Sub("IF(" + many + " < ${DriftFactor}, " + many + ", ${DriftFactor})")},
			{id: "drift", expression: "IF(times > 1, times, 1 / times) / limit",
				label: "Factor between the two, by the one that is no drift"},
		},
		comparison: above, threshold: 1, periods: 5, datapoints: 5,
	}.resource(), properties{
		"AlarmName":         driftAlarmName(),
		"EvaluationPeriods": cfn.Ref("DriftPeriods"),
		"DatapointsToAlarm": cfn.Ref("DriftPeriods"),
	})
}

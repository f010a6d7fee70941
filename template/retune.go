package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/events"
	"github.com/awslabs/goformation/v7/cloudformation/scheduler"
)

const retuneMachine = "Retune"

// addRetune makes the machine that measures the processing duration and moves
// both targets to it, and what starts it: a schedule and a change of the stack.
func addRetune(s *stack) {
	s.heading("The retune: a state machine, its schedule, and a rule for changes of the stack.")
	s.logGroup("RetuneLogGroup", "/${AWS::StackName}/retune")
	addRetuneFunctions(s)
	s.machine(machine{
		name: retuneMachine, definition: "statemachines/retune.asl.json",
		logGroup: "/aws/vendedlogs/states/${AWS::StackName}-retune",
		functions: map[string]string{
			"MeasureFunctionArn": "RetuneMeasure", "DecideFunctionArn": "RetuneDecide",
			"ApplyFunctionArn": "RetuneApply", "PublishFunctionArn": "RetunePublish",
		},
	})

	s.resource("RetuneTimerRole", starter(schedulerService, retuneMachine))
	s.resource("RetuneTimer", &scheduler.Schedule{
		Description:        new("Starts a retune every so often"),
		ScheduleExpression: cfn.Ref("RetuneSchedule"),
		State:              new(cfn.Ref("RetuneState")),
		FlexibleTimeWindow: &scheduler.Schedule_FlexibleTimeWindow{Mode: "OFF"},
		Target: &scheduler.Schedule_Target{
			Arn: cfn.Ref(machineID(retuneMachine)), RoleArn: cfn.GetAtt("RetuneTimerRole", "Arn"),
			Input: new(`{"reason":"schedule"}`),
			// One that is still not started after ten minutes can wait for the next.
			RetryPolicy: &scheduler.Schedule_RetryPolicy{
				MaximumEventAgeInSeconds: new(600.0), MaximumRetryAttempts: new(10.0),
			},
		},
	})
	s.resource("StackUpdateRuleRole", starter(eventsService, retuneMachine))
	s.resource("StackUpdateRule", &events.Rule{
		Description:  new("Starts a retune when an update of this stack has ended, well or rolled back"),
		State:        new(cfn.Ref("RetuneState")),
		EventPattern: stackStatus("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
		Targets: []events.Rule_Target{{
			Id: "retune", Arn: cfn.Ref(machineID(retuneMachine)),
			RoleArn:     new(cfn.GetAtt("StackUpdateRuleRole", "Arn")),
			Input:       new(`{"reason":"stack update"}`),
			RetryPolicy: &events.Rule_RetryPolicy{MaximumEventAgeInSeconds: new(3600), MaximumRetryAttempts: new(10)},
		}},
	})
}

func addRetuneFunctions(s *stack) {
	policies := map[string]string{
		"SCALABLE_RESOURCE_ID": scalableResourceID(),
		"BACKLOG_POLICY_NAME":  policyName("backlog"),
		"RATE_POLICY_NAME":     policyName("rate"),
	}
	metrics := map[string]string{
		"METRIC_NAMESPACE":      metricNamespace,
		"METRIC_TYPE":           metricType,
		"QUEUE_NAME":            queueName(),
		"TUNING_PARAMETER_NAME": tuningParameterName(),
	}
	promise := map[string]string{
		"ACCEPTABLE_DELAY_SECONDS": cfn.Ref("AcceptableDelaySeconds"),
		"METRIC_PERIOD_SECONDS":    cfn.Ref("MetricPeriodSeconds"),
	}
	s.function(function{
		name: "RetuneMeasure", folder: "functions/retune/measure/",
		description: "Measures processing duration and promise, reads the targets in force",
		timeout:     60, logGroup: "RetuneLogGroup",
		environment: union(policies, metrics, promise, map[string]string{
			"CLUSTER_NAME":           clusterName(),
			"SERVICE_NAME":           serviceName(),
			"RETUNE_WINDOW_MINUTES":  cfn.Ref("RetuneWindowMinutes"),
			"RETUNE_MINIMUM_SAMPLES": cfn.Ref("RetuneMinimumSamples"),
			"RETUNE_MAXIMUM_FACTOR":  cfn.Ref("RetuneMaximumFactor"),
		}),
		permissions: []any{
			allowAnywhere(nil, "application-autoscaling:DescribeScalingPolicies", "cloudwatch:GetMetricData"),
			allow(tuningParameterARN(), "ssm:GetParameter"),
		},
	})
	s.function(function{
		name: "RetuneDecide", folder: "functions/retune/decide/",
		description: "Decides what the targets should be; calls nothing",
		timeout:     10, logGroup: "RetuneLogGroup",
		environment: union(promise, map[string]string{
			"HEADROOM":           cfn.Ref("Headroom"),
			"UTILIZATION":        cfn.Ref("Utilization"),
			"WORKER_CONCURRENCY": cfn.Ref("WorkerConcurrency"),
		}),
	})
	s.function(function{
		name: "RetuneApply", folder: "functions/retune/apply/",
		description: "Writes both targets into the scaling policies",
		timeout:     60, logGroup: "RetuneLogGroup",
		environment: policies,
		permissions: putScalingPolicy(),
	})
	s.function(function{
		name: "RetunePublish", folder: "functions/retune/publish/",
		description: "Publishes the targets as metrics and records the measurement",
		timeout:     30, logGroup: "RetuneLogGroup",
		environment: metrics,
		permissions: []any{publishMetrics(), allow(tuningParameterARN(), "ssm:PutParameter")},
	})
}

// putScalingPolicy permits to change the target of a policy of the service.
// Application Auto Scaling does what that takes in the caller's name, so the
// caller must be permitted to do it.
func putScalingPolicy() []any {
	alarms := subWith("arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:"+
		"alarm:TargetTracking-service/${Cluster}/${Service.Name}-*", map[string]any{"Cluster": clusterName()})
	return []any{
		allowAnywhere(nil, "application-autoscaling:DescribeScalingPolicies"),
		statement{
			Comment: "AWS makes the id of a scalable target and tells nobody; the condition says which kind it is.",
			Effect:  "Allow", Action: []string{"application-autoscaling:PutScalingPolicy"},
			Resource: arn("application-autoscaling", "scalable-target/*"),
			Condition: map[string]any{"StringEquals": map[string]string{
				"application-autoscaling:service-namespace":  "ecs",
				"application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
			}},
		},
		allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:UpdateService"),
		statement{
			Comment: "The alarms of this service's tracking policies; AWS adds a random ending.",
			Effect:  "Allow", Resource: alarms,
			Action: []string{"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"},
		},
		statement{
			Comment: "They are looked for among all alarms.",
			Effect:  "Allow", Action: []string{"cloudwatch:DescribeAlarms"}, Resource: arn("cloudwatch", "alarm:*"),
		},
	}
}

func union(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

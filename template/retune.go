package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/events"
	"github.com/awslabs/goformation/v7/cloudformation/logs"
	"github.com/awslabs/goformation/v7/cloudformation/scheduler"
)

const retuneMachine = "Retune"

func retuneParameters() []parameter {
	return []parameter{
		text("RetuneSchedule", "Schedule", "rate(1 hour)", `^(rate|cron)\(.+\)$`,
			"When a retune starts: a rate or cron expression."),
		choice("RetuneState", "State", "String", "ENABLED", []any{"ENABLED", "DISABLED"},
			"Whether retunes start by themselves: on the schedule, on drift and after an update of the stack."),
		number("RetuneMinimumSamples", "Fewest samples", 30, 1, 1000000,
			"Messages that must have been measured before a retune changes anything."),
		number("RetuneWindowMinutes", "Window (min)", 1440, 0.017, 1440,
			"Minutes before a retune over which durations are measured, a day at most."),
		number("RetuneMaximumFactor", "Largest change", 4, 1.1, 1000,
			"Most that one retune multiplies or divides the processing duration by."),
		number("RetuneWatchMinutes", "Watch (min)", 30, 0, 1440,
			"Minutes that a change is watched. If it made things worse, it is taken back. 0 watches nothing."),
		choice("RetuneChoice", "Who chooses", "String", "replay", []any{"replay", "formula"},
			"Whether a retune chooses headroom, utilisation and the task bounds by replaying what was measured "+
				"(replay), within MinTasks and MaxTasks, or takes them as they are (formula)."),
		number("RetuneReplayMinutes", "Replay (min)", 1440, 0.017, 1440,
			"Minutes before a retune that are replayed for a choice by replay, a day at most."),
		number("DriftFactor", "Drift", 1.5, 1.1, 1000,
			"A retune starts at once when the measured duration is more than this many times the one that the targets "+
				"are made for, or less than its inverse; and sooner where many messages make it certain."),
		number("DriftPeriods", "Drift (periods)", 5, 1, 60,
			"Whole metric periods in a row, with data, that the duration must be so far off."),
		number("RetunePauseSeconds", "Pause (s)", 900, 1, 21600,
			"Seconds until another retune when the duration is still far off after one. Four of them are the time in "+
				"which drift starts four retunes at most: an hour."),
	}
}

// retuneName is the machine's name. Its functions need its ARN, which cannot be
// a reference: the machine refers to them.
const retuneName = "retune"

func retuneARN() string { return arn("states", "stateMachine:${AWS::StackName}-"+retuneName) }

// againName is the schedule of a retune that another one found due. The stack
// does not make it, and it deletes itself.
func againName() string { return cfn.Sub("${AWS::StackName}-retune-again") }

// boundsOwner says who moves the bounds of the task count within MinTasks and
// MaxTasks: the retune or the band.
func boundsOwner() string { return either(bandEnabled, "band", "retune") }

// addRetune makes the machine that measures the processing duration and moves
// both targets to it, and what starts it: a schedule, a change of the stack,
// drift, and itself.
func addRetune(s *stack) {
	s.heading("The retune: a state machine, its schedule, and a rule for changes of the stack.")
	s.logGroup("RetuneLogGroup", "/${AWS::StackName}/retune")
	s.heading("One line for each retune. Step Functions forgets an execution after 90 days; these stay.")
	s.resource("RetuneRunLogGroup", &logs.LogGroup{
		LogGroupName:                         new(cfn.Sub("/${AWS::StackName}/retunes")),
		RetentionInDays:                      new(3653), // ten years of an hourly line are 100 MB
		AWSCloudFormationDeletionPolicy:      "Delete",
		AWSCloudFormationUpdateReplacePolicy: "Delete",
	})
	addRetuneFunctions(s)
	s.machine(machine{
		name: retuneMachine, definition: "statemachines/retune.asl.json", title: retuneName,
		logGroup: "/aws/vendedlogs/states/${AWS::StackName}-retune",
		functions: map[string]string{
			"TurnFunctionArn": "RetuneTurn", "MeasureFunctionArn": "RetuneMeasure", "DecideFunctionArn": "RetuneDecide",
			"ApplyFunctionArn": "RetuneApply", "PublishFunctionArn": "RetunePublish",
			"AgainFunctionArn": "RetuneAgain", "CompareFunctionArn": "RetuneCompare",
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
			Input: new(`{"reason":"schedule","onBusy":"skip"}`),
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
	addDrift(s)
}

func addRetuneFunctions(s *stack) {
	policies := map[string]string{
		"SCALABLE_RESOURCE_ID": scalableResourceID(),
		"BACKLOG_POLICY_NAME":  policyName("backlog"),
		"RATE_POLICY_NAME":     policyName("rate"),
	}
	metrics := map[string]string{
		"METRIC_NAMESPACE": metricNamespace,
		"METRIC_TYPE":      metricType,
		"QUEUE_NAME":       queueName(),
	}
	place := map[string]string{
		"CLUSTER_NAME": clusterName(),
		"SERVICE_NAME": serviceName(),
	}
	record := map[string]string{"TUNING_PARAMETER_NAME": tuningParameterName()}
	delay := map[string]string{"ACCEPTABLE_DELAY_SECONDS": cfn.Ref("AcceptableDelaySeconds")}
	period := map[string]string{"METRIC_PERIOD_SECONDS": cfn.Ref("MetricPeriodSeconds")}
	drift := map[string]string{
		"DRIFT_FACTOR":  cfn.Ref("DriftFactor"),
		"DRIFT_PERIODS": cfn.Ref("DriftPeriods"),
	}
	alarm := map[string]string{"DRIFT_ALARM_NAME": driftAlarmName()}
	bounds := map[string]string{"TASK_BOUNDS_OWNER": boundsOwner()}
	pause := map[string]string{"RETUNE_PAUSE_SECONDS": cfn.Ref("RetunePauseSeconds")}
	add := func(f function) {
		f.folder, f.logGroup = "functions/retune/"+f.folder+"/", "RetuneLogGroup"
		s.function(f)
	}
	add(function{
		name: "RetuneTurn", folder: "turn", timeout: 30,
		description: "Checks the input of a retune, and whether another one goes first",
		environment: union(metrics, pause, map[string]string{
			"RETUNE_WINDOW_MINUTES":  cfn.Ref("RetuneWindowMinutes"),
			"RETUNE_MINIMUM_SAMPLES": cfn.Ref("RetuneMinimumSamples"),
			"RETUNE_MAXIMUM_FACTOR":  cfn.Ref("RetuneMaximumFactor"),
			"RETUNE_WATCH_MINUTES":   cfn.Ref("RetuneWatchMinutes"),
			"RETUNE_CHOICE":          cfn.Ref("RetuneChoice"),
		}),
		permissions: []any{
			allowAnywhere(nil, "cloudwatch:GetMetricData"),
			allow(retuneARN(), "states:ListExecutions"),
			statement{
				Comment: "An execution has a random name.",
				Effect:  "Allow", Action: []string{"states:DescribeExecution", "states:GetExecutionHistory"},
				Resource: arn("states", "execution:${AWS::StackName}-"+retuneName+":*"),
			},
		},
	})
	add(function{
		name: "RetuneMeasure", folder: "measure", timeout: 60,
		description: "Measures processing duration and promise, reads what is in force",
		environment: union(policies, metrics, place, record, delay, period, drift, alarm, map[string]string{
			"RETUNE_REPLAY_MINUTES": cfn.Ref("RetuneReplayMinutes"),
		}),
		permissions: []any{
			allowAnywhere(nil, "application-autoscaling:DescribeScalableTargets",
				"application-autoscaling:DescribeScalingPolicies", "cloudwatch:GetMetricData"),
			allow(tuningParameterARN(), "ssm:GetParameter"),
			allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:ListServiceDeployments"),
			lookForAlarms(),
		},
	})
	add(function{
		name: "RetuneDecide", folder: "decide", timeout: 30, memory: 1769, // one vCPU, for replays
		description: "Decides what the settings should be; calls nothing",
		environment: union(delay, period, drift, bounds, map[string]string{
			"HEADROOM":           cfn.Ref("Headroom"),
			"UTILIZATION":        cfn.Ref("Utilization"),
			"WORKER_CONCURRENCY": cfn.Ref("WorkerConcurrency"),
			"MIN_TASKS":          cfn.Ref("MinTasks"),
			"MAX_TASKS":          cfn.Ref("MaxTasks"),

			"SCALE_OUT_COOLDOWN_SECONDS": cfn.Ref("ScaleOutCooldownSeconds"),
			"SCALE_IN_COOLDOWN_SECONDS":  cfn.Ref("ScaleInCooldownSeconds"),
		}),
	})
	add(function{
		name: "RetuneApply", folder: "apply", timeout: 60,
		description: "Writes the settings into scaling policies, scalable target and drift alarm",
		environment: union(policies, alarm, bounds),
		permissions: append(putScalingPolicy(), allow(driftAlarmARN(), "cloudwatch:PutMetricAlarm")),
	})
	add(function{
		name: "RetunePublish", folder: "publish", timeout: 30,
		description: "Makes a retune known: metrics, its line in the log, and the record of what was measured",
		environment: union(metrics, record, drift, map[string]string{
			"RUN_LOG_GROUP": cfn.Ref("RetuneRunLogGroup"),
			"RETUNE_STATE":  cfn.Ref("RetuneState"),
		}),
		permissions: []any{
			publishMetrics(), allow(tuningParameterARN(), "ssm:PutParameter"), writeLogs("RetuneRunLogGroup"),
		},
	})
	add(function{
		name: "RetuneCompare", folder: "compare", timeout: 60,
		description: "Compares how the promise is kept with how it was before a change",
		environment: union(policies, metrics, place, record, period),
		permissions: []any{
			allowAnywhere(nil, "application-autoscaling:DescribeScalingPolicies", "cloudwatch:GetMetricData"),
			allow(tuningParameterARN(), "ssm:GetParameter"),
			allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:ListServiceDeployments"),
		},
	})
	s.resource("RetuneAgainTimerRole", role(schedulerService, "Starts the retune that another one found due",
		allow(retuneARN(), "states:StartExecution")))
	add(function{
		name: "RetuneAgain", folder: "again", timeout: 15,
		description: "Lets another retune start after a pause",
		environment: union(pause, map[string]string{
			"AGAIN_SCHEDULE_NAME":   againName(),
			"RETUNE_TIMER_ROLE_ARN": cfn.GetAtt("RetuneAgainTimerRole", "Arn"),
		}),
		permissions: []any{
			allow(arn("scheduler", "schedule/default/${AWS::StackName}-retune-again"), "scheduler:CreateSchedule",
				"scheduler:GetSchedule", "scheduler:UpdateSchedule"),
			statement{
				Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: cfn.GetAtt("RetuneAgainTimerRole", "Arn"),
				Condition: equals("iam:PassedToService", schedulerService),
			},
		},
	})
}

// putScalingPolicy permits to change the target of a policy of the service, and
// the bounds of its scalable target.
// Application Auto Scaling does what that takes in the caller's name, so the
// caller must be permitted to do it.
func putScalingPolicy() []any {
	alarms := subWith("arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:"+
		"alarm:TargetTracking-service/${Cluster}/${Service.Name}-*", map[string]any{"Cluster": clusterName()})
	return []any{
		allowAnywhere(nil, "application-autoscaling:DescribeScalableTargets",
			"application-autoscaling:DescribeScalingPolicies"),
		statement{
			Comment: "AWS makes the id of a scalable target and tells nobody; the condition says which kind it is.",
			Effect:  "Allow", Action: []string{"application-autoscaling:PutScalingPolicy",
				"application-autoscaling:RegisterScalableTarget"},
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
		lookForAlarms(),
	}
}

// lookForAlarms permits to find an alarm, also one whose name is known.
func lookForAlarms() statement {
	return statement{
		Comment: "They are looked for among all alarms.",
		Effect:  "Allow", Action: []string{"cloudwatch:DescribeAlarms"}, Resource: arn("cloudwatch", "alarm:*"),
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

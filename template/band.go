package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/scheduler"
	"github.com/awslabs/goformation/v7/cloudformation/ssm"
)

const (
	bandMachine = "Band"
	bandEnabled = "BandEnabled" // condition
)

func bandParameters() []parameter {
	return []parameter{
		choice("BandState", "State", "String", "DISABLED", []any{"ENABLED", "DISABLED"},
			"Whether the bounds of the task count follow the live queue, within MinTasks and MaxTasks, with both "+
				"targets inside them. For bursts that target tracking cannot keep up with; about 3 USD a month. "+
				"DISABLED gives the bounds back at once."),
		number("BandLookSeconds", "Time between looks (s)", 20, 0.1, 20,
			"Seconds from look to look. On AWS it is 20: three looks a minute."),
		number("BandCeilingSeconds", "Give the ceiling back after (s)", 300, 1, 86400,
			"Seconds without a look after which the most tasks are MaxTasks again."),
		number("BandFloorSeconds", "Give the floor back after (s)", 3600, 1, 86400,
			"Seconds without a look after which the fewest tasks are MinTasks again."),
	}
}

func bandParameterName() string { return cfn.Sub("/${AWS::StackName}/band") }

func bandParameterARN() string { return arn("ssm", "parameter/${AWS::StackName}/band") }

// addBand makes the machine that moves the bounds of the task count three times
// a minute, and what says whose the bounds are.
//
// All of it is made whatever BandState says, and costs nothing while it is off.
// So switching it on or off changes a schedule and asks the switch, which is
// there in both directions: a resource that goes with its condition would only
// be deleted after the update, with the limits of before.
func addBand(s *stack) {
	s.condition(bandEnabled, cfn.Equals(cfn.Ref("BandState"), "ENABLED"))

	s.heading("The band: a state machine that moves the bounds of the task count, and its schedule.")
	s.logGroup("BandLogGroup", "/${AWS::StackName}/band")
	s.resource("BandParameter", &ssm.Parameter{
		Name: new(bandParameterName()), Type: "String", Value: "{}",
		Description: new("Whose the bounds of the task count are, and what the band remembers from look to look"),
	})
	addBandFunctions(s)
	s.machine(machine{
		name: bandMachine, definition: "statemachines/band.asl.json", express: true,
		logGroup: "/aws/vendedlogs/states/${AWS::StackName}-band",
		functions: map[string]string{
			"LookFunctionArn": "BandLook", "DecideFunctionArn": "BandDecide", "ArmFunctionArn": "BandArm",
			"MoveFunctionArn": "BandMove", "RememberFunctionArn": "BandRemember",
		},
		substitutions: map[string]string{"LookSeconds": cfn.Ref("BandLookSeconds")},
	})
	s.resource("BandTimerRole", starter(schedulerService, bandMachine))
	s.resource("BandTimer", &scheduler.Schedule{
		Description:        new("Starts three looks a minute"),
		ScheduleExpression: "rate(1 minute)",
		State:              new(cfn.Ref("BandState")),
		FlexibleTimeWindow: &scheduler.Schedule_FlexibleTimeWindow{Mode: "OFF"},
		Target: &scheduler.Schedule_Target{
			Arn: cfn.Ref(machineID(bandMachine)), RoleArn: cfn.GetAtt("BandTimerRole", "Arn"),
			Input: new("{}"),
			// One that cannot be started is not missed: the next one follows in a minute.
			RetryPolicy: &scheduler.Schedule_RetryPolicy{
				MaximumEventAgeInSeconds: new(60.0), MaximumRetryAttempts: new(0.0),
			},
		},
	})
	s.heading("Whose the bounds are: the band's, or those of this template.")
	// It refers to the target and the schedule, so it comes after them: what it
	// sets stays, and no look follows. When the stack is deleted it goes first.
	s.resource("BandSwitch", customResource{
		kind: "BandSwitch", function: functionID("BandSwitch"),
		properties: map[string]any{
			"ServiceTimeout": 120, // seconds; without it a function that dies holds the stack for an hour

			"State":     cfn.Ref("BandState"),
			"MinTasks":  cfn.Ref("MinTasks"),
			"MaxTasks":  cfn.Ref("MaxTasks"),
			"Parameter": cfn.Ref("BandParameter"),
			"Schedule":  cfn.Ref("BandTimer"),
			"Target":    cfn.Ref("ScalableTarget"),
		},
	})
}

func addBandFunctions(s *stack) {
	state := map[string]string{"BAND_PARAMETER_NAME": bandParameterName()}
	target := union(state, map[string]string{"SCALABLE_RESOURCE_ID": scalableResourceID()})
	limits := map[string]string{"MIN_TASKS": cfn.Ref("MinTasks"), "MAX_TASKS": cfn.Ref("MaxTasks")}
	readState := allow(bandParameterARN(), "ssm:GetParameter")
	writeState := allow(bandParameterARN(), "ssm:GetParameter", "ssm:PutParameter")
	add := func(f function) {
		f.folder, f.logGroup, f.memory = "functions/band/"+f.folder+"/", "BandLogGroup", 128
		s.function(f)
	}
	add(function{
		name: "BandLook", folder: "look", timeout: 8,
		description: "Counts messages and tasks, reads bounds and metrics",
		environment: union(target, map[string]string{
			"QUEUE_URL":                  queueURL(),
			"QUEUE_NAME":                 queueName(),
			"CLUSTER_NAME":               clusterName(),
			"SERVICE_NAME":               serviceName(),
			"METRIC_NAMESPACE":           metricNamespace,
			"METRIC_TYPE":                metricType,
			"METRIC_PERIOD_SECONDS":      cfn.Ref("MetricPeriodSeconds"),
			"BAND_LOOK_SECONDS":          cfn.Ref("BandLookSeconds"),
			"INITIAL_PROCESSING_SECONDS": cfn.Ref("InitialProcessingSeconds"),
		}),
		permissions: []any{
			allow(queueARN(), "sqs:GetQueueAttributes"),
			allow(cfn.Ref("Service"), "ecs:DescribeServices"),
			allowAnywhere(nil, "application-autoscaling:DescribeScalableTargets", "cloudwatch:GetMetricStatistics"),
			writeState,
		},
	})
	add(function{
		name: "BandDecide", folder: "decide", timeout: 3,
		description: "Decides where the bounds should be, and logs each look; calls nothing",
		environment: union(limits, map[string]string{
			"ACCEPTABLE_DELAY_SECONDS": cfn.Ref("AcceptableDelaySeconds"),
			"WORKER_CONCURRENCY":       cfn.Ref("WorkerConcurrency"),
			"BAND_LOOK_SECONDS":        cfn.Ref("BandLookSeconds"),
		}),
	})
	add(function{
		name: "BandArm", folder: "arm", timeout: 8,
		description: "Puts off the scheduled actions that give the bounds back",
		environment: union(target, limits, map[string]string{
			"BAND_CEILING_SECONDS": cfn.Ref("BandCeilingSeconds"),
			"BAND_FLOOR_SECONDS":   cfn.Ref("BandFloorSeconds"),
		}),
		permissions: []any{onScalableTarget("application-autoscaling:PutScheduledAction"), readState},
	})
	add(function{
		name: "BandMove", folder: "move", timeout: 8, description: "Writes the bounds of the task count",
		environment: union(target, limits),
		permissions: []any{
			onScalableTarget("application-autoscaling:RegisterScalableTarget"), changeCount(), readState,
		},
	})
	add(function{
		name: "BandRemember", folder: "remember", timeout: 8,
		description: "Keeps what the next run of the band should know",
		environment: state, permissions: []any{writeState},
	})
	add(function{
		name: "BandSwitch", folder: "switch", timeout: 60,
		description: "Hands the bounds of the task count to the band, and takes them back",
		environment: target,
		permissions: []any{
			allowAnywhere(nil, "application-autoscaling:DescribeScalableTargets"),
			onScalableTarget("application-autoscaling:DeleteScheduledAction",
				"application-autoscaling:RegisterScalableTarget"),
			changeCount(), writeState,
		},
	})
}

// onScalableTarget permits actions on the target of an ECS service's count.
func onScalableTarget(actions ...string) statement {
	return statement{
		Comment: "AWS makes the id of a scalable target and tells nobody; the condition says which kind it is.",
		Effect:  "Allow", Action: actions, Resource: arn("application-autoscaling", "scalable-target/*"),
		Condition: map[string]any{"StringEquals": map[string]string{
			"application-autoscaling:service-namespace":  "ecs",
			"application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
		}},
	}
}

// changeCount permits what Application Auto Scaling does in the name of who
// moves the bounds.
func changeCount() statement {
	return allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:UpdateService")
}

// addBandAlarm tells when the looks fail or have stopped. It is one alarm for
// both, and the machine tells nobody itself: one run that failed is no news, for
// the next follows in a minute. Where no run ends well there is no data, so that
// is what it tells of; an alarm that is just made has none either and is quiet.
func addBandAlarm(s *stack) {
	a := alarm{
		description: "No run of the band has ended well for 5 periods: its looks fail, or have stopped. Scheduled " +
			"actions give the bounds back to target tracking; look at the band's logs.",
		metrics:    []metric{executions("ended", "ExecutionsSucceeded", bandMachine)},
		comparison: below, threshold: 1, periods: 5, datapoints: 5,
		actions: []string{cfn.Ref("NotificationTopic")}, condition: bandEnabled,
	}
	s.resource("BandFailedAlarm", with(a.resource(), properties{
		"TreatMissingData": "missing", "InsufficientDataActions": a.actions,
	}))
}

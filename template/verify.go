package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/cloudwatch"
)

const (
	verifyMachine = "Verify"
	// verifyTitle names the machine below the stack, because the role of the
	// tasks has to know it before the machine exists.
	verifyTitle = "verify"
	// verifying is the alarm during which others are held back.
	verifying = "VerificationAlarm"
)

func verifyParameters() []parameter {
	return []parameter{
		choice("WorkerAnswersCanaries", "Worker answers canaries", "String", "true", []any{"true", "false"},
			"Whether the worker answers canaries (docs/worker-contract.md). One that does not is judged by what comes "+
				"of its messages alone."),
		number("VerifyRolloutSeconds", "Longest rollout (s)", 1800, 0.1, 7200,
			"Longest wait, in seconds, until the tasks of a new version run."),
		number("VerifyStartSeconds", "Start of a task (s)", 90, 0.1, 3600,
			"Time, in seconds, that a task may take to start. A canary waits for it, and for twice the wait of other "+
				"messages."),
		number("VerifySoakSeconds", "Watch after a rollout (s)", 300, 0.1, 7200,
			"How long, in seconds, the outcome of a new version is watched before it counts as proven."),
		number("VerifyBaselineSeconds", "Time compared with (s)", 3600, 0.1, 1209600,
			"Seconds before the rollout with which the new version is compared."),
		number("VerifyMaximumSlowdown", "Largest slowdown", 2, 1, 100,
			"By what factor the 95th percentile of the processing duration may grow."),
		number("VerifyRollbackSeconds", "Longest rollback (s)", 900, 0.1, 7200,
			"Longest wait, in seconds, until the service runs the version from before again."),
	}
}

// addVerify makes the machine that proves a rollout of the worker and takes a
// bad one back.
func addVerify(s *stack) {
	s.heading("The proof of a deployment: a state machine that the pipeline starts, or a person.")
	s.logGroup("VerifyLogGroup", "/${AWS::StackName}/verify")
	addVerifyFunctions(s)
	s.machine(machine{
		name: verifyMachine, definition: "statemachines/verify.asl.json", title: verifyTitle,
		logGroup: "/aws/vendedlogs/states/${AWS::StackName}-verify",
		functions: map[string]string{
			"PrepareFunctionArn": "VerifyPrepare", "RolloutFunctionArn": "VerifyRollout",
			"OutcomeFunctionArn": "VerifyOutcome", "RollbackFunctionArn": "VerifyRollback",
			"ReportFunctionArn": "VerifyReport",
		},
		substitutions: map[string]string{"QueueUrl": queueURL()},
		permissions:   []any{allow(queueARN(), "sqs:SendMessage")}, // canaries
	})
}

func addVerifyFunctions(s *stack) {
	place := map[string]string{
		"CLUSTER_NAME": clusterName(), "SERVICE_NAME": serviceName(), "CONTAINER_NAME": workerContainer,
	}
	measure := map[string]string{
		"METRIC_NAMESPACE":      metricNamespace,
		"METRIC_TYPE":           metricType,
		"METRIC_PERIOD_SECONDS": cfn.Ref("MetricPeriodSeconds"),
		"QUEUE_NAME":            queueName(),
		"DEAD_LETTER_QUEUE_URL": deadLetterQueueURL(),
	}
	measuring := []any{
		allowAnywhere(nil, "cloudwatch:GetMetricData"),
		onlyIf("HasDeadLetterQueue", allow(deadLetterQueueARN(), "sqs:GetQueueAttributes")),
	}
	add := func(f function) {
		f.folder, f.timeout, f.logGroup = "functions/verify/"+f.folder+"/", 30, "VerifyLogGroup"
		s.function(f)
	}
	add(function{
		name: "VerifyPrepare", folder: "prepare",
		description: "Finds the version that is verified, and how things stood before",
		environment: union(place, measure, map[string]string{
			"QUEUE_TYPE":               queueType(),
			"ACCEPTABLE_DELAY_SECONDS": cfn.Ref("AcceptableDelaySeconds"),
			"WORKER_ANSWERS_CANARIES":  cfn.Ref("WorkerAnswersCanaries"),
			"VERIFY_ROLLOUT_SECONDS":   cfn.Ref("VerifyRolloutSeconds"),
			"VERIFY_START_SECONDS":     cfn.Ref("VerifyStartSeconds"),
			"VERIFY_SOAK_SECONDS":      cfn.Ref("VerifySoakSeconds"),
			"VERIFY_BASELINE_SECONDS":  cfn.Ref("VerifyBaselineSeconds"),
			"VERIFY_ROLLBACK_SECONDS":  cfn.Ref("VerifyRollbackSeconds"),
		}),
		permissions: append([]any{
			allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:ListServiceDeployments"), readRevisions(),
			allowAnywhere(nil, "ecs:DescribeTaskDefinition"),
		}, measuring...),
	})
	add(function{
		name: "VerifyRollout", folder: "rollout",
		description: "Tells how the rollout stands; asks for a task where none is wanted",
		environment: place,
		permissions: []any{
			allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService"),
			readRevisions(),
		},
	})
	add(function{
		name: "VerifyOutcome", folder: "outcome", description: "Judges what has come of the version until now",
		environment: union(place, measure, map[string]string{
			"QUEUE_URL": queueURL(), "VERIFY_MAXIMUM_SLOWDOWN": cfn.Ref("VerifyMaximumSlowdown"),
		}),
		permissions: append([]any{
			allow(queueARN(), "sqs:GetQueueAttributes"),
			allow(cfn.Ref("Service"), "ecs:DescribeServices"),
			listTasks(),
			statement{
				Comment: "The ids of tasks are not known before they run.",
				Effect:  "Allow", Action: []string{"ecs:DescribeTasks"}, Resource: inCluster("task/${Cluster}/*"),
			},
		}, measuring...),
	})
	add(function{
		name: "VerifyRollback", folder: "rollback", description: "Takes the version back, and tells how that stands",
		environment: place, permissions: changeTaskDefinition(),
	})
	add(function{
		name: "VerifyReport", folder: "report", description: "Tells how the verification ended; calls nothing",
	})
}

// listTasks permits to find the tasks of the cluster.
func listTasks() statement {
	return statement{
		Comment: "Tasks are listed by their container instance, which Fargate has not, so the condition says where.",
		Effect:  "Allow", Action: []string{"ecs:ListTasks"}, Resource: "*",
		Condition: map[string]any{"ArnEquals": map[string]any{"ecs:cluster": inCluster("cluster/${Cluster}")}},
	}
}

// readRevisions permits to read what the service's deployments brought.
func readRevisions() statement {
	return statement{
		Comment: "A revision of the service has a number as its id.",
		Effect:  "Allow", Action: []string{"ecs:DescribeServiceRevisions"},
		Resource: subWith("arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:"+
			"service-revision/${Cluster}/${Service.Name}/*", map[string]any{"Cluster": clusterName()}),
	}
}

// addVerificationAlarms makes the alarm that is on while a version is rolled
// out or verified, and for an hour after one was found bad. It tells nobody.
// The alarms that a bad version sets off are held back by it: the verification
// tells of them, once and with the reason. What still is wrong when it goes off
// is told then.
//
// Nothing counts the executions that are running, so those are taken that began
// in the last 45 periods: longer than a verification takes with the defaults,
// unless the rollout is slow. (A verification has told by then, or its failure
// is counted.)
func addVerificationAlarms(s *stack) {
	quiet := func(id string, a alarm) { s.resource(id, a.resource()) }
	quiet("DeploymentAlarm", alarm{
		description: "More than one version of the worker runs: a deployment is under way. Tells nobody.",
		metrics: []metric{{id: "deployments", namespace: "ECS/ContainerInsights", name: "DeploymentCount",
			stat: "Maximum", dimensions: ofService()}},
		comparison: above, threshold: 1, periods: 3, datapoints: 1,
	})
	quiet("VerificationStartedAlarm", alarm{
		description: "A verification began in the last 45 periods. Tells nobody.",
		metrics:     []metric{executions("started", "ExecutionsStarted", verifyMachine)},
		comparison:  above, threshold: 0, periods: 45, datapoints: 1,
	})
	quiet("VerificationFailedAlarm", alarm{
		description: "A verification did not end well in the last 60 periods, and has told so. Tells nobody.",
		metrics:     []metric{executions("failed", "ExecutionsFailed", verifyMachine)},
		comparison:  above, threshold: 0, periods: 60, datapoints: 1,
	})
	s.resource(verifying, &cloudwatch.CompositeAlarm{
		AlarmDescription: new("A version is rolled out or verified, or has just been found bad. Tells nobody, and " +
			"holds the alarms back that a bad version sets off."),
		AlarmRule: cfn.Sub(`ALARM("${DeploymentAlarm}") OR ALARM("${VerificationStartedAlarm}") OR ` +
			`ALARM("${VerificationFailedAlarm}")`),
	})
}

// heldBack is the alarm that tells of another one, unless a version is being
// verified.
func heldBack(id string, a alarm, actions []string) cfn.Resource {
	return with(&cloudwatch.CompositeAlarm{
		AlarmDescription:           &a.description,
		AlarmRule:                  cfn.Sub(`ALARM("${` + id + `}")`),
		AlarmActions:               actions,
		ActionsSuppressor:          new(cfn.GetAtt(verifying, "Arn")),
		AWSCloudFormationCondition: a.condition,
	}, properties{
		// Whichever comes first, the other may come a period later.
		"ActionsSuppressorWaitPeriod":      cfn.Ref("MetricPeriodSeconds"),
		"ActionsSuppressorExtensionPeriod": cfn.Ref("MetricPeriodSeconds"),
	})
}

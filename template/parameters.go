package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

// parameterGroup is a block of the console's form.
type parameterGroup struct {
	label      string
	parameters []parameter
}

// parameter is one question of the form. Every parameter has a default, so that
// a plain `sam deploy` asks nothing.
type parameter struct {
	name, label string
	cfn.Parameter
}

func addParameters(s *stack) {
	groups := []parameterGroup{
		{"The promise: how soon a message is started", promiseParameters()},
		{"How many tasks", scalingParameters()},
		{"The worker", workerParameters()},
		{"The queue", queueParameters()},
		{"Where it runs", placeParameters()},
		{"Retuning", retuneParameters()},
		{"The band", bandParameters()},
		{"Proving a deployment of the worker", verifyParameters()},
		{"The pipeline", pipelineParameters()},
		{"Notifications and logs", reportParameters()},
	}
	var form []any
	labels := map[string]any{}
	for _, g := range groups {
		var names []string
		for _, p := range g.parameters {
			s.parameter(p.name, p.Parameter)
			names = append(names, p.name)
			labels[p.name] = map[string]string{"default": p.label}
		}
		form = append(form, map[string]any{"Label": map[string]string{"default": g.label}, "Parameters": names})
	}
	s.template.Metadata["AWS::CloudFormation::Interface"] = map[string]any{
		"ParameterGroups": form,
		"ParameterLabels": labels,
	}
}

func promiseParameters() []parameter {
	return []parameter{
		number("AcceptableDelaySeconds", "Acceptable delay (s)", 60, 0.001, 86400,
			"Longest time that a message may wait before a worker starts it, in seconds."),
		number("InitialProcessingSeconds", "Processing duration to begin with (s)", 5, 0.001, 43200,
			"Processing duration of a message, in seconds, from which the first targets are computed. "+
				"Measured durations replace it."),
		number("Headroom", "Headroom", 4, 0, 100,
			"How much of what a task can work off within the acceptable delay it may hold as a backlog: "+
				"0 is nothing but what it works on, 1 is all of it. "+
				"With RetuneChoice replay, retunes choose it from what is measured."),
		number("Utilization", "Wanted utilisation", 0.8, 0.01, 0.99,
			"Share of the time that a task is meant to be busy, between 0 and 1. "+
				"Less is more tasks and shorter waits. "+
				"With RetuneChoice replay, retunes choose it from what is measured."),
	}
}

func scalingParameters() []parameter {
	return []parameter{
		number("MinTasks", "Fewest tasks", 1, 0, 5000,
			"Fewest tasks that run. With 0 the last one is stopped when there is nothing to do, and the first "+
				"message after that waits for one to start."),
		number("MaxTasks", "Most tasks", 10, 1, 5000, "Most tasks that run. Not below MinTasks."),
		number("ScaleOutCooldownSeconds", "Cooldown after adding tasks (s)", 300, 0, 86400,
			"Whole seconds after tasks were added before their effect is judged. "+
				"Below the delay of the metrics, about 255, old figures add tasks twice."),
		number("ScaleInCooldownSeconds", "Cooldown after removing tasks (s)", 300, 0, 86400,
			"Whole seconds after tasks were removed before more are."),
		number("MetricPeriodSeconds", "Metric period (s)", 60, 1, 1440,
			"Whole seconds of one datapoint of the metrics. On AWS it is 60: SQS and ECS publish no finer ones."),
		choice("SpotShare", "Share of Spot (%)", "Number", 0, []any{0, 25, 50, 75, 100},
			"Percent of the tasks that run on FARGATE_SPOT: about 70 % cheaper, stopped with two minutes of warning."),
	}
}

func workerParameters() []parameter {
	return []parameter{
		text("WorkerImage", "Image", "", `^\S*$`,
			"Image of the worker, by digest at best. Blank: built from this checkout, and changed by the pipeline or "+
				"by a deployment whose worker is another one."),
		number("WorkerConcurrency", "Messages at once", 1, 1, 1000, "Messages that one task processes at once."),
		choice("TaskCpu", "CPU units", "Number", 256, []any{256, 512, 1024, 2048, 4096},
			"CPU units of a task; 1024 are one vCPU."),
		number("TaskMemory", "Memory (MiB)", 512, 512, 30720,
			"Memory of a task in MiB. Which sizes go with which CPU is checked."),
		number("ProtectionSpellSeconds", "Longest spell of task protection (s)", 600, 0.1, 172800,
			"Longest time without a break, in seconds, that a busy task protects itself from being stopped. "+
				"It takes breaks so that scale-in and deployments come to an end under a steady load."),
		choice("EnableExec", "ECS Exec", "String", "false", []any{"true", "false"},
			"Whether a shell can be opened in a task (ECS Exec). It needs a writable root file system, which is "+
				"read-only otherwise."),
	}
}

func queueParameters() []parameter {
	const arn = `^$|^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?$`
	return []parameter{
		choice("QueueType", "Type", "String", "standard", []any{"standard", "fifo"},
			"Type of the queues that the stack makes. A change makes new ones and leaves the old ones, "+
				"with what is in them, to you: drain them first. "+
				"Of no effect with QueueArn, whose name tells its type."),
		number("VisibilityTimeoutSeconds", "Visibility timeout (s)", 120, 2, 43200,
			"Whole seconds that a received message stays hidden. The worker extends it while it works, so this is "+
				"how long a message of a dead worker waits for the next. With QueueArn give that queue's own."),
		number("MaxReceiveCount", "Receives before set aside", 5, 1, 1000,
			"Receives after which a message goes to the dead-letter queue."),
		text("QueueArn", "Existing queue", "", arn,
			"ARN of an existing queue in this account and Region. Blank: queue and dead-letter queue are made. "+
				"If it is encrypted with a key of yours, that key must admit the roles of this stack."),
		text("DeadLetterQueueArn", "Existing dead-letter queue", "", arn,
			"ARN of an existing dead-letter queue of the same type, in this account and Region. "+
				"Blank: one is made for a queue that is made."),
	}
}

func placeParameters() []parameter {
	return []parameter{
		text("ClusterName", "Existing cluster", "", `^$|^[A-Za-z0-9_-]{1,255}$`,
			"Name of an existing ECS cluster with Container Insights and the capacity provider FARGATE, with a "+
				"SpotShare FARGATE_SPOT too. Blank: one is made."),
		text("VpcId", "Existing VPC", "", `^$|^vpc-[0-9a-f]+$`,
			"Id of an existing VPC. Blank: one with three zones, public and private subnets and one NAT gateway is "+
				"made (the Region needs three zones)."),
		text("SubnetIds", "Existing subnets", "", `^$|^subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*$`,
			"Ids of the subnets in VpcId in which tasks run, separated by commas. They need a way to the AWS APIs."),
		choice("AssignPublicIp", "Public addresses", "String", "DISABLED", []any{"ENABLED", "DISABLED"},
			"Whether a task gets a public address: ENABLED for public subnets in VpcId, which have no NAT gateway."),
	}
}

func reportParameters() []parameter {
	days := []any{ // that CloudWatch Logs knows
		1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
	}
	return []parameter{
		text("NotificationEmail", "E-mail", "", `^$|^[^@\s]+@[^@\s]+\.[^@\s]+$`,
			"Address that gets alarms and failures, after it has confirmed. Blank: subscribe to the topic yourself."),
		choice("LogRetentionDays", "Keep logs (days)", "Number", 90, days, "Days that logs are kept."),
	}
}

func number(name, label string, value, least, most float64, description string) parameter {
	return parameter{name, label, cfn.Parameter{
		Type: "Number", Description: &description, Default: value, MinValue: &least, MaxValue: &most,
	}}
}

func text(name, label, value, pattern, description string) parameter {
	return parameter{name, label, cfn.Parameter{
		Type: "String", Description: &description, Default: value, AllowedPattern: &pattern,
		ConstraintDescription: new(name + " must match " + pattern),
	}}
}

func choice(name, label, kind string, value any, allowed []any, description string) parameter {
	return parameter{name, label, cfn.Parameter{
		Type: kind, Description: &description, Default: value, AllowedValues: allowed,
	}}
}

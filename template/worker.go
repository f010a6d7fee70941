package main

import (
	"strconv"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/ecs"
)

// stopTimeout is how long a task may take to finish after SIGTERM, in seconds:
// the longest that Fargate grants.
const stopTimeout = 120

func addWorker(s *stack) {
	s.condition("MakeCluster", blank("ClusterName"))
	s.condition("ExecEnabled", cfn.Equals(cfn.Ref("EnableExec"), "true"))

	s.condition("UsesSpot", cfn.Not([]string{cfn.Equals(cfn.Ref("SpotShare"), "0")}))

	// CloudFormation cannot compute 100 - SpotShare, so both weights are looked up.
	s.mapping("CapacityWeights", map[string]any{
		"0":   map[string]int{"OnDemand": 1, "Spot": 0},
		"25":  map[string]int{"OnDemand": 3, "Spot": 1},
		"50":  map[string]int{"OnDemand": 1, "Spot": 1},
		"75":  map[string]int{"OnDemand": 1, "Spot": 3},
		"100": map[string]int{"OnDemand": 0, "Spot": 1},
	})

	s.heading("The worker: cluster, task and service.")
	s.resource("Cluster", &ecs.Cluster{
		CapacityProviders: []string{"FARGATE", "FARGATE_SPOT"},
		// The scaling policies count tasks with Container Insights.
		ClusterSettings: []ecs.Cluster_ClusterSettings{
			{Name: new("containerInsights"), Value: new("enabled")},
		},
		AWSCloudFormationCondition: "MakeCluster",
	})
	s.logGroup("WorkerLogGroup", "/${AWS::StackName}/worker")
	addTaskRoles(s)
	s.resource("TaskDefinition", taskDefinition(s.arch))
	s.resource("Service", service())
}

func capacityWeight(of string) string {
	return cfn.FindInMap("CapacityWeights", cfn.Ref("SpotShare"), of)
}

func clusterName() string {
	return either("MakeCluster", cfn.Ref("Cluster"), cfn.Ref("ClusterName"))
}

func serviceName() string { return cfn.GetAtt("Service", "Name") }

// scalableResourceID is what Application Auto Scaling calls the service.
func scalableResourceID() string {
	return subWith("service/${Cluster}/${Service.Name}", map[string]any{"Cluster": clusterName()})
}

func addTaskRoles(s *stack) {
	s.resource("TaskRole", role(tasksService, "What the worker does",
		allow(queueARN(), "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"),
		onlyIf("HasDeadLetterQueue", allow(deadLetterQueueARN(), "sqs:SendMessage")),
		publishMetrics(),
		statement{
			Comment: "The ids of tasks are not known before they run.",
			Effect:  "Allow", Action: []string{"ecs:UpdateTaskProtection"},
			Resource: inCluster("task/${Cluster}/*"),
		},
		statement{
			Comment: "Answers to canaries. The machine needs the service, which needs this role: so only by its name.",
			Effect:  "Allow", Action: []string{"states:SendTaskFailure", "states:SendTaskSuccess"},
			Resource: arn("states", "stateMachine:${AWS::StackName}-"+verifyTitle),
		},
		onlyIf("ExecEnabled", allowAnywhere(nil,
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel")),
	))
	s.resource("ExecutionRole", role(tasksService, "What ECS does to start the worker: pull its image, open its log",
		writeLogs("WorkerLogGroup"),
		allowAnywhere(nil, "ecr:GetAuthorizationToken"),
		statement{
			Comment: "A WorkerImage may be in any repository of the account.",
			Effect:  "Allow",
			Resource: either(buildWorkerImage,
				cfn.GetAtt("WorkerRepository", "Arn"), arn("ecr", "repository/*")),
			Action: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
		},
	))
}

func taskDefinition(arch string) cfn.Resource {
	platform := map[string]string{archX86: "X86_64", archARM: "ARM64"}[arch]
	container := ecs.TaskDefinition_ContainerDefinition{
		Name:        workerContainer,
		Image:       image(),
		Essential:   new(true),
		StopTimeout: new(stopTimeout),
		User:        new("65532:65532"), // nobody, by convention of images without a shell
		Environment: taskEnvironment(),
		HealthCheck: &ecs.TaskDefinition_HealthCheck{
			Command: []string{"CMD", "/worker", "-health"},
			// Seconds, and how often in a row it may fail.
			StartPeriod: new(30), Interval: new(30), Timeout: new(5), Retries: new(3),
		},
		LogConfiguration: &ecs.TaskDefinition_LogConfiguration{
			LogDriver: "awslogs",
			Options: map[string]string{
				"awslogs-group":         cfn.Ref("WorkerLogGroup"),
				"awslogs-region":        cfn.Ref("AWS::Region"),
				"awslogs-stream-prefix": "worker",
			},
		},
	}
	return with(&ecs.TaskDefinition{
		Family:                  new(cfn.Sub("${AWS::StackName}-worker")),
		RequiresCompatibilities: []string{"FARGATE"},
		NetworkMode:             new("awsvpc"),
		RuntimePlatform: &ecs.TaskDefinition_RuntimePlatform{
			CpuArchitecture: &platform, OperatingSystemFamily: new("LINUX"),
		},
		Cpu:                  new(cfn.Ref("TaskCpu")),
		Memory:               new(cfn.Ref("TaskMemory")),
		TaskRoleArn:          new(cfn.GetAtt("TaskRole", "Arn")),
		ExecutionRoleArn:     new(cfn.GetAtt("ExecutionRole", "Arn")),
		ContainerDefinitions: []ecs.TaskDefinition_ContainerDefinition{container},
		// CloudFormation would deregister the replaced revision, which is the one to roll back to.
		AWSCloudFormationDeletionPolicy:      "Retain",
		AWSCloudFormationUpdateReplacePolicy: "Retain",
	}, properties{
		// ECS Exec writes into the task and starts its agent there.
		"ContainerDefinitions.0.ReadonlyRootFilesystem": either("ExecEnabled", false, true),
		"ContainerDefinitions.0.LinuxParameters": either("ExecEnabled",
			map[string]any{"InitProcessEnabled": true},
			map[string]any{"Capabilities": map[string]any{"Drop": []string{"ALL"}}}),
	})
}

// taskEnvironment has no WORKER_VERSION: a deployment of the pipeline keeps the
// environment and changes the image, whose digest the worker knows from ECS.
func taskEnvironment() []ecs.TaskDefinition_KeyValuePair {
	variables := []struct{ name, value string }{
		{"QUEUE_URL", queueURL()},
		{"QUEUE_NAME", queueName()},
		{"DEAD_LETTER_QUEUE_URL", deadLetterQueueURL()},
		{"WORKER_CONCURRENCY", cfn.Ref("WorkerConcurrency")},
		{"VISIBILITY_TIMEOUT_SECONDS", cfn.Ref("VisibilityTimeoutSeconds")},
		{"ACCEPTABLE_DELAY_SECONDS", cfn.Ref("AcceptableDelaySeconds")},
		{"METRIC_NAMESPACE", metricNamespace},
		{"METRIC_TYPE", metricType},
		{"METRIC_PERIOD_SECONDS", cfn.Ref("MetricPeriodSeconds")},
		{"STOP_TIMEOUT_SECONDS", strconv.Itoa(stopTimeout)},
		{"PROTECTION_SPELL_SECONDS", cfn.Ref("ProtectionSpellSeconds")},
		{"LOG_LEVEL", "INFO"},
	}
	var environment []ecs.TaskDefinition_KeyValuePair
	for _, v := range variables {
		environment = append(environment, ecs.TaskDefinition_KeyValuePair{Name: new(v.name), Value: new(v.value)})
	}
	return environment
}

// service has no DesiredCount: that is the scaling policies' to set, and a
// deployment of the stack must not reset it.
func service() cfn.Resource {
	return with(&ecs.Service{
		Cluster:              new(clusterName()),
		TaskDefinition:       new(cfn.Ref("TaskDefinition")),
		PropagateTags:        new("SERVICE"),
		EnableECSManagedTags: new(true),
		CapacityProviderStrategy: []ecs.Service_CapacityProviderStrategyItem{
			{CapacityProvider: new("FARGATE")}, {},
		},
		DeploymentConfiguration: &ecs.Service_DeploymentConfiguration{
			MinimumHealthyPercent: new(66), MaximumPercent: new(200),
			DeploymentCircuitBreaker: &ecs.Service_DeploymentCircuitBreaker{Enable: true, Rollback: true},
		},
		NetworkConfiguration: &ecs.Service_NetworkConfiguration{
			AwsvpcConfiguration: &ecs.Service_AwsVpcConfiguration{
				AssignPublicIp: new(cfn.Ref("AssignPublicIp")),
				SecurityGroups: []string{cfn.Ref("WorkerSecurityGroup")},
			},
		},
		AWSCloudFormationMetadata: map[string]any{"cfn-lint": map[string]any{
			commentKey: "SubnetIds are split only when they are not blank.",
			"config":   map[string]any{"ignore_checks": []string{"W1033"}},
		}},
	}, properties{
		"PlatformVersion":                   afterNetwork("LATEST"),
		"CapacityProviderStrategy.0.Weight": capacityWeight("OnDemand"),
		// An existing cluster may not know Spot, and must not have to when none is wanted.
		"CapacityProviderStrategy.1": onlyIf("UsesSpot", map[string]any{
			"CapacityProvider": "FARGATE_SPOT", "Weight": capacityWeight("Spot"),
		}),
		"EnableExecuteCommand":                             cfn.Ref("EnableExec"),
		"NetworkConfiguration.AwsvpcConfiguration.Subnets": taskSubnets(),
	})
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/ecr"
	"github.com/awslabs/goformation/v7/cloudformation/events"
	"github.com/awslabs/goformation/v7/cloudformation/lambda"
)

const (
	buildWorkerImage = "BuildWorkerImage" // condition: no image is given
	workerImage      = "WorkerImage"      // the function that makes it
	workerImageID    = "WorkerImageResource"
	restoreImage     = "RestoreImage"
	workerContainer  = "worker" // in the task definition
)

// imagesKept is how many images the repository keeps, the newest ones. The
// registry does not know which of them run, so there is room for far more than
// anybody deploys before the running one is replaced. One is about 5 MB.
const imagesKept = 500

// image is what the task definition runs.
func image() string {
	return either(buildWorkerImage, cfn.GetAtt(workerImageID, "ImageUri"), cfn.Ref("WorkerImage"))
}

// imageRecordName is the parameter in which the image's function remembers its
// answers. The stack does not make it: its value is not the template's.
func imageRecordName() string { return cfn.Sub("/${AWS::StackName}/worker-image") }

func imageRecordARN() string { return arn("ssm", "parameter/${AWS::StackName}/worker-image") }

// addWorkerImage makes the worker's image from the binary that `sam build` put
// beside the function, before there is a service, and decides at each update of
// the stack which image the service runs (internal/workerimage says how).
//
// CloudFormation asks again only when a property changed. So whatever enters
// the task definition or the service is a property here, their text included:
// each time that CloudFormation is about to write one of them, it has just been
// told the image that runs, which may be the pipeline's.
func addWorkerImage(s *stack) {
	s.condition(buildWorkerImage, blank("WorkerImage"))

	s.heading("The worker's image, when none is given: built by `sam build`, pushed while the stack is made.")
	s.resource("WorkerRepository", repository())
	s.logGroupIf(buildWorkerImage, "WorkerImageLogGroup", "/${AWS::StackName}/worker-image")
	environment := map[string]string{
		"CONTAINER_NAME":        workerContainer,
		"SERVICE_LOGICAL_ID":    "Service",
		"RECORD_PARAMETER_NAME": imageRecordName(),
	}
	s.function(function{
		name: workerImage, folder: "functions/workerimage/",
		description: "Makes the worker's image, and answers which image the service runs",
		timeout:     300, memory: 1024, logGroup: "WorkerImageLogGroup", environment: environment,
		permissions: []any{
			allow(imageRecordARN(), "ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"),
			allowAnywhere(nil, "ecr:GetAuthorizationToken"),
			pushImages(),
			statement{
				Comment: "The last part is a random id, which a call by name does not have.",
				Effect:  "Allow", Resource: arn("cloudformation", "stack/${AWS::StackName}/*"),
				Action: []string{"cloudformation:DescribeStackResource", "cloudformation:DescribeStacks"},
			},
			statement{
				Comment: "The service is made after its image, so its name is not known here.",
				Effect:  "Allow", Action: []string{"ecs:DescribeServices"}, Resource: inCluster("service/${Cluster}/*"),
			},
			allowAnywhere(nil, "ecs:DescribeTaskDefinition"),
		},
		condition: buildWorkerImage, makefile: true, versioned: true,
	})
	s.resource(workerImageID, customResource{kind: workerImage, function: functionID(workerImage),
		properties: imageProperties(s.arch), condition: buildWorkerImage})
	addRestoreImage(s, environment)
}

func repository() *ecr.Repository {
	rules, err := json.Marshal(map[string]any{"rules": []any{map[string]any{
		"rulePriority": 1, "description": "Keep the newest images",
		"selection": map[string]any{
			"tagStatus": "tagged", "tagPrefixList": []string{"worker-"},
			"countType": "imageCountMoreThan", "countNumber": imagesKept,
		},
		"action": map[string]any{"type": "expire"},
	}}})
	if err != nil {
		panic(err) // literals
	}
	return &ecr.Repository{
		ImageTagMutability:         new("IMMUTABLE"),
		ImageScanningConfiguration: &ecr.Repository_ImageScanningConfiguration{ScanOnPush: new(true)},
		EncryptionConfiguration:    &ecr.Repository_EncryptionConfiguration{EncryptionType: "AES256"},
		LifecyclePolicy:            &ecr.Repository_LifecyclePolicy{LifecyclePolicyText: new(string(rules))},
		// A repository that is not empty would stop the deletion of the stack.
		EmptyOnDelete:              new(true),
		AWSCloudFormationCondition: buildWorkerImage,

		AWSCloudFormationDeletionPolicy: "Delete", AWSCloudFormationUpdateReplacePolicy: "Delete",
	}
}

// pushImages permits what a push takes, as the registry's documentation lists it.
func pushImages() statement {
	return allow(cfn.GetAtt("WorkerRepository", "Arn"),
		"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
		"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")
}

// inCluster is the ARN of something of ECS that is named below the cluster,
// ${Cluster} in the text.
func inCluster(rest string) string {
	return subWith("arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:"+rest,
		map[string]any{"Cluster": clusterName()})
}

func imageProperties(arch string) map[string]any {
	return map[string]any{
		"ServiceTimeout": 360, // seconds; without it a function that dies holds the stack for an hour

		"RepositoryUri": cfn.GetAtt("WorkerRepository", "RepositoryUri"),
		"Worker":        cfn.Ref(functionID(workerImage) + ".Version"),

		"TaskCpu":                  cfn.Ref("TaskCpu"),
		"TaskMemory":               cfn.Ref("TaskMemory"),
		"EnableExec":               cfn.Ref("EnableExec"),
		"QueueUrl":                 queueURL(),
		"QueueName":                queueName(),
		"DeadLetterQueueUrl":       deadLetterQueueURL(),
		"WorkerConcurrency":        cfn.Ref("WorkerConcurrency"),
		"VisibilityTimeoutSeconds": cfn.Ref("VisibilityTimeoutSeconds"),
		"AcceptableDelaySeconds":   cfn.Ref("AcceptableDelaySeconds"),
		"MetricPeriodSeconds":      cfn.Ref("MetricPeriodSeconds"),
		"ProtectionSpellSeconds":   cfn.Ref("ProtectionSpellSeconds"),
		"LogGroupName":             cfn.Ref("WorkerLogGroup"),
		"TaskRoleArn":              cfn.GetAtt("TaskRole", "Arn"),
		"ExecutionRoleArn":         cfn.GetAtt("ExecutionRole", "Arn"),

		"ClusterName":    clusterName(),
		"SpotShare":      cfn.Ref("SpotShare"),
		"Subnets":        taskSubnets(),
		"SecurityGroup":  cfn.Ref("WorkerSecurityGroup"),
		"AssignPublicIp": cfn.Ref("AssignPublicIp"),
		"TaskDigest":     taskDigest(arch),
	}
}

// taskDigest changes when the text of the task definition or the service does.
func taskDigest(arch string) string {
	hash := sha256.New()
	for _, r := range []cfn.Resource{taskDefinition(arch), service()} {
		raw, err := json.Marshal(r)
		if err != nil {
			panic(err) // render would fail on the same resource
		}
		hash.Write(raw)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// addRestoreImage makes what looks at the service after a rollback of the stack.
// CloudFormation goes back to the task definition that it wrote last; what ran
// before the update may have been the pipeline's.
func addRestoreImage(s *stack, environment map[string]string) {
	s.heading("After a rollback of the stack the service runs the image from before it.")
	s.function(function{
		name: restoreImage, folder: "functions/workerimage/restore/",
		description: "Gives the service back the image from before a rolled back update of the stack",
		timeout:     60, logGroup: "WorkerImageLogGroup", environment: environment,
		permissions: append([]any{
			allow(imageRecordARN(), "ssm:GetParameter", "ssm:PutParameter"),
			statement{
				Comment: "The last part is a random id, which a call by name does not have.",
				Effect:  "Allow", Action: []string{"cloudformation:DescribeStackResource"},
				Resource: arn("cloudformation", "stack/${AWS::StackName}/*"),
			},
			allowAnywhere(nil, "ecs:DescribeTaskDefinition"),
		}, changeTaskDefinition()...),
		condition: buildWorkerImage,
	})
	s.resource("RestoreImageRule", &events.Rule{
		Description:                new("Looks at the service's image when an update of this stack was rolled back"),
		EventPattern:               stackStatus("UPDATE_ROLLBACK_COMPLETE"),
		AWSCloudFormationCondition: buildWorkerImage,
		Targets: []events.Rule_Target{{
			Id: "restore", Arn: cfn.GetAtt(functionID(restoreImage), "Arn"), Input: new("{}"),
			RetryPolicy: &events.Rule_RetryPolicy{MaximumEventAgeInSeconds: new(3600), MaximumRetryAttempts: new(10)},
		}},
	})
	s.resource("RestoreImagePermission", &lambda.Permission{
		Action: "lambda:InvokeFunction", FunctionName: cfn.Ref(functionID(restoreImage)), Principal: eventsService,
		SourceArn:                  new(cfn.GetAtt("RestoreImageRule", "Arn")),
		AWSCloudFormationCondition: buildWorkerImage,
	})
}

// stackStatus is the pattern of events of this stack's reaching a status.
func stackStatus(statuses ...string) map[string]any {
	return map[string]any{
		"source":      []string{"aws.cloudformation"},
		"detail-type": []string{"CloudFormation Stack Status Change"},
		"detail": map[string]any{
			"stack-id":       []string{cfn.Ref("AWS::StackId")},
			"status-details": map[string]any{"status": statuses},
		},
	}
}

// changeTaskDefinition permits to give the service another task definition,
// which hands the roles of its tasks on.
func changeTaskDefinition() []any {
	return []any{
		allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:UpdateService"),
		passTaskRoles(),
	}
}

func passTaskRoles() statement {
	pass := allow([]string{cfn.GetAtt("TaskRole", "Arn"), cfn.GetAtt("ExecutionRole", "Arn")}, "iam:PassRole")
	pass.Condition = equals("iam:PassedToService", tasksService)
	return pass
}

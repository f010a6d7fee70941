package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/codebuild"
	"github.com/awslabs/goformation/v7/cloudformation/codepipeline"
	"github.com/awslabs/goformation/v7/cloudformation/iam"
	"github.com/awslabs/goformation/v7/cloudformation/s3"
)

const (
	hasPipeline    = "HasPipeline"    // condition: a repository is named
	usesConnection = "UsesConnection" // condition: and a connection to it
)

// Names in the pipeline.
const (
	sourceAction, buildAction, deployAction, verifyAction = "Source", "Build", "Deploy", "Verify"

	sourceArtifact, buildArtifact = "Source", "Build"
)

// sources are the files whose change starts the pipeline: what is tested or
// enters the image. Documents are not among them. (At most eight patterns.)
var sources = []string{"**/*.go", "go.mod", "go.sum", "internal/**", "worker/**", "template.yaml"}

func pipelineParameters() []parameter {
	return []parameter{
		text("RepositoryOwner", "Owner of the repository", "", `^$|^[A-Za-z0-9][A-Za-z0-9._/-]*$`,
			"User or organisation that owns the repository. Blank: no pipeline."),
		text("RepositoryName", "Repository", "", `^$|^[A-Za-z0-9._-]+$`,
			"Name of the repository whose pushes are built, deployed and proven."),
		text("RepositoryBranch", "Branch", "main", `^[A-Za-z0-9._/-]+$`, "Branch whose pushes are deployed."),
		text("ConnectionArn", "Connection", "",
			`^$|^arn:[a-z-]+:(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/[a-z0-9-]+$`,
			"ARN of a connection to the repository's host (Developer Tools, Settings, Connections), which has been "+
				"confirmed. Blank: GitHubTokenSecret."),
		text("GitHubTokenSecret", "Secret of a GitHub token", "ecs-github-token", `^[A-Za-z0-9/_+=.@-]+$`,
			"Deprecated, for those who have one: name of a secret of the Secrets Manager that holds a GitHub token as "+
				"plain text. Read only without ConnectionArn; pushes are then found by polling, documents included."),
	}
}

// addPipeline makes what takes a push to a proven deployment.
func addPipeline(s *stack) {
	s.condition(hasPipeline, cfn.And([]string{given("RepositoryOwner"), holds(buildWorkerImage)}))
	s.condition(usesConnection, cfn.And([]string{holds(hasPipeline), given("ConnectionArn")}))

	s.heading("From a push to a proven deployment, when a repository is named.")
	addArtifactBucket(s)
	s.logGroupIf(hasPipeline, "BuildLogGroup", "/${AWS::StackName}/build")
	addBuildProject(s)
	r := pipelineRole()
	r.AWSCloudFormationCondition = hasPipeline
	s.resource("PipelineRole", r)
	s.resource("Pipeline", pipeline())
}

// addArtifactBucket makes the bucket that actions hand each other their files
// through. CloudFormation cannot delete a bucket that holds something, and the
// files are worth nothing after a month: so the bucket stays, and empties itself.
func addArtifactBucket(s *stack) {
	s.resource("ArtifactBucket", &s3.Bucket{
		BucketEncryption: &s3.Bucket_BucketEncryption{
			ServerSideEncryptionConfiguration: []s3.Bucket_ServerSideEncryptionRule{{
				ServerSideEncryptionByDefault: &s3.Bucket_ServerSideEncryptionByDefault{SSEAlgorithm: "AES256"},
			}},
		},
		PublicAccessBlockConfiguration: &s3.Bucket_PublicAccessBlockConfiguration{
			BlockPublicAcls: new(true), BlockPublicPolicy: new(true),
			IgnorePublicAcls: new(true), RestrictPublicBuckets: new(true),
		},
		OwnershipControls: &s3.Bucket_OwnershipControls{
			Rules: []s3.Bucket_OwnershipControlsRule{{ObjectOwnership: new("BucketOwnerEnforced")}},
		},
		LifecycleConfiguration: &s3.Bucket_LifecycleConfiguration{Rules: []s3.Bucket_Rule{{
			Id: new("empty"), Status: "Enabled", ExpirationInDays: new(30),
			AbortIncompleteMultipartUpload: &s3.Bucket_AbortIncompleteMultipartUpload{DaysAfterInitiation: 1},
		}}},
		AWSCloudFormationCondition: hasPipeline,

		AWSCloudFormationDeletionPolicy: "Retain", AWSCloudFormationUpdateReplacePolicy: "Retain",
	})
	s.resource("ArtifactBucketPolicy", &s3.BucketPolicy{
		Bucket: cfn.Ref("ArtifactBucket"),
		PolicyDocument: policyOf(tlsOnly(
			[]string{cfn.GetAtt("ArtifactBucket", "Arn"), cfn.Sub("${ArtifactBucket.Arn}/*")}, "s3:*")),
		AWSCloudFormationCondition: hasPipeline,
		// The bucket stays, so what protects it does.
		AWSCloudFormationDeletionPolicy: "Retain", AWSCloudFormationUpdateReplacePolicy: "Retain",
	})
}

// artifacts permits what an action does with the files of the pipeline.
func artifacts() []any {
	return []any{
		statement{
			Comment: "Each execution has keys of its own.",
			Effect:  "Allow", Action: []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"},
			Resource: cfn.Sub("${ArtifactBucket.Arn}/*"),
		},
		allow(cfn.GetAtt("ArtifactBucket", "Arn"), "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"),
	}
}

func addBuildProject(s *stack) {
	r := role(buildService, "Tests the source, builds the worker's image and pushes it", append([]any{
		writeLogs("BuildLogGroup"), allowAnywhere(nil, "ecr:GetAuthorizationToken"), pushImages(),
	}, artifacts()...)...)
	r.AWSCloudFormationCondition = hasPipeline
	s.resource("BuildRole", r)

	environment := map[string]struct{ kind, image string }{
		archX86: {"LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:5.0"},
		archARM: {"ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:3.0"},
	}[s.arch]
	s.resource("BuildProject", &codebuild.Project{
		Description: new("Tests the source, builds the worker's image and pushes it"),
		ServiceRole: cfn.GetAtt("BuildRole", "Arn"),
		Source:      &codebuild.Project_Source{Type: "CODEPIPELINE", BuildSpec: new("worker/buildspec.yml")},
		Artifacts:   &codebuild.Project_Artifacts{Type: "CODEPIPELINE"},
		Environment: &codebuild.Project_Environment{
			Type: environment.kind, Image: environment.image, ComputeType: "BUILD_GENERAL1_MEDIUM",
			PrivilegedMode: new(false), // the image is built without Docker
			EnvironmentVariables: []codebuild.Project_EnvironmentVariable{
				{Name: "REPOSITORY_URI", Value: cfn.GetAtt("WorkerRepository", "RepositoryUri")},
				{Name: "CONTAINER_NAME", Value: workerContainer},
			},
		},
		// Modules and compiled packages, on the host: there when builds follow each other, and free.
		Cache: &codebuild.Project_ProjectCache{Type: "LOCAL", Modes: []string{"LOCAL_CUSTOM_CACHE"}},
		LogsConfig: &codebuild.Project_LogsConfig{CloudWatchLogs: &codebuild.Project_CloudWatchLogsConfig{
			Status: "ENABLED", GroupName: new(cfn.Ref("BuildLogGroup")),
		}},
		TimeoutInMinutes: new(30), QueuedTimeoutInMinutes: new(60),
		AWSCloudFormationCondition: hasPipeline,
	})
}

// pipelineRole permits what the actions do, as their references list it.
func pipelineRole() *iam.Role {
	return role(pipelineService, "Runs the actions of the pipeline", append(artifacts(),
		onlyIf(usesConnection, allow(cfn.Ref("ConnectionArn"),
			"codeconnections:UseConnection", "codestar-connections:UseConnection")),
		// The connection's action uploads with an ACL (aws-cdk's pipelines grant this, too).
		onlyIf(usesConnection, statement{
			Comment: "Each execution has keys of its own.",
			Effect:  "Allow", Action: []string{"s3:PutObjectAcl"}, Resource: cfn.Sub("${ArtifactBucket.Arn}/*"),
		}),
		allow(cfn.GetAtt("BuildProject", "Arn"), "codebuild:BatchGetBuilds", "codebuild:StartBuild"),
		allow(cfn.Ref("Service"), "ecs:DescribeServices", "ecs:UpdateService"),
		statement{
			Comment: "A task definition is not there before it is registered, and is described by its number.",
			Effect:  "Allow", Resource: "*",
			Action: []string{"ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"},
		},
		statement{
			Comment: "The tags of a revision that is being registered, whose number is not known.",
			Effect:  "Allow", Action: []string{"ecs:TagResource"},
			Resource:  arn("ecs", "task-definition/${AWS::StackName}-worker:*"),
			Condition: equals("ecs:CreateAction", "RegisterTaskDefinition"),
		},
		statement{
			Comment: "The ids of tasks are not known before they run.",
			Effect:  "Allow", Action: []string{"ecs:DescribeTasks"}, Resource: inCluster("task/${Cluster}/*"),
		},
		listTasks(),
		passTaskRoles(),
		allow(cfn.Ref(machineID(verifyMachine)), "states:DescribeStateMachine", "states:StartExecution"),
		statement{
			Comment: "Executions are named by the pipeline.",
			Effect:  "Allow", Action: []string{"states:DescribeExecution"},
			Resource: arn("states", "execution:${AWS::StackName}-"+verifyTitle+":*"),
		},
	)...)
}

func pipeline() cfn.Resource {
	type declaration = codepipeline.Pipeline_ActionDeclaration
	action := func(name, category, provider string, configuration map[string]any) declaration {
		return declaration{
			Name: name, Configuration: configuration, RunOrder: new(1),
			ActionTypeId: &codepipeline.Pipeline_ActionTypeId{
				Category: category, Owner: "AWS", Provider: provider, Version: "1",
			},
		}
	}
	input := func(name string) []codepipeline.Pipeline_InputArtifact {
		return []codepipeline.Pipeline_InputArtifact{{Name: name}}
	}
	output := func(name string) []codepipeline.Pipeline_OutputArtifact {
		return []codepipeline.Pipeline_OutputArtifact{{Name: name}}
	}
	connected := action(sourceAction, "Source", "CodeStarSourceConnection", map[string]any{
		"ConnectionArn":        cfn.Ref("ConnectionArn"),
		"FullRepositoryId":     cfn.Sub("${RepositoryOwner}/${RepositoryName}"),
		"BranchName":           cfn.Ref("RepositoryBranch"),
		"OutputArtifactFormat": "CODE_ZIP",
	})
	connected.OutputArtifacts = output(sourceArtifact)
	token := action(sourceAction, "Source", "GitHub", map[string]any{
		"Owner": cfn.Ref("RepositoryOwner"), "Repo": cfn.Ref("RepositoryName"), "Branch": cfn.Ref("RepositoryBranch"),
		"OAuthToken":           cfn.Sub("{{resolve:secretsmanager:${GitHubTokenSecret}}}"),
		"PollForSourceChanges": "true",
	})
	token.ActionTypeId.Owner = "ThirdParty"
	token.OutputArtifacts = output(sourceArtifact)

	build := action(buildAction, "Build", "CodeBuild", map[string]any{"ProjectName": cfn.Ref("BuildProject")})
	build.InputArtifacts, build.OutputArtifacts = input(sourceArtifact), output(buildArtifact)

	deploy := action(deployAction, "Deploy", "ECS", map[string]any{
		"ClusterName": clusterName(), "ServiceName": serviceName(), "FileName": "imagedefinitions.json",
		// Minutes. The action does not notice when ECS gives a rollout up; ECS's own event tells that at once.
		"DeploymentTimeout": "30",
	})
	deploy.InputArtifacts = input(buildArtifact)

	verify := action(verifyAction, "Invoke", "StepFunctions", map[string]any{
		"StateMachineArn": cfn.Ref(machineID(verifyMachine)),
		"InputType":       "FilePath", "Input": "verification.json",
		"ExecutionNamePrefix": "pipeline",
	})
	verify.InputArtifacts, verify.RunOrder = input(buildArtifact), new(2)

	return with(&codepipeline.Pipeline{
		PipelineType: new("V2"),
		// One push after the other through every stage: a version that is being proven is not overtaken.
		ExecutionMode: new("QUEUED"),
		RoleArn:       cfn.GetAtt("PipelineRole", "Arn"),
		ArtifactStore: &codepipeline.Pipeline_ArtifactStore{Type: "S3", Location: cfn.Ref("ArtifactBucket")},
		Stages: []codepipeline.Pipeline_StageDeclaration{
			{Name: "Source", Actions: []declaration{{}}},
			{Name: "Build", Actions: []declaration{build}},
			// Nothing is rolled back by the stage: the circuit breaker and the verification do that.
			{Name: "Deploy", Actions: []declaration{deploy, verify}},
		},
		AWSCloudFormationCondition: hasPipeline,
	}, properties{
		"Stages.0.Actions.0": either(usesConnection, connected, token),
		"Triggers": onlyIf(usesConnection, []codepipeline.Pipeline_PipelineTriggerDeclaration{{
			ProviderType: "CodeStarSourceConnection",
			GitConfiguration: &codepipeline.Pipeline_GitConfiguration{
				SourceActionName: sourceAction,
				Push: []codepipeline.Pipeline_GitPushFilter{{
					Branches: &codepipeline.Pipeline_GitBranchFilterCriteria{
						Includes: []string{cfn.Ref("RepositoryBranch")},
					},
					FilePaths: &codepipeline.Pipeline_GitFilePathFilterCriteria{Includes: sources},
				}},
			},
		}}),
	})
}

package main

import (
	"strings"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/events"
)

// told is an event that the topic is told of, as a text for people.
type told struct {
	description string
	pattern     map[string]any
	// values of the event that the text names as <value>, by their paths.
	values    map[string]string
	lines     []string // as for Fn::Sub, which knows ${Cluster} besides
	condition string
}

// tell makes the rule. It needs no notification rule of the Developer Tools,
// and so no service-linked role that somebody has to make once per account.
func (s *stack) tell(id string, event told) {
	// One quoted string a line: EventBridge takes no line break inside one.
	var template strings.Builder
	for i, line := range event.lines {
		if i > 0 {
			template.WriteString("\n")
		}
		template.WriteString(`"` + line + `"`)
	}
	text := cfn.Sub(template.String())
	if strings.Contains(template.String(), "${Cluster}") {
		text = subWith(template.String(), map[string]any{"Cluster": clusterName()})
	}
	s.resource(id, &events.Rule{
		Description: &event.description, EventPattern: event.pattern,
		AWSCloudFormationCondition: event.condition,
		Targets: []events.Rule_Target{{
			Id: "topic", Arn: cfn.Ref("NotificationTopic"),
			InputTransformer: &events.Rule_InputTransformer{
				InputPathsMap: event.values, InputTemplate: text,
			},
			RetryPolicy: &events.Rule_RetryPolicy{MaximumEventAgeInSeconds: new(3600), MaximumRetryAttempts: new(10)},
		}},
	})
}

// addDeploymentEvents tells the topic how deployments end.
//
// Each failure is told by whoever knows most of it, and only by that: a rollout
// that ECS gives up by ECS, within a minute; an action of the pipeline by the
// pipeline; a bad version by the verification, whose action is therefore told of
// only when it did not even start one. That an execution of the pipeline failed
// is no news after that. (The Deploy action does not notice that ECS gave up and
// fails half an hour later; the text says so.)
func addDeploymentEvents(s *stack) {
	const (
		service = "https://${AWS::Region}.console.aws.amazon.com/ecs/v2/clusters/${Cluster}/services/${Service.Name}/" +
			"deployments?region=${AWS::Region}"
		pipeline = "https://${AWS::Region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/<pipeline>/" +
			"executions/<execution>/timeline?region=${AWS::Region}"
		verification = "https://${AWS::Region}.console.aws.amazon.com/states/home?region=${AWS::Region}" +
			"#/statemachines/view/${VerifyStateMachine}"
	)
	s.heading("How deployments end, told to the topic.")
	s.tell("RolloutFailedRule", told{
		description: "Tells that ECS gave a rollout of the worker up",
		pattern: map[string]any{
			"source": []string{"aws.ecs"}, "detail-type": []string{"ECS Deployment State Change"},
			"resources": []string{cfn.Ref("Service")},
			"detail":    map[string]any{"eventName": []string{"SERVICE_DEPLOYMENT_FAILED"}},
		},
		values: map[string]string{
			"deployment": "$.detail.deploymentId", "reason": "$.detail.reason", "time": "$.time",
		},
		lines: []string{
			"${AWS::StackName}: ECS gave the rollout <deployment> of the worker up at <time>.",
			"Reason: <reason>",
			"The service goes back to the version from before by itself. The tasks that stopped say why.",
			"Service: " + service,
		},
	})

	ofPipeline := func(kind string, detail map[string]any) map[string]any {
		detail["pipeline"] = []string{cfn.Ref("Pipeline")}
		return map[string]any{
			"source":      []string{"aws.codepipeline"},
			"detail-type": []string{"CodePipeline " + kind + " Execution State Change"},
			"detail":      detail,
		}
	}
	values := map[string]string{"pipeline": "$.detail.pipeline", "execution": "$.detail.execution-id", "time": "$.time"}
	failure := union(values, map[string]string{
		"stage": "$.detail.stage", "action": "$.detail.action",
		"summary": "$.detail.execution-result.external-execution-summary",
		"link":    "$.detail.execution-result.external-execution-url",
	})
	s.tell("PipelineSucceededRule", told{
		description: "Tells that a push is deployed and verified", condition: hasPipeline,
		pattern: ofPipeline("Pipeline", map[string]any{"state": []string{"SUCCEEDED"}}),
		values:  values,
		lines: []string{
			"${AWS::StackName}: a push to ${RepositoryOwner}/${RepositoryName} (${RepositoryBranch}) is deployed, " +
				"and its verification found nothing against it (<time>).",
			"How much that says, with or without traffic, is in the report of the verification: " + verification,
			"Pipeline: " + pipeline,
		},
	})
	s.tell("PipelineActionFailedRule", told{
		description: "Tells that an action of the pipeline failed, but for the verification, which tells itself",
		condition:   hasPipeline,
		pattern: ofPipeline("Action", map[string]any{
			"state": []string{"FAILED"}, "action": []string{sourceAction, buildAction, deployAction},
		}),
		values: failure,
		lines: []string{
			"${AWS::StackName}: the action <action> of the pipeline failed at <time>. Nothing of this push was proven.",
			"Reason: <summary>",
			"Details: <link>",
			"Pipeline: " + pipeline,
			"If it is Deploy: what the service runs now is verified, and taken back if it is bad. If ECS gave the " +
				"rollout up, you have been told so before.",
		},
	})
	s.verifyAfterFailedDeploy(ofPipeline("Action", map[string]any{
		"state": []string{"FAILED"}, "action": []string{deployAction},
	}))
	s.tell("VerificationNotStartedRule", told{
		description: "Tells that the pipeline could not start the verification", condition: hasPipeline,
		pattern: ofPipeline("Action", map[string]any{
			"state": []string{"FAILED"}, "action": []string{verifyAction},
			"execution-result": map[string]any{"external-execution-id": []any{map[string]bool{"exists": false}}},
		}),
		values: failure,
		lines: []string{
			"${AWS::StackName}: the verification of a deployment could not be started at <time>. The new version " +
				"runs and is not proven.",
			"Reason: <summary>",
			"Pipeline: " + pipeline,
		},
	})
}

// verifyAfterFailedDeploy starts a verification of whatever runs when the Deploy
// action did not end well. It may only have run out of time, while old tasks
// finished long jobs: then the new version runs, and its verification would
// never begin. (What ECS went back to is found good, without a word.)
func (s *stack) verifyAfterFailedDeploy(pattern map[string]any) {
	r := starter(eventsService, verifyMachine)
	r.AWSCloudFormationCondition = hasPipeline
	s.resource("DeployFailedRuleRole", r)
	s.resource("DeployFailedRule", &events.Rule{
		Description:  new("Verifies what the service runs when the pipeline's Deploy action failed"),
		EventPattern: pattern, AWSCloudFormationCondition: hasPipeline,
		Targets: []events.Rule_Target{{
			Id: "verify", Arn: cfn.Ref(machineID(verifyMachine)),
			RoleArn:     new(cfn.GetAtt("DeployFailedRuleRole", "Arn")),
			Input:       new(`{"reason":"the pipeline's Deploy action failed"}`),
			RetryPolicy: &events.Rule_RetryPolicy{MaximumEventAgeInSeconds: new(3600), MaximumRetryAttempts: new(10)},
		}},
	})
}

package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/iam"
)

// Every role is made here, and every role is one principal's alone: exactly
// the actions that its code calls, on exactly the resources that it calls them
// on. There is no managed policy and none that two roles share.

// statement is one of a policy. Fields are in the order in which it is read.
type statement struct {
	Comment   string `json:"#,omitempty"`
	Sid       string `json:",omitempty"`
	Effect    string
	Principal any `json:",omitempty"`
	Action    []string
	Resource  any `json:",omitempty"`
	Condition any `json:",omitempty"`
}

type policy struct {
	Version   string
	Statement []any
}

func policyOf(statements ...any) policy {
	return policy{Version: "2012-10-17", Statement: statements}
}

// allow permits actions on resources, of which there must be at least one.
func allow(resource any, actions ...string) statement {
	return statement{Effect: "Allow", Action: actions, Resource: resource}
}

// allowAnywhere permits actions for which AWS knows no resource; the condition
// narrows them where there is a key for it.
func allowAnywhere(condition any, actions ...string) statement {
	return statement{
		Comment: "AWS has no resource-level permission for this.",
		Effect:  "Allow", Action: actions, Resource: "*", Condition: condition,
	}
}

// role is assumed by one service on behalf of this account.
func role(service, description string, statements ...any) *iam.Role {
	trust := statement{
		Effect:    "Allow",
		Principal: map[string]string{"Service": service},
		Action:    []string{"sts:AssumeRole"},
	}
	if service != lambdaService && service != pipelineService {
		// These assume a role without saying for which account; the others
		// could be made somebody's deputy.
		trust.Condition = equals("aws:SourceAccount", cfn.Ref("AWS::AccountId"))
	}
	r := &iam.Role{Description: &description, AssumeRolePolicyDocument: policyOf(trust)}
	if len(statements) > 0 {
		r.Policies = []iam.Role_Policy{{PolicyName: "permissions", PolicyDocument: policyOf(statements...)}}
	}
	return r
}

// The services that assume roles here.
const (
	lambdaService    = "lambda.amazonaws.com"
	statesService    = "states.amazonaws.com"
	eventsService    = "events.amazonaws.com"
	schedulerService = "scheduler.amazonaws.com"
	tasksService     = "ecs-tasks.amazonaws.com"
	buildService     = "codebuild.amazonaws.com"
	pipelineService  = "codepipeline.amazonaws.com"
)

func equals(key string, value any) any {
	return map[string]any{"StringEquals": map[string]any{key: value}}
}

// tlsOnly denies everything to a caller without TLS.
func tlsOnly(resource any, actions ...string) statement {
	return statement{
		Sid: "OnlyOverTLS", Effect: "Deny", Principal: "*", Action: actions, Resource: resource,
		Condition: map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}},
	}
}

// writeLogs lets a function or a task write to a log group that exists.
func writeLogs(logGroup string) statement {
	return allow(cfn.GetAtt(logGroup, "Arn"), "logs:CreateLogStream", "logs:PutLogEvents")
}

// publishMetrics permits metrics of this system's namespace.
func publishMetrics() statement {
	return allowAnywhere(equals("cloudwatch:namespace", metricNamespace), "cloudwatch:PutMetricData")
}

// arn is the ARN of something in this account and Region.
func arn(service, rest string) string {
	return cfn.Sub("arn:${AWS::Partition}:" + service + ":${AWS::Region}:${AWS::AccountId}:" + rest)
}

package main

import (
	"maps"
	"slices"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/serverless"
)

// machine is a state machine, its role and its log group.
type machine struct {
	name       string // logical id without StateMachine
	definition string
	logGroup   string            // its name; the id is derived
	functions  map[string]string // placeholder of the definition -> name of a function
	title      string            // its name, below the stack's; blank: CloudFormation makes one
	express    bool              // started often, for short: an alarm tells when it fails, not the machine itself

	substitutions map[string]string // of further placeholders
	permissions   []any             // besides those for functions and the topic
}

func machineID(name string) string { return name + "StateMachine" }

// machine adds a state machine that may invoke its functions and tell the topic
// of its failure, and nothing else.
func (s *stack) machine(m machine) {
	logGroupID, roleID := m.name+"ExecutionLogGroup", machineID(m.name)+"Role"
	s.logGroup(logGroupID, m.logGroup)

	substitutions, tell, kind := map[string]string{}, []any{}, new("EXPRESS")
	if !m.express {
		substitutions["NotificationTopicArn"] = cfn.Ref("NotificationTopic")
		substitutions["StackName"] = cfn.Ref("AWS::StackName")
		tell, kind = []any{allow(cfn.Ref("NotificationTopic"), "sns:Publish")}, nil
	}
	var functions []string
	for placeholder, name := range m.functions {
		substitutions[placeholder] = cfn.GetAtt(functionID(name), "Arn")
		functions = append(functions, substitutions[placeholder])
	}
	slices.Sort(functions)
	maps.Copy(substitutions, m.substitutions)

	s.resource(roleID, role(statesService, "Runs the executions of "+m.definition, slices.Concat([]any{
		allow(functions, "lambda:InvokeFunction"),
	}, tell, m.permissions, []any{
		allowAnywhere(nil,
			"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups",
			"logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
			"logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
	})...))
	var title *string
	if m.title != "" {
		title = new(cfn.Sub("${AWS::StackName}-" + m.title))
	}
	s.resource(machineID(m.name), &serverless.StateMachine{
		Name:                    title,
		Type:                    kind,
		DefinitionUri:           &serverless.StateMachine_DefinitionUri{String: &m.definition},
		DefinitionSubstitutions: substitutions,
		Role:                    new(cfn.GetAtt(roleID, "Arn")),
		// The history of an execution is kept anyway; the log is for what went wrong.
		Logging: &serverless.StateMachine_LoggingConfiguration{
			Level: "ERROR", IncludeExecutionData: true,
			Destinations: []serverless.StateMachine_LogDestination{{
				CloudWatchLogsLogGroup: &serverless.StateMachine_CloudWatchLogsLogGroup{
					LogGroupArn: cfn.GetAtt(logGroupID, "Arn"),
				},
			}},
		},
	})
}

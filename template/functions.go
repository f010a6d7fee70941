package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/serverless"
)

// function is one Lambda function and its role.
type function struct {
	name        string // logical id without Function
	folder      string // of its main package
	description string
	timeout     int // seconds
	memory      int // MB; 0 is the default
	logGroup    string
	environment map[string]string
	permissions []any // besides its logs
	condition   string
	// makefile lets the Makefile of the folder build it, rather than SAM.
	makefile bool
	// versioned publishes a version with each change of the code, to tell by what changed.
	versioned bool
}

// addFunctionDefaults says what all functions have in common.
func addFunctionDefaults(s *stack) {
	s.template.Globals["Function"] = bare{
		"Runtime":       "provided.al2023",
		"Handler":       "bootstrap",
		"Architectures": []string{s.arch},
		"MemorySize":    256,
		"Environment": map[string]any{"Variables": map[string]string{
			"STACK_NAME": cfn.Ref("AWS::StackName"),
			"LOG_LEVEL":  "INFO",
		}},
	}
}

// functionID is the logical id of a function.
func functionID(name string) string { return name + "Function" }

// function adds a function and the role that it alone has.
func (s *stack) function(f function) {
	roleID := f.name + "Role"
	r := role(lambdaService, f.description, append([]any{writeLogs(f.logGroup)}, f.permissions...)...)
	r.AWSCloudFormationCondition = f.condition
	s.resource(roleID, r)

	resource := &serverless.Function{
		Description: &f.description,
		CodeUri:     &serverless.Function_CodeUri{String: &f.folder},
		Role:        new(cfn.GetAtt(roleID, "Arn")),
		Timeout:     &f.timeout,
		AWSCloudFormationMetadata: map[string]any{
			"BuildMethod":     "go1.x",
			"BuildProperties": map[string]any{"TrimGoPath": true},
		},
		AWSCloudFormationCondition: f.condition,
	}
	if f.makefile {
		resource.AWSCloudFormationMetadata = map[string]any{"BuildMethod": "makefile"}
	}
	if f.memory > 0 {
		resource.MemorySize = &f.memory
	}
	if len(f.environment) > 0 {
		resource.Environment = &serverless.Function_FunctionEnvironment{Variables: f.environment}
	}
	more := properties{"LoggingConfig": map[string]any{"LogFormat": "JSON", "LogGroup": cfn.Ref(f.logGroup)}}
	if f.versioned {
		resource.AutoPublishAlias = new("live")
		more["VersionDeletionPolicy"] = "Delete" // nobody calls an old one
	}
	s.resource(functionID(f.name), with(resource, more))
}

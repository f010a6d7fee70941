// Package byhand runs a state machine of a deployed stack for a person who watches.
package byhand

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"sqs-dynamic-target-tracking/internal/awsconfig"
	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// Machine is a state machine of a stack.
type Machine struct {
	Stack  string // name
	Local  bool   // on the local engine of this checkout, not on AWS
	Output string // key of the stack's output that holds the machine's ARN
}

// Execute starts the machine with the input, follows it to its end and returns its output. Each step is told with what
// line says of it, unless that is nothing; a nil line tells name and duration. An execution that does not succeed is an
// error with its error name and cause.
func (m Machine) Execute(ctx context.Context, screen *terminal.Screen, input any, line func(execution.Step) string) (
	json.RawMessage, error) {
	cfg, err := awsconfig.Load(ctx, m.Local)
	if err != nil {
		return nil, err
	}
	outputs, err := stack.Describe(ctx, cloudformation.NewFromConfig(cfg), m.Stack)
	if err != nil {
		return nil, err
	}
	arn, err := outputs.Get(m.Output)
	if err != nil {
		return nil, err
	}
	return follow(ctx, screen, execution.Follower{Client: sfn.NewFromConfig(cfg)}, arn, input, line)
}

func follow(ctx context.Context, screen *terminal.Screen, follower execution.Follower, machineArn string, input any,
	line func(execution.Step) string) (json.RawMessage, error) {
	if line == nil {
		line = nameAndDuration
	}
	arn, err := follower.Start(ctx, machineArn, input)
	if err != nil {
		return nil, err
	}
	screen.Printf("execution %s\n", arn)
	result, err := follower.Follow(ctx, arn, func(step execution.Step) {
		if text := line(step); text != "" {
			screen.Printf("  %s", text)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n  the execution goes on without this script: %s", err, arn)
	}
	if !result.Succeeded() {
		return nil, fmt.Errorf("the execution ended %s\n  %s: %s", result.Status, result.Error, result.Cause)
	}
	return result.Output, nil
}

func nameAndDuration(step execution.Step) string {
	return fmt.Sprintf("%-24s %8s", step.Name, terminal.Seconds(step.Duration))
}

// Package stack finds what a deployed stack is made of, by its outputs.
package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"
)

// DefaultName is the stack name that samconfig.toml gives to `sam deploy`.
const DefaultName = "sqs-dynamic-target-tracking"

// Outputs are the outputs of one deployed stack, by their keys.
type Outputs struct {
	stack  string
	values map[string]string
}

type describer interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (
		*cloudformation.DescribeStacksOutput, error)
}

// Describe reads the outputs of the stack with that name. A stack that does not exist is an error that says so; so is
// one that has no outputs yet, because it is still being made or failed to be.
func Describe(ctx context.Context, client describer, name string) (Outputs, error) {
	page, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var refused smithy.APIError
	if errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "does not exist") {
		return Outputs{}, fmt.Errorf("stack %q does not exist in this account and region: "+
			"deploy it with `sam deploy`, or name another with -stack", name)
	}
	if err != nil {
		return Outputs{}, fmt.Errorf("describe stack %q: %w", name, err)
	}
	if len(page.Stacks) != 1 {
		return Outputs{}, fmt.Errorf("describe stack %q: got %d stacks, want 1", name, len(page.Stacks))
	}
	found := page.Stacks[0]
	outputs := Outputs{stack: name, values: map[string]string{}}
	for _, output := range found.Outputs {
		if output.OutputKey != nil && output.OutputValue != nil {
			outputs.values[*output.OutputKey] = *output.OutputValue
		}
	}
	if len(outputs.values) == 0 {
		return Outputs{}, fmt.Errorf("stack %q has no outputs: it is in state %s", name, found.StackStatus)
	}
	return outputs, nil
}

// Get returns the output with that key; a missing one is an error that names it, for a stack of an older version.
func (o Outputs) Get(key string) (string, error) {
	value, ok := o.values[key]
	if !ok {
		return "", fmt.Errorf("stack %q has no output %s: deploy the current template", o.stack, key)
	}
	return value, nil
}

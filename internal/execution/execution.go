// Package execution starts an execution of a state machine and follows its steps while they happen.
package execution

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Step is one state that an execution left.
type Step struct {
	Name     string
	Duration time.Duration
	Output   json.RawMessage
}

// Result is how an execution ended.
type Result struct {
	Arn    string
	Status types.ExecutionStatus
	Output json.RawMessage // of a successful execution
	Error  string          // error name of a failed one
	Cause  string          // its explanation, as the machine gives it
}

// Succeeded tells whether the execution reached a successful end.
func (r Result) Succeeded() bool { return r.Status == types.ExecutionStatusSucceeded }

type client interface {
	StartExecution(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
	DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (
		*sfn.DescribeExecutionOutput, error)
	GetExecutionHistory(context.Context, *sfn.GetExecutionHistoryInput, ...func(*sfn.Options)) (
		*sfn.GetExecutionHistoryOutput, error)
}

// Follower starts executions and follows them.
type Follower struct {
	Client client
	// Interval between two looks at the history. Zero means one second.
	Interval time.Duration
}

// Start begins an execution with the input, encoded as JSON, and returns its ARN. Step Functions chooses the name.
func (f Follower) Start(ctx context.Context, machineArn string, input any) (string, error) {
	document, err := json.Marshal(input)
	if err != nil {
		return "", fmt.Errorf("encode the input of %s: %w", machineArn, err)
	}
	started, err := f.Client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &machineArn, Input: aws.String(string(document)),
	})
	if err != nil {
		return "", fmt.Errorf("start %s: %w", machineArn, err)
	}
	return *started.ExecutionArn, nil
}

// Follow calls onStep for each state that the execution leaves, in their order, until the execution ends or ctx does.
// onStep may be nil.
func (f Follower) Follow(ctx context.Context, executionArn string, onStep func(Step)) (Result, error) {
	interval := f.Interval
	if interval <= 0 {
		interval = time.Second
	}
	history := steps{onStep: onStep}
	for {
		described, err := f.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &executionArn})
		if err != nil {
			return Result{}, fmt.Errorf("describe execution %s: %w", executionArn, err)
		}
		if onStep != nil {
			// Read after the status: when that is final, the history is complete.
			if err := f.read(ctx, executionArn, &history); err != nil {
				return Result{}, err
			}
		}
		if described.Status != types.ExecutionStatusRunning && described.Status != types.ExecutionStatusPendingRedrive {
			return Result{
				Arn: executionArn, Status: described.Status, Output: json.RawMessage(aws.ToString(described.Output)),
				Error: aws.ToString(described.Error), Cause: aws.ToString(described.Cause),
			}, nil
		}
		select {
		case <-ctx.Done():
			return Result{}, fmt.Errorf("follow execution %s: %w", executionArn, context.Cause(ctx))
		case <-time.After(interval):
		}
	}
}

// read passes over the whole history; steps remembers how far it was told already.
func (f Follower) read(ctx context.Context, executionArn string, history *steps) error {
	var token *string
	for {
		page, err := f.Client.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{
			ExecutionArn: &executionArn, MaxResults: 1000, NextToken: token,
		})
		if err != nil {
			return fmt.Errorf("read the history of %s: %w", executionArn, err)
		}
		for _, event := range page.Events {
			history.see(event)
		}
		if token = page.NextToken; token == nil {
			return nil
		}
	}
}

// steps turns history events into steps, each told once.
type steps struct {
	onStep  func(Step)
	last    int64 // id of the newest event that was seen
	entered map[string][]time.Time
}

func (s *steps) see(event types.HistoryEvent) {
	if event.Id <= s.last {
		return
	}
	s.last = event.Id
	if s.entered == nil {
		s.entered = map[string][]time.Time{}
	}
	if entered := event.StateEnteredEventDetails; entered != nil {
		name := aws.ToString(entered.Name)
		s.entered[name] = append(s.entered[name], aws.ToTime(event.Timestamp))
	}
	if exited := event.StateExitedEventDetails; exited != nil {
		name := aws.ToString(exited.Name)
		step := Step{Name: name, Output: json.RawMessage(aws.ToString(exited.Output))}
		if since := s.entered[name]; len(since) > 0 {
			step.Duration = aws.ToTime(event.Timestamp).Sub(since[0])
			s.entered[name] = since[1:]
		}
		s.onStep(step)
	}
}

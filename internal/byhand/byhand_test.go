package byhand

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// fakeMachine has one step and ends as it is told.
type fakeMachine struct {
	end   sfn.DescribeExecutionOutput
	fail  error // of looking at the execution
	input string
}

func (f *fakeMachine) StartExecution(_ context.Context, in *sfn.StartExecutionInput, _ ...func(*sfn.Options)) (
	*sfn.StartExecutionOutput, error) {
	f.input = aws.ToString(in.Input)
	return &sfn.StartExecutionOutput{ExecutionArn: aws.String("arn:execution")}, nil
}

func (f *fakeMachine) DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (
	*sfn.DescribeExecutionOutput, error) {
	return &f.end, f.fail
}

func (f *fakeMachine) GetExecutionHistory(context.Context, *sfn.GetExecutionHistoryInput, ...func(*sfn.Options)) (
	*sfn.GetExecutionHistoryOutput, error) {
	name, output := aws.String("Measure"), aws.String(`{}`)
	return &sfn.GetExecutionHistoryOutput{Events: []types.HistoryEvent{
		{Id: 1, Timestamp: aws.Time(time.Unix(0, 0)),
			StateEnteredEventDetails: &types.StateEnteredEventDetails{Name: name}},
		{Id: 2, Timestamp: aws.Time(time.Unix(2, 0)),
			StateExitedEventDetails: &types.StateExitedEventDetails{Name: name, Output: output}},
	}}, nil
}

func TestFollow(t *testing.T) {
	succeeded := sfn.DescribeExecutionOutput{Status: types.ExecutionStatusSucceeded, Output: aws.String(`{"ok":1}`)}
	failed := sfn.DescribeExecutionOutput{Status: types.ExecutionStatusFailed, Error: aws.String("InvalidInput"),
		Cause: aws.String("Measure: messages is -1")}
	tests := []struct {
		name             string
		machine          fakeMachine
		line             func(execution.Step) string
		told, output, is string
	}{
		{"succeeds", fakeMachine{end: succeeded}, nil, "Measure                     2.0 s", `{"ok":1}`, ""},
		{"in words of its own", fakeMachine{end: succeeded}, func(execution.Step) string { return "measured" },
			"  measured\n", `{"ok":1}`, ""},
		{"fails", fakeMachine{end: failed}, nil, "Measure", "", "InvalidInput: Measure: messages is -1"},
		{"cannot be followed", fakeMachine{fail: errors.New("no network")}, nil, "", "", "goes on without this script"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var told strings.Builder
			output, err := follow(t.Context(), terminal.NewLog(&told), execution.Follower{Client: &test.machine},
				"arn:machine", map[string]any{"dryRun": true}, test.line)
			if (err == nil) != (test.is == "") || err != nil && !strings.Contains(err.Error(), test.is) {
				t.Errorf("got error %v, want %q", err, test.is)
			}
			if string(output) != test.output || test.machine.input != `{"dryRun":true}` {
				t.Errorf("output %s of input %s", output, test.machine.input)
			}
			for _, want := range []string{"execution arn:execution", test.told} {
				if !strings.Contains(told.String(), want) {
					t.Errorf("told %q, want %q in it", told.String(), want)
				}
			}
		})
	}
}

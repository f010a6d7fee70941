package execution

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// fakeMachine grows its history with each look and ends after the last event.
type fakeMachine struct {
	events []types.HistoryEvent
	shown  int
	end    sfn.DescribeExecutionOutput
	inputs []string
}

func (f *fakeMachine) StartExecution(_ context.Context, in *sfn.StartExecutionInput, _ ...func(*sfn.Options)) (
	*sfn.StartExecutionOutput, error) {
	f.inputs = append(f.inputs, aws.ToString(in.Input))
	return &sfn.StartExecutionOutput{ExecutionArn: aws.String("arn:execution")}, nil
}

func (f *fakeMachine) DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (
	*sfn.DescribeExecutionOutput, error) {
	f.shown = min(f.shown+2, len(f.events))
	if f.shown < len(f.events) {
		return &sfn.DescribeExecutionOutput{Status: types.ExecutionStatusRunning}, nil
	}
	return &f.end, nil
}

// GetExecutionHistory pages by one event, as small as pages can be.
func (f *fakeMachine) GetExecutionHistory(_ context.Context, in *sfn.GetExecutionHistoryInput,
	_ ...func(*sfn.Options)) (*sfn.GetExecutionHistoryOutput, error) {
	first := 0
	if in.NextToken != nil {
		first = len(*in.NextToken)
	}
	out := &sfn.GetExecutionHistoryOutput{Events: f.events[first:min(first+1, f.shown)]}
	if first+1 < f.shown {
		out.NextToken = aws.String(strings.Repeat("x", first+1))
	}
	return out, nil
}

func entered(id int64, name string, at time.Duration) types.HistoryEvent {
	return types.HistoryEvent{Id: id, Timestamp: aws.Time(time.Unix(0, int64(at))),
		StateEnteredEventDetails: &types.StateEnteredEventDetails{Name: &name}}
}

func exited(id int64, name, output string, at time.Duration) types.HistoryEvent {
	return types.HistoryEvent{Id: id, Timestamp: aws.Time(time.Unix(0, int64(at))),
		StateExitedEventDetails: &types.StateExitedEventDetails{Name: &name, Output: &output}}
}

func TestFollowTellsEachStepOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &fakeMachine{
			events: []types.HistoryEvent{
				entered(1, "Measure", 0), exited(2, "Measure", `{"samples":3}`, time.Second),
				entered(3, "Enough Samples?", time.Second), exited(4, "Enough Samples?", `{}`, time.Second),
				entered(5, "Decide", time.Second), exited(6, "Decide", `{"target":2}`, 3*time.Second),
			},
			end: sfn.DescribeExecutionOutput{Status: types.ExecutionStatusSucceeded, Output: aws.String(`{"ok":true}`)},
		}
		var seen []string
		result, err := Follower{Client: machine}.Follow(t.Context(), "arn:execution", func(s Step) {
			seen = append(seen, s.Name+" "+s.Duration.String()+" "+string(s.Output))
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{`Measure 1s {"samples":3}`, `Enough Samples? 0s {}`, `Decide 2s {"target":2}`}
		if !slices.Equal(seen, want) {
			t.Errorf("steps are %q, want %q", seen, want)
		}
		if !result.Succeeded() || string(result.Output) != `{"ok":true}` {
			t.Errorf("result is %+v", result)
		}
	})
}

func TestFollowTellsHowItFailed(t *testing.T) {
	machine := &fakeMachine{end: sfn.DescribeExecutionOutput{
		Status: types.ExecutionStatusFailed, Error: aws.String("InvalidInput"), Cause: aws.String("messages is -1"),
	}}
	result, err := Follower{Client: machine}.Follow(t.Context(), "arn:execution", nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Succeeded() || result.Error != "InvalidInput" || result.Cause != "messages is -1" {
		t.Errorf("result is %+v", result)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	machine := &fakeMachine{events: []types.HistoryEvent{entered(1, "Wait", 0), {Id: 2}, {Id: 3}}}
	_, err := Follower{Client: machine}.Follow(ctx, "arn:execution", nil)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got error %v, want the cause of the cancellation", err)
	}
}

func TestStartEncodesTheInput(t *testing.T) {
	machine := &fakeMachine{}
	arn, err := Follower{Client: machine}.Start(t.Context(), "arn:machine", map[string]any{"dryRun": true})
	if err != nil || arn != "arn:execution" || !slices.Equal(machine.inputs, []string{`{"dryRun":true}`}) {
		t.Errorf("started %q with %q, %v", arn, machine.inputs, err)
	}
}

package retune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// MostOnDrift is how many retunes drift may start in an hour.
const MostOnDrift = 4

// Watching are the states of the machine in which an execution has done its work and only looks on. It holds nobody up.
var Watching = []string{"Watch", "Compare With Before", "Worse?"}

// TurnRequest is the input of the step Take Turn.
type TurnRequest struct {
	Execution string          `json:"execution"` // ARN
	Machine   string          `json:"machine"`   // ARN of the state machine
	Input     json.RawMessage `json:"input"`     // of the execution, as it was given
}

// Answers of Take Turn.
const (
	TurnGo   = "go"
	TurnWait = "wait"
	TurnSkip = "skip"
)

// Turn is the output of the step Take Turn.
type Turn struct {
	Answer  string  `json:"answer"` // TurnGo, TurnWait or TurnSkip
	Summary string  `json:"summary"`
	Holder  string  `json:"holder,omitempty"` // ARN of the execution that goes first
	Request Request `json:"request"`          // the checked input
}

type executionReader interface {
	ListExecutions(context.Context, *sfn.ListExecutionsInput, ...func(*sfn.Options)) (
		*sfn.ListExecutionsOutput, error)
	DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (
		*sfn.DescribeExecutionOutput, error)
	GetExecutionHistory(context.Context, *sfn.GetExecutionHistoryInput, ...func(*sfn.Options)) (
		*sfn.GetExecutionHistoryOutput, error)
}

// Usher says whose turn it is.
type Usher struct {
	Executions executionReader
	Metrics    metricsReader
	Source     MetricSource
	Defaults   Request
	// Pause between two retunes that drift starts one after the other. MostOnDrift of them are the hour in which there
	// may be MostOnDrift.
	Pause time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// TakeTurn checks the input, then looks whether another execution of the machine goes first: one that began earlier, or
// at the same moment with a smaller ARN, and that does more than watch what it has changed. Of any two executions
// exactly one goes first, so they never give way to each other.
//
// ListExecutions is eventually consistent ("ListExecutions" in the AWS Step Functions API Reference): an execution that
// began a moment ago may not be seen. Apply therefore compares what it finds with what was measured.
//
// Errors that a machine can match are *stepinput.InvalidInput.
func (u Usher) TakeTurn(ctx context.Context, request TurnRequest) (Turn, error) {
	now := clock(u.Now)
	asked, err := ParseRequest(request.Input, u.Defaults, now)
	if err != nil {
		return Turn{}, err
	}
	turn := Turn{Answer: TurnGo, Summary: "nothing else is at work", Request: asked}
	if asked.Reason == ReasonDrift {
		before, err := u.onDrift(ctx, now)
		if err != nil {
			return Turn{}, err
		}
		if before >= MostOnDrift {
			turn.Answer = TurnSkip
			turn.Summary = fmt.Sprintf("%d retunes on drift in %v are the most there may be: the next one by schedule "+
				"goes on", before, MostOnDrift*u.Pause)
			return turn, nil
		}
	}
	first, err := u.first(ctx, request)
	if err != nil || first == nil {
		return turn, err
	}
	turn.Holder = aws.ToString(first.ExecutionArn)
	since := aws.ToTime(first.StartDate).UTC().Format(time.RFC3339)
	if asked.OnBusy == BusySkip {
		turn.Answer = TurnSkip
		turn.Summary = fmt.Sprintf("the execution %s is at work since %s: this one is not needed",
			nameOf(turn.Holder), since)
		return turn, nil
	}
	turn.Answer = TurnWait
	turn.Summary = fmt.Sprintf("waits for the execution %s, which is at work since %s", nameOf(turn.Holder), since)
	return turn, nil
}

// onDrift counts the retunes that drift started in the last hour.
func (u Usher) onDrift(ctx context.Context, now time.Time) (int, error) {
	sum, err := u.Source.sumOf(ctx, u.Metrics, driftRetunesMetric, now.Add(-MostOnDrift*u.Pause), now)
	return int(sum + 0.5), err
}

// first is the oldest other execution that goes before this one, or nil.
func (u Usher) first(ctx context.Context, request TurnRequest) (*types.ExecutionListItem, error) {
	running, err := u.running(ctx, request.Machine)
	if err != nil {
		return nil, err
	}
	described, err := u.Executions.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &request.Execution})
	if err != nil {
		return nil, fmt.Errorf("see when the execution %s began: %w", nameOf(request.Execution), err)
	}
	own := types.ExecutionListItem{ExecutionArn: &request.Execution, StartDate: described.StartDate}
	slices.SortFunc(running, before)
	for _, e := range running {
		if before(e, own) >= 0 {
			break
		}
		watches, err := u.watches(ctx, aws.ToString(e.ExecutionArn))
		if err != nil {
			return nil, err
		}
		if !watches {
			return &e, nil
		}
	}
	return nil, nil
}

// before orders executions: the older goes first, then the smaller ARN.
func before(a, b types.ExecutionListItem) int {
	if c := aws.ToTime(a.StartDate).Compare(aws.ToTime(b.StartDate)); c != 0 {
		return c
	}
	return strings.Compare(aws.ToString(a.ExecutionArn), aws.ToString(b.ExecutionArn))
}

func (u Usher) running(ctx context.Context, machine string) ([]types.ExecutionListItem, error) {
	var all []types.ExecutionListItem
	request := &sfn.ListExecutionsInput{StateMachineArn: &machine, StatusFilter: types.ExecutionStatusRunning}
	for {
		page, err := u.Executions.ListExecutions(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the running executions of %s: %w", nameOf(machine), err)
		}
		all = append(all, page.Executions...)
		if request.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			return all, nil
		}
	}
}

// watches tells whether an execution only looks on, or is over by now.
func (u Usher) watches(ctx context.Context, execution string) (bool, error) {
	const recent = 50 // events: more than a Task with all its retries writes
	history, err := u.Executions.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{
		ExecutionArn: &execution, ReverseOrder: true, MaxResults: recent, IncludeExecutionData: aws.Bool(false),
	})
	var gone *types.ExecutionDoesNotExist
	if errors.As(err, &gone) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("see what the execution %s does: %w", nameOf(execution), err)
	}
	for _, event := range history.Events {
		if entered := event.StateEnteredEventDetails; entered != nil {
			return slices.Contains(Watching, aws.ToString(entered.Name)), nil
		}
	}
	return false, nil
}

// nameOf is the last part of an ARN.
func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now().UTC()
	}
	return now().UTC()
}

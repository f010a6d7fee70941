package retune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"pgregory.net/rapid"
)

const machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:orders-retune"

// fakeExecutions are the running executions of a machine, by their names, and the state that each is in.
type fakeExecutions struct {
	began map[string]time.Time
	state map[string]string
	gone  map[string]bool // over by the time that its history is read
	order []string        // of the list
	err   error
}

func executionARN(name string) string {
	return strings.Replace(machine, "stateMachine", "execution", 1) + ":" + name
}

// ListExecutions answers one a page.
func (f *fakeExecutions) ListExecutions(
	_ context.Context, in *sfn.ListExecutionsInput, _ ...func(*sfn.Options),
) (*sfn.ListExecutionsOutput, error) {
	if f.err != nil {
		return nil, f.err
	}
	page := 0
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &page); err != nil {
			return nil, err
		}
	}
	out := &sfn.ListExecutionsOutput{}
	if page < len(f.order) {
		name := f.order[page]
		out.Executions = []types.ExecutionListItem{{
			ExecutionArn: aws.String(executionARN(name)), StartDate: aws.Time(f.began[name]),
		}}
	}
	if page+1 < len(f.order) {
		out.NextToken = aws.String(fmt.Sprint(page + 1))
	}
	return out, nil
}

func (f *fakeExecutions) DescribeExecution(
	_ context.Context, in *sfn.DescribeExecutionInput, _ ...func(*sfn.Options),
) (*sfn.DescribeExecutionOutput, error) {
	return &sfn.DescribeExecutionOutput{StartDate: aws.Time(f.began[nameOf(*in.ExecutionArn)])}, f.err
}

func (f *fakeExecutions) GetExecutionHistory(
	_ context.Context, in *sfn.GetExecutionHistoryInput, _ ...func(*sfn.Options),
) (*sfn.GetExecutionHistoryOutput, error) {
	name := nameOf(*in.ExecutionArn)
	if f.gone[name] {
		return nil, &types.ExecutionDoesNotExist{}
	}
	return &sfn.GetExecutionHistoryOutput{Events: []types.HistoryEvent{
		{Type: types.HistoryEventTypeWaitStateEntered},
		{StateEnteredEventDetails: &types.StateEnteredEventDetails{Name: aws.String(f.state[name])}},
		{StateEnteredEventDetails: &types.StateEnteredEventDetails{Name: aws.String("Take Turn")}},
	}}, f.err
}

func usher(executions *fakeExecutions, before float64) Usher {
	return Usher{
		Executions: executions, Metrics: &fakeMetrics{whole: map[string]float64{"sum": before}}, Defaults: defaults,
		Pause: 15 * time.Minute, Now: func() time.Time { return noon },
	}
}

func TestTakeTurn(t *testing.T) {
	const busy = "Apply Targets"
	for name, test := range map[string]struct {
		others map[string]string // by name: the state that it is in
		began  map[string]time.Duration
		input  string
		answer string
		words  string
	}{
		"alone": {nil, nil, `{}`, TurnGo, "nothing else is at work"},
		"an older one applies, by hand": {
			map[string]string{"a": busy}, map[string]time.Duration{"a": -time.Minute}, `{}`, TurnWait,
			"waits for the execution a, which is at work since 2026-03-01T11:59:00Z",
		},
		"an older one applies, by schedule": {
			map[string]string{"a": busy}, map[string]time.Duration{"a": -time.Minute}, `{"onBusy":"skip"}`, TurnSkip,
			"the execution a is at work since 2026-03-01T11:59:00Z: this one is not needed",
		},
		"an older one waits for its turn": {
			map[string]string{"a": "Wait For Turn"}, map[string]time.Duration{"a": -time.Minute}, `{}`, TurnWait,
			"waits for the execution a,",
		},
		"an older one watches": {
			map[string]string{"a": "Watch"}, map[string]time.Duration{"a": -time.Minute}, `{"onBusy":"skip"}`, TurnGo,
			"",
		},
		"an older one takes back": {
			map[string]string{"a": "Restore Targets"}, map[string]time.Duration{"a": -time.Minute}, `{}`, TurnWait, "",
		},
		"an older one is over": {
			map[string]string{"gone": busy}, map[string]time.Duration{"gone": -time.Minute}, `{}`, TurnGo, "",
		},
		"a newer one applies": {
			map[string]string{"a": busy}, map[string]time.Duration{"a": time.Second}, `{}`, TurnGo, "",
		},
		"the same second, a smaller ARN": {
			map[string]string{"a": busy}, map[string]time.Duration{"a": 0}, `{}`, TurnWait, "waits for the execution " +
				"a,",
		},
		"the same second, a larger ARN": {
			map[string]string{"z": busy}, map[string]time.Duration{"z": 0}, `{}`, TurnGo, "",
		},
		"the oldest of many": {
			map[string]string{"a": busy, "b": busy, "c": "Watch"},
			map[string]time.Duration{"a": -time.Minute, "b": -2 * time.Minute, "c": -time.Hour}, `{}`, TurnWait,
			"waits for the execution b,",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeExecutions{
				began: map[string]time.Time{"me": noon}, state: test.others, gone: map[string]bool{"gone": true},
				order: []string{"me"},
			}
			for other := range test.others {
				f.began[other] = noon.Add(test.began[other])
				f.order = append(f.order, other)
			}
			got, err := usher(f, 0).TakeTurn(t.Context(), TurnRequest{
				Execution: executionARN("me"), Machine: machine, Input: json.RawMessage(test.input),
			})
			if err != nil || got.Answer != test.answer || !strings.Contains(got.Summary, test.words) {
				t.Errorf("%q: %q, %v; want %q: %q", got.Answer, got.Summary, err, test.answer, test.words)
			}
			if (got.Holder != "") != (got.Answer != TurnGo) || got.Request.WindowMinutes != 1440 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestOneGoesFirst: whoever looks at any set of executions at work, exactly one of them goes on, also when some do not
// see themselves in the list yet.
func TestOneGoesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fakeExecutions{began: map[string]time.Time{}, state: map[string]string{}}
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}`), 1, 6, rapid.ID).Draw(t, "names")
		for _, name := range names {
			f.began[name] = noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "began")) * time.Second)
			f.state[name] = "Take Turn"
		}
		going := 0
		for _, name := range names {
			f.order = rapid.Permutation(names).Draw(t, "order")
			got, err := usher(f, 0).TakeTurn(context.Background(), TurnRequest{
				Execution: executionARN(name), Machine: machine, Input: json.RawMessage(`{}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Answer == TurnGo {
				going++
			}
		}
		if going != 1 {
			t.Fatalf("%d of %d go on", going, len(names))
		}
	})
}

func TestDriftStartsFourAnHour(t *testing.T) {
	alone := &fakeExecutions{began: map[string]time.Time{"me": noon}}
	for before, want := range map[float64]string{0: TurnGo, 3: TurnGo, 4: TurnSkip, 7: TurnSkip} {
		u := usher(alone, before)
		turn := func(input string) Turn {
			got, err := u.TakeTurn(t.Context(), TurnRequest{
				Execution: executionARN("me"), Machine: machine, Input: json.RawMessage(input),
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := turn(`{"reason":"drift","onBusy":"skip"}`); got.Answer != want ||
			want == TurnSkip && !strings.Contains(got.Summary, "in 1h0m0s are the most there may be") {
			t.Errorf("after %g: %q, %q", before, got.Answer, got.Summary)
		}
		if got := turn(`{"reason":"schedule"}`); got.Answer != TurnGo {
			t.Errorf("others are not limited: %q", got.Summary)
		}
	}
}

func TestTakeTurnHandsErrorsDown(t *testing.T) {
	denied := errors.New("AccessDenied")
	f := &fakeExecutions{err: denied}
	request := TurnRequest{Execution: executionARN("me"), Machine: machine, Input: json.RawMessage(`{}`)}
	if _, err := usher(f, 0).TakeTurn(t.Context(), request); !errors.Is(err, denied) ||
		!strings.Contains(err.Error(), "orders-retune") {
		t.Errorf("got %v", err)
	}
	u := usher(&fakeExecutions{}, 0)
	u.Metrics = &fakeMetrics{err: denied}
	request.Input = json.RawMessage(`{"reason":"drift"}`)
	if _, err := u.TakeTurn(t.Context(), request); !errors.Is(err, denied) {
		t.Errorf("got %v", err)
	}
	request.Input = json.RawMessage(`{"reasons":"drift"}`)
	if _, err := u.TakeTurn(t.Context(), request); err == nil ||
		!strings.Contains(err.Error(), "reasons is not a field") {
		t.Errorf("got %v", err)
	}
}

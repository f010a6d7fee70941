package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/band"
)

// Owner says whose MinCapacity and MaxCapacity are.
type Owner string

// Owners. Without one the bounds are the band's: CloudFormation writes the parameter anew whenever it updates it, be it
// for a tag, and the looks, which are only started while BandState is ENABLED, must not stop at that.
const (
	OfBand     Owner = "band"
	OfTemplate Owner = "template"
)

// State is what the parameter holds: who owns the bounds, which run is at work, and what the next one should know. To
// lose all but the owner does no harm.
type State struct {
	Owner Owner     `json:"owner,omitempty"`
	Run   string    `json:"run,omitempty"` // the execution that is at work
	Until time.Time `json:"until"`         // when its claim ends at the latest

	Memory            band.Memory `json:"memory"`
	ProcessingSeconds float64     `json:"processingSeconds"` // the last one known; 0: none
}

// busy tells whether another run is at work.
func (s State) busy(execution string, now time.Time) bool {
	return s.Run != "" && s.Run != execution && now.Before(s.Until)
}

// longestRun is how long a run may take, as a multiple of the time between looks: two waits and three looks.
const longestRun = 2.75

// StateUnreadable says that the parameter does not hold a State: somebody wrote it by hand.
type StateUnreadable struct {
	Parameter string
	Cause     error
}

func (e *StateUnreadable) Error() string {
	return fmt.Sprintf("the parameter %s is not what the band wrote (%v); set it to {\"owner\":\"band\"}",
		e.Parameter, e.Cause)
}

// Unwrap is what is wrong with it.
func (e *StateUnreadable) Unwrap() error { return e.Cause }

// ErrorName is the name under which a state machine sees the error.
func (*StateUnreadable) ErrorName() string { return "StateUnreadable" }

type parameterReader interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

type parameterWriter interface {
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

type parameters interface {
	parameterReader
	parameterWriter
}

// readState reads the parameter and its version.
func readState(ctx context.Context, client parameterReader, name string) (State, int64, error) {
	got, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return State{}, 0, fmt.Errorf("read the band's state %s: %w", name, err)
	}
	var state State
	if err := json.Unmarshal([]byte(aws.ToString(got.Parameter.Value)), &state); err != nil {
		return State{}, 0, &StateUnreadable{Parameter: name, Cause: err}
	}
	return state, got.Parameter.Version, nil
}

// writeState writes the parameter and answers its new version.
func writeState(ctx context.Context, client parameterWriter, name string, state State) (int64, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return 0, fmt.Errorf("encode the band's state: %w", err)
	}
	put, err := client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: aws.String(string(text)), Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return 0, fmt.Errorf("write the band's state %s: %w", name, err)
	}
	return put.Version, nil
}

// holds reads the parameter, and refuses a run that is not at work any more: the bounds were taken from the band, or
// another run has followed.
func holds(ctx context.Context, client parameterReader, name, execution string) (State, error) {
	state, _, err := readState(ctx, client, name)
	switch {
	case err != nil:
		return State{}, err
	case state.Owner == OfTemplate:
		return State{}, &BandSwitchedOff{}
	case state.Run != execution:
		return State{}, &AnotherRunAtWork{Run: state.Run}
	}
	return state, nil
}

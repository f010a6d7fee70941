package steps

import (
	"context"

	"sqs-dynamic-target-tracking/internal/band"
)

// RememberRequest is the input of the step Remember.
type RememberRequest struct {
	Execution         string      `json:"execution"`
	Memory            band.Memory `json:"memory"`
	ProcessingSeconds float64     `json:"processingSeconds"`
}

// Remembered is the output of the step Remember.
type Remembered struct {
	Parameter string `json:"parameter"` // where it was written
}

// Keeper keeps what the next run should know.
type Keeper struct {
	Parameters parameters
	Parameter  string // name of the parameter that holds the State
}

// Remember writes the memory and ends the claim of the run. If the bounds or the claim are somebody else's by now, it
// writes nothing.
func (k Keeper) Remember(ctx context.Context, request RememberRequest) (Remembered, error) {
	before, err := holds(ctx, k.Parameters, k.Parameter, request.Execution)
	if err != nil {
		return Remembered{}, err
	}
	after := State{Owner: OfBand, Memory: request.Memory, ProcessingSeconds: request.ProcessingSeconds}
	if request.Memory.LookedAt.IsZero() { // every look of the run has failed
		after.Memory, after.ProcessingSeconds = before.Memory, before.ProcessingSeconds
	}
	if _, err := writeState(ctx, k.Parameters, k.Parameter, after); err != nil {
		return Remembered{}, err
	}
	return Remembered{Parameter: k.Parameter}, nil
}

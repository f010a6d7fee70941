package steps

import (
	"context"
	"fmt"

	"sqs-dynamic-target-tracking/internal/band"
)

// MoveRequest is the input of the step Move Bounds.
type MoveRequest struct {
	Execution string `json:"execution"`
	band.Bounds
}

// Moved is the output of the step Move Bounds.
type Moved struct {
	Summary string `json:"summary"`
}

// Mover writes bounds.
type Mover struct {
	Scaling    boundsWriter
	Parameters parameterReader
	Target     Target
	Parameter  string // name of the parameter that holds the State
	// MinTasks and MaxTasks are the template's limits. No other bounds are written.
	MinTasks, MaxTasks int
}

// Move writes the bounds, if they still are the band's and the run is at work. The next look reads them again.
func (m Mover) Move(ctx context.Context, request MoveRequest) (Moved, error) {
	b := request.Bounds
	if b.Floor < m.MinTasks || b.Ceiling > m.MaxTasks || b.Floor > b.Ceiling {
		return Moved{}, fmt.Errorf("refused to set the bounds to %d and %d: they must ascend within %d and %d",
			b.Floor, b.Ceiling, m.MinTasks, m.MaxTasks)
	}
	if _, err := holds(ctx, m.Parameters, m.Parameter, request.Execution); err != nil {
		return Moved{}, err
	}
	if err := m.Target.move(ctx, m.Scaling, b); err != nil {
		return Moved{}, err
	}
	return Moved{Summary: fmt.Sprintf("%s has at least %d and at most %d tasks", m.Target.ResourceID, b.Floor,
		b.Ceiling)}, nil
}

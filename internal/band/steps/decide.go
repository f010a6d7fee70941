package steps

import "sqs-dynamic-target-tracking/internal/band"

// DecideRequest is the input of the step Decide Bounds.
type DecideRequest Seen

// Decided is the output of the step Decide Bounds.
type Decided struct {
	band.Decision
	Memory band.Memory `json:"memory"`
}

// Decide works out the bounds after a look. It does no I/O and reads no clock.
func Decide(settings band.Settings, request DecideRequest) (Decided, error) {
	decision, memory, err := band.Decide(settings, request.Look, request.Memory)
	return Decided{Decision: decision, Memory: memory}, err
}

package policy

import "sqs-dynamic-target-tracking/internal/simulation"

// Fixed is a service without scaling: always the same number of tasks.
type Fixed struct {
	Tasks int // more than 0
	Label string
}

// Name implements simulation.Policy.
func (f Fixed) Name() string { return f.Label }

// Begin implements simulation.Policy.
func (f Fixed) Begin(c *simulation.Control) error {
	c.SetDesired(f.Tasks)
	return nil
}

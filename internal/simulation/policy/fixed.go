package policy

import (
	"fmt"

	"sqs-dynamic-target-tracking/internal/simulation"
)

// Fixed is a service without scaling: always the same number of tasks.
type Fixed struct{ Tasks int }

// Name implements simulation.Policy.
func (f Fixed) Name() string { return fmt.Sprintf("fixed:%d", f.Tasks) }

// Begin implements simulation.Policy.
func (f Fixed) Begin(c *simulation.Control) error {
	c.SetDesired(f.Tasks)
	return nil
}

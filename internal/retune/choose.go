package retune

import "context"

// Who chose the settings of a decision.
const (
	ByFormula = "formula" // the arithmetic of internal/backlog with the settings in force
	ByReplay  = "replay"  // the cheapest settings that keep the promise when the window is replayed
	ByRecord  = "record"  // those of the last retune, for lack of samples
	ByHand    = "hand"    // a person
)

// chooser chooses settings for a measurement by more than arithmetic.
type chooser interface {
	// Choose returns the tuning to use, and what there is to say about the choice. An error leaves it to the formula.
	Choose(ctx context.Context, m Measurement, h *History, inForce Tuning) (Tuning, *Chosen, error)
}

// Chosen is what a choice by replay has to say for itself.
type Chosen struct {
	By     string `json:"by"` // ByReplay or ByFormula
	Reason string `json:"reason"`
	Tuning
}

// Words are sentences for the decision, without full stops.
func (c *Chosen) Words() []string { return []string{c.Reason} }

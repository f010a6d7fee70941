package retune

import (
	"encoding/json"
	"fmt"
)

// Outcome is the output of an execution of the machine, for those who read it: what was measured, decided and done, as
// far as the execution got. The definition of the machine writes it; a test holds the two together.
type Outcome struct {
	Outcome    string      `json:"outcome"` // in a few words, e.g. "applied"
	Summary    string      `json:"summary"`
	Reason     string      `json:"reason"`     // why the execution was started
	Measured   Measurement `json:"measured"`   // zero when the execution gave way to another one
	Decided    *Decision   `json:"decided"`    // nil when there was too little to decide
	Applied    *Applied    `json:"applied"`    // nil when nothing was changed
	Published  *Published  `json:"published"`  // nil when the execution gave way to another one
	Compared   *Comparison `json:"compared"`   // nil when nothing was watched
	Restored   *Applied    `json:"restored"`   // nil when nothing was taken back
	GaveWay    *Turn       `json:"gaveWay"`    // nil unless the execution gave way to another one
	ComesAgain *Again      `json:"comesAgain"` // nil unless another retune was scheduled
}

// ReadOutcome parses the output of a successful execution.
func ReadOutcome(output json.RawMessage) (Outcome, error) {
	var outcome Outcome
	if err := json.Unmarshal(output, &outcome); err != nil {
		return Outcome{}, fmt.Errorf("read the output of a retune: %w", err)
	}
	return outcome, nil
}

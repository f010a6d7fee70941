package retune

import (
	"fmt"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// DeadBand is the relative change of both targets up to which they are left alone: a policy that is rewritten loses the
// history of its alarms for nothing.
const DeadBand = 0.05

// DecideRequest is the input of the step Decide Targets.
type DecideRequest struct {
	Measurement Measurement `json:"measurement"`
}

// Decision is the output of the step Decide Targets.
type Decision struct {
	Summary       string   `json:"summary"`
	WorthChanging bool     `json:"worthChanging"` // the targets, or only the tuning record
	Outcome       string   `json:"outcome"`       // "change", "record", or in a few words why the targets are kept
	Why           []string `json:"why"`           // each bound that acted, in words; empty if none did
	// ProcessingSeconds is the duration that Wanted is made for; 0 if nothing usable was measured.
	ProcessingSeconds float64 `json:"processingSeconds"`
	Current           Targets `json:"current"`
	Wanted            Targets `json:"wanted"`  // what the arithmetic alone asks for
	Targets           Targets `json:"targets"` // to apply; the current ones if not worth changing
	Promise           Promise `json:"promise"` // that the targets are to keep
}

// Outcomes of a Decision, besides the guard rails of the package backlog that keep the targets.
const (
	outcomeChange = "change"
	outcomeRecord = "record" // the targets stay, but the tuning record does not name them
	outcomeHeld   = "targets are held"
)

// Decide works out the targets that a measurement asks for, within the guard rails. It does no I/O and reads no clock.
// Errors are *backlog.ValueError, about the promise or the request.
func Decide(promise backlog.Promise, m Measurement) (Decision, error) {
	rails := backlog.Rails{MinimumSamples: m.MinimumSamples, MaximumFactor: m.MaximumFactor, DeadBand: DeadBand}
	proposal, err := rails.Propose(promise, backlog.Targets(m.Current), m.reading())
	if err != nil {
		return Decision{}, err
	}
	decision := Decision{
		WorthChanging: proposal.Change, Outcome: outcomeChange, Why: []string{},
		ProcessingSeconds: proposal.Processing.Seconds(),
		Current:           m.Current, Wanted: Targets(proposal.Wanted), Targets: Targets(proposal.Targets),
		Promise: PromiseOf(promise),
	}
	for _, bound := range proposal.Bounds {
		decision.Why = append(decision.Why, bound.Words)
		if !proposal.Change {
			decision.Outcome = keptBy[bound.Rail] // the last bound is the one that keeps the targets
		}
	}
	until, held := m.held()
	switch {
	case held && proposal.Change:
		decision.WorthChanging, decision.Outcome, decision.Targets = false, outcomeHeld, m.Current
		decision.Why = append(decision.Why, fmt.Sprintf("the targets are held until %s", until.Format(time.RFC3339)))
	case !held && decision.Outcome == keptBy[backlog.WithinDeadBand] && !m.recorded():
		decision.WorthChanging, decision.Outcome = true, outcomeRecord
		decision.Why = append(decision.Why,
			"the tuning record does not name them: it is written, so that a deployment keeps them")
	}
	decision.Summary = decision.summary()
	return decision, nil
}

// recorded tells whether the tuning record names the targets in force. It does not after a run that could not write it,
// after a deployment with another promise, and before the first run.
func (m Measurement) recorded() bool { return m.Record != nil && m.Record.Targets == m.Current }

var keptBy = map[backlog.Rail]string{
	backlog.TooFewSamples:  "too few samples",
	backlog.NoDuration:     "no duration measured",
	backlog.WithinDeadBand: "within the dead band",
}

// held tells whether the targets were to be kept when they were measured.
func (m Measurement) held() (until time.Time, held bool) {
	if m.Record == nil {
		return time.Time{}, false
	}
	return m.Record.Holds(m.Window.To)
}

func (d Decision) summary() string {
	if d.Targets == d.Current {
		return fmt.Sprintf("kept at %g messages per task and %g messages per period and task: %s",
			d.Current.Backlog, d.Current.Rate, strings.Join(d.Why, "; "))
	}
	return fmt.Sprintf("from %g to %g messages per task, and from %g to %g messages per period and task, "+
		"for %.4g s a "+
		"message", d.Current.Backlog, d.Targets.Backlog, d.Current.Rate, d.Targets.Rate, d.ProcessingSeconds)
}

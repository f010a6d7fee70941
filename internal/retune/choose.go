package retune

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/choice"
	simulated "sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

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
	KeptPercent   float64 `json:"keptPercent"`   // that these settings would have kept
	TaskHours     float64 `json:"taskHours"`     // that they would have taken
	ReplayedHours float64 `json:"replayedHours"` // of the newest history
	FixedTasks    int     `json:"fixedTasks"`    // the least fixed count that would have kept the promise
	// Candidates are all replays in their order, the settings in force first, each in words.
	Candidates []string `json:"candidates"`
}

// Words are sentences for the decision, without full stops.
func (c *Chosen) Words() []string { return []string{c.Reason} }

// LeastReplay is how many periods with data a history must have for settings to be chosen from it: an hour of minutes.
// Less is one measurement of a load and no pattern.
const LeastReplay = 60

// Replay is a chooser: it replays the history with other settings, as internal/simulation/choice does. It is pure: the
// same measurement gives the same choice.
type Replay struct {
	Promise    backlog.Promise // of the stack
	Limits     Bounds          // MinTasks and MaxTasks of the stack
	OwnsBounds bool            // otherwise the bounds are somebody else's, and are left out of the choice
	DriftRule  DriftRule

	ScaleOutCooldown, ScaleInCooldown time.Duration // of both policies
}

// conclusionTime is what is kept of a function's time to answer when the replays take longer than they should.
const conclusionTime = 5 * time.Second

// Choose implements the chooser. With too little history it answers the settings in force, by the formula. Errors are
// about the history or the time: then the formula speaks too.
//
// The simulation's assumptions are about AWS, where a metric has a period of a minute. A world with shorter periods is
// one in which everything is faster, as the local engine's: its times are stretched to that of minutes and back.
func (r Replay) Choose(
	ctx context.Context, m Measurement, h *History, inForce Tuning,
) (Tuning, *Chosen, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-conclusionTime))
		defer cancel()
	}
	stretch := float64(time.Minute) / float64(r.Promise.Period)
	window, err := h.window(m, stretch)
	if err != nil {
		return inForce, nil, err
	}
	if periods := known(window.Sent) * int(window.Period) / int(time.Minute); periods < LeastReplay {
		return inForce, &Chosen{
			By: ByFormula, Tuning: inForce, Candidates: []string{},
			Reason: fmt.Sprintf("the formula speaks: the history has arrivals of %d periods, and a replay needs %d",
				periods, LeastReplay),
		}, nil
	}
	chosen, err := choice.Choose(ctx, r.request(window, inForce, stretch))
	if err != nil {
		return inForce, nil, err
	}
	tuning := Tuning{
		Headroom: chosen.Headroom, Utilization: chosen.Utilization,
		Bounds: Bounds{MinTasks: chosen.Bounds.Min, MaxTasks: chosen.Bounds.Max},
	}
	if !r.OwnsBounds {
		tuning.Bounds = inForce.Bounds
	}
	hours := func(inMinutes float64) float64 { return math.Round(100*inMinutes/stretch) / 100 }
	said := &Chosen{
		By: ByReplay, Tuning: tuning, KeptPercent: percent(chosen.Kept), TaskHours: hours(chosen.TaskHours),
		ReplayedHours: hours(chosen.Span.Hours()), FixedTasks: chosen.FixedTasks, Candidates: []string{},
	}
	said.Reason = said.reason(chosen)
	for _, c := range chosen.Candidates {
		said.Candidates = append(said.Candidates, fmt.Sprintf(
			"headroom %g, utilisation %g, %d to %d tasks, scale-in %s: %g %% for %g task-hours",
			c.Headroom, c.Utilization, c.Bounds.Min, c.Bounds.Max, c.Pace, percent(c.Kept), hours(c.TaskHours)))
	}
	return tuning, said, nil
}

// known counts the periods with data.
func known(values []float64) int {
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

func percent(share float64) float64 { return math.Round(share*1e4) / 100 }

// reason says who spoke, and why.
func (c *Chosen) reason(of choice.Choice) string {
	what := fmt.Sprintf("headroom %g, utilisation %g and %v", c.Headroom, c.Utilization, c.Bounds)
	would := fmt.Sprintf("would have kept %g %% of the last %.3g h for %g task-hours, of %d replays",
		c.KeptPercent, c.ReplayedHours, c.TaskHours, len(of.Candidates))
	switch {
	case of.OutOfReach:
		return fmt.Sprintf(
			"no settings of %d replays keep more than %g %% of the last %.3g h, so a choice is of no use: those of "+
				"the stack hold, %s", len(of.Candidates), c.KeptPercent, c.ReplayedHours, what)
	case !of.Keeps:
		return fmt.Sprintf("no settings keep the promise for this load at a reasonable cost; the best, %s, %s",
			what, would)
	case of.Better:
		return fmt.Sprintf("chosen by replay: %s %s", what, would)
	}
	return fmt.Sprintf("nothing is much better than what is in force: %s %s", what, would)
}

// request asks for the choice in a world of minutes.
func (r Replay) request(w choice.Window, inForce Tuning, stretch float64) choice.Request {
	longer := func(d time.Duration) time.Duration { return time.Duration(float64(d) * stretch) }
	tuning := simulated.Defaults()
	tuning.Headroom, tuning.Utilization = inForce.Headroom, inForce.Utilization
	tuning.ScaleOutCooldown, tuning.ScaleInCooldown = longer(r.ScaleOutCooldown), longer(r.ScaleInCooldown)
	tuning.Retune.DriftFactor = r.DriftRule.Factor
	tuning.Retune.DriftWindow = time.Duration(r.DriftRule.Periods) * time.Minute
	limits := tracking.Bounds{Min: r.Limits.MinTasks, Max: r.Limits.MaxTasks}
	bounds := tracking.Bounds{Min: inForce.MinTasks, Max: inForce.MaxTasks}
	if !r.OwnsBounds {
		bounds = limits // those in force are of a moment, and hold again when whoever moves them stops
	}
	return choice.Request{
		Base:   simulated.Settings{Headroom: r.Promise.Headroom, Utilization: r.Promise.Utilization, Bounds: limits},
		Window: w, Tuning: tuning, Bounds: bounds, Limits: limits, KeepBounds: !r.OwnsBounds,
		Delay: longer(r.Promise.AcceptableDelay), Concurrency: r.Promise.Concurrency,
		Keep: choice.DefaultKeep, Margin: choice.DefaultMargin,
		Assumptions: simulation.DefaultAssumptions(), Seed: 1,
	}
}

// window is the history with its times stretched.
func (h *History) window(m Measurement, stretch float64) (choice.Window, error) {
	sent, err := parseNumbers("sent", h.Sent)
	if err != nil {
		return choice.Window{}, err
	}
	blocks, err := parseNumbers("processing", h.Processing)
	if err != nil {
		return choice.Window{}, err
	}
	if h.PeriodSeconds < 1 {
		return choice.Window{}, fmt.Errorf("the history's periodSeconds is %d; at least 1 is allowed", h.PeriodSeconds)
	}
	long := func(inSeconds float64) time.Duration { return seconds(inSeconds * stretch) }
	w := choice.Window{
		Period: long(float64(h.PeriodSeconds)), Sent: sent, Processing: make([]time.Duration, len(sent)),
		Mean: long(m.ProcessingSeconds),
	}
	for i := range w.Processing {
		if block := i / blockPeriods; block < len(blocks) && !math.IsNaN(blocks[block]) {
			w.Processing[i] = long(blocks[block])
		}
	}
	for name, value := range m.ProcessingQuantiles {
		share, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
		if err == nil && share > 0 && share < 100 && value > 0 {
			w.Quantiles = append(w.Quantiles, choice.Quantile{Share: share / 100, Duration: long(value)})
		}
	}
	return w, nil
}

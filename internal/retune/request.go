package retune

import (
	"encoding/json"
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/stepinput"
)

// Limits of the window of a measurement. Durations older than a day say little about the load to come.
const (
	LeastWindow   = time.Second
	LongestWindow = 24 * time.Hour
)

// LongestWatch is the longest time that a change is watched: the messages of a day.
const LongestWatch = 24 * time.Hour

// Values of Request.OnBusy.
const (
	BusySkip = "skip" // end well and say which execution is at work: the next one comes by itself
	BusyWait = "wait" // let the other finish first: somebody or something counts on this one
)

// ReasonStackUpdate is the reason of executions that an update of the stack starts, when it has ended well or was
// rolled
// back.
const ReasonStackUpdate = "stack update"

// ReasonDrift is the reason of executions that the drift alarm starts. They are limited in number.
const ReasonDrift = "drift"

// UntilReleased is the HoldUntil of a hold without an end.
const UntilReleased = "released"

// Request is the input of the machine, with the defaults filled in.
type Request struct {
	Reason         string  `json:"reason"`
	DryRun         bool    `json:"dryRun"`         // decide and show, but change nothing
	WindowMinutes  float64 `json:"windowMinutes"`  // of LeastWindow to LongestWindow
	MinimumSamples int     `json:"minimumSamples"` // fewer samples change nothing
	MaximumFactor  float64 `json:"maximumFactor"`  // by which a run may multiply or divide a target
	OnBusy         string  `json:"onBusy"`         // BusySkip or BusyWait
	WatchMinutes   float64 `json:"watchMinutes"`   // after a change; 0 watches nothing
	Choice         string  `json:"choice"`         // ByFormula or ByReplay

	// What a person sets by hand. Any of the first three holds the targets until HoldUntil, or until they are released.
	DelaySeconds float64 `json:"delaySeconds,omitempty"` // instead of the stack's acceptable delay; 0 is the stack's
	Backlog      float64 `json:"backlogTarget,omitempty"`
	Rate         float64 `json:"rateTarget,omitempty"`
	HoldUntil    string  `json:"holdUntil,omitempty"` // RFC 3339, or UntilReleased
	Release      bool    `json:"release,omitempty"`   // end a hold
}

// Limits of targets that are set by hand; they exclude typing errors.
const mostTarget = 1e9

// ParseRequest checks the input of an execution. Every field is optional and has its default in defaults. now is the
// time that a hold must lie after. Errors are *stepinput.InvalidInput.
func ParseRequest(input json.RawMessage, defaults Request, now time.Time) (Request, error) {
	in := stepinput.Read(input)
	request := Request{
		Reason: in.Text("reason", defaults.Reason, 200),
		DryRun: in.Flag("dryRun", defaults.DryRun),
		WindowMinutes: in.Number(
			"windowMinutes",
			defaults.WindowMinutes,
			LeastWindow.Minutes(),
			LongestWindow.Minutes(),
		),
		MinimumSamples: in.Whole("minimumSamples", defaults.MinimumSamples,
			1, backlog.MostSamples),
		MaximumFactor: in.Number("maximumFactor", defaults.MaximumFactor, backlog.LeastFactor, backlog.MostFactor),
		OnBusy:        in.OneOf("onBusy", defaults.OnBusy, BusySkip, BusyWait),
		WatchMinutes:  in.Number("watchMinutes", defaults.WatchMinutes, 0, LongestWatch.Minutes()),
		Choice:        in.OneOf("choice", defaults.Choice, ByFormula, ByReplay),

		DelaySeconds: in.Number("delaySeconds", 0, 0.001, backlog.LongestDelay.Seconds()),
		Backlog:      in.Number("backlogTarget", 0, 0.001, mostTarget),
		Rate:         in.Number("rateTarget", 0, 0.000001, mostTarget),
		HoldUntil:    in.Text("holdUntil", "", 40),
		Release:      in.Flag("release", false),
	}
	if problem := request.holdProblem(now); problem != "" {
		in.Refuse("holdUntil", problem)
	}
	if request.DelaySeconds > 0 && (request.Backlog > 0 || request.Rate > 0) {
		in.Refuse("delaySeconds", "no target beside it: targets follow from a delay, or are given themselves")
	}
	if request.Release && request.setByHand() {
		in.Refuse("release", "nothing to hold beside it: either release the targets or set them")
	}
	return request, in.Err()
}

func (r Request) holdProblem(now time.Time) string {
	if r.HoldUntil == "" || r.HoldUntil == UntilReleased {
		return ""
	}
	until, err := time.Parse(time.RFC3339, r.HoldUntil)
	if err != nil || !until.After(now) {
		return fmt.Sprintf("a time to come like %s, or %q",
			now.Add(time.Hour).UTC().Truncate(time.Minute).Format(time.RFC3339), UntilReleased)
	}
	return ""
}

// setByHand tells whether a person asks for targets to be held.
func (r Request) setByHand() bool {
	return r.DelaySeconds > 0 || r.Backlog > 0 || r.Rate > 0 || r.HoldUntil != ""
}

// hold is the hold that the request asks for; empty if none.
func (r Request) hold() string {
	if r.setByHand() && r.HoldUntil == "" {
		return UntilReleased
	}
	return r.HoldUntil
}

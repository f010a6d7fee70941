package tracking

import (
	"fmt"
	"time"
)

// ActivityStatus is a scaling activity's StatusCode.
type ActivityStatus string

// Status codes. Pending and Unfulfilled exist on AWS; the engine does not use them.
const (
	Pending     ActivityStatus = "Pending"
	InProgress  ActivityStatus = "InProgress"
	Successful  ActivityStatus = "Successful"
	Overridden  ActivityStatus = "Overridden"
	Unfulfilled ActivityStatus = "Unfulfilled"
	Failed      ActivityStatus = "Failed"
)

// Activity is a scaling activity in AWS's words. One with NotScaled is only shown with IncludeNotScaledActivities.
type Activity struct {
	ID            string
	Policy        string // policy that caused it; empty for bounds and schedules
	Cause         string
	Description   string
	Status        ActivityStatus
	StatusMessage string
	Start, End    time.Time // End is zero while it lasts, and for a schedule and a reason for not scaling
	From, To      int       // desired counts
	NotScaled     []NotScaledReason
}

// NotScaledReason says why nothing happened.
type NotScaledReason struct {
	Code                                      ReasonCode
	MaxCapacity, MinCapacity, CurrentCapacity *int // present where the code has them
}

// ReasonCode is the Code of a [NotScaledReason].
type ReasonCode string

// Reason codes, as API_NotScaledReason lists them.
const (
	AnticipatedFlapping ReasonCode = "AutoScalingAnticipatedFlapping"
	PutAsUnscalable     ReasonCode = "TargetServicePutResourceAsUnscalable"
	AtMaxCapacity       ReasonCode = "AlreadyAtMaxCapacity"
	AtMinCapacity       ReasonCode = "AlreadyAtMinCapacity"
	AtDesiredCapacity   ReasonCode = "AlreadyAtDesiredCapacity"
)

// begin makes the activity that sets the desired count; the one before, if it still lasts, is overridden by it.
func (e *Engine) begin(d *Decision, now time.Time, policy, cause string, from, to int) {
	if e.running != nil {
		e.finish(d, now, Overridden, fmt.Sprintf("Found it was later changed to %d.", to))
	}
	e.running = &Activity{
		ID: e.newID(), Policy: policy, Cause: cause, From: from, To: to, Start: now,
		Description: fmt.Sprintf("Setting desired count to %d.", to), Status: InProgress,
	}
	e.running.StatusMessage = statusMessage(to, "Waiting for change to be fulfilled by ecs.")
	d.Desired, d.Changed = to, true
	d.Activities = append(d.Activities, *e.running)
	e.lastReason = reasonKey{}
}

// follow looks whether the activity that lasts has reached its end.
func (e *Engine) follow(d *Decision, now time.Time, c Capacity) {
	switch {
	case e.running == nil:
	case c.Desired != e.running.To:
		e.finish(d, now, Overridden, fmt.Sprintf("Found it was later changed to %d.", c.Desired))
	case c.Running == c.Desired && c.Pending == 0:
		e.finish(d, now, Successful, "Change successfully fulfilled by ecs.")
	}
}

func (e *Engine) finish(d *Decision, now time.Time, status ActivityStatus, message string) {
	e.running.Status, e.running.End = status, now
	e.running.StatusMessage = statusMessage(e.running.To, message)
	d.Activities = append(d.Activities, *e.running)
	e.running = nil
	e.cooldowns.complete(now)
}

func statusMessage(count int, then string) string {
	return fmt.Sprintf("Successfully set desired count to %d. %s", count, then)
}

// reasonKey tells whether a reason for not scaling is news.
type reasonKey struct {
	code   ReasonCode
	policy string
	value  int
}

// notScaled records why a policy whose alarm fired changes nothing. The same reason is recorded once until something
// else happens: the alarm fires again each period.
func (e *Engine) notScaled(d *Decision, now time.Time, p proposal, code ReasonCode, current int) {
	value := 0 // the capacity that the code tells, if it tells one
	switch code {
	case AtMaxCapacity:
		value = e.bounds.Max
	case AtMinCapacity:
		value = e.bounds.Min
	case AtDesiredCapacity:
		value = current
	case AnticipatedFlapping, PutAsUnscalable: // tell none
	}
	key := reasonKey{code: code, policy: p.policy, value: value}
	if key == e.lastReason {
		return
	}
	e.lastReason = key
	d.Activities = append(d.Activities, Activity{
		ID: e.newID(), Policy: p.policy, Cause: p.cause(), From: current, To: current, Start: now,
		Description: "Attempting to scale due to alarm triggered", Status: Failed,
		NotScaled: []NotScaledReason{newReason(code, value)},
	})
}

func newReason(code ReasonCode, value int) NotScaledReason {
	reason := NotScaledReason{Code: code}
	switch code {
	case AtMaxCapacity:
		reason.MaxCapacity = &value
	case AtMinCapacity:
		reason.MinCapacity = &value
	case AtDesiredCapacity:
		reason.CurrentCapacity = &value
	case AnticipatedFlapping, PutAsUnscalable: // tell none
	}
	return reason
}

package tracking

import (
	"fmt"
	"time"
)

// Bounds returns the present bounds.
func (e *Engine) Bounds() Bounds { return e.bounds }

// SetBounds moves MinCapacity and MaxCapacity, as RegisterScalableTarget does: a desired count outside of them is
// moved to the nearer one at once, without regard to alarms, cooldowns, deployments or suspension. Bounds that do not
// change are enforced all the same.
func (e *Engine) SetBounds(now time.Time, b Bounds, c Capacity) (Decision, error) {
	d := Decision{Desired: c.Desired}
	if err := b.validate(); err != nil {
		return d, err
	}
	e.follow(&d, now, c)
	e.bounds = b
	switch {
	case c.Desired < b.Min:
		e.begin(&d, now, "", fmt.Sprintf("minimum capacity was set to %d", b.Min), c.Desired, b.Min)
	case c.Desired > b.Max:
		e.begin(&d, now, "", fmt.Sprintf("maximum capacity was set to %d", b.Max), c.Desired, b.Max)
	}
	return d, nil
}

// Scheduled carries out a scheduled action that is due: it moves the bounds (nil keeps one), unless scheduled scaling
// is suspended. When the action is due is the caller's business.
func (e *Engine) Scheduled(now time.Time, name string, minimum, maximum *int, c Capacity) (Decision, error) {
	if e.suspended.Scheduled {
		return Decision{Desired: c.Desired}, nil
	}
	b, what := e.bounds, ""
	if minimum != nil {
		b.Min, what = *minimum, fmt.Sprintf("min capacity to %d", *minimum)
	}
	if maximum != nil {
		if what != "" {
			what += " and "
		}
		b.Max, what = *maximum, what+fmt.Sprintf("max capacity to %d", *maximum)
	}
	if what == "" {
		return Decision{Desired: c.Desired},
			fmt.Errorf("scheduled action %s: sets neither minimum nor maximum capacity", name)
	}
	d, err := e.SetBounds(now, b, c)
	if err != nil {
		return d, fmt.Errorf("scheduled action %s: %w", name, err)
	}
	d.Activities = append([]Activity{{
		ID: e.newID(), Start: now, From: c.Desired, To: c.Desired, Status: Successful,
		Cause:         fmt.Sprintf("scheduled action name %s was triggered", name),
		Description:   "Setting " + what,
		StatusMessage: "Successfully set " + what,
	}}, d.Activities...)
	return d, nil
}

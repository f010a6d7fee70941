package tracking

import "time"

// cooldown is what the last scaling actions of policies block.
//
// During a scale-out cooldown a scale-out is computed from the capacity before the one that began it, so that what it
// added counts as part of the next: only a larger one acts, and only with the difference. A scale-in cooldown blocks
// scale-in until it ends; a scale-out is never blocked by it and ends it. Bounds and schedules neither wait for a
// cooldown nor begin one.
type cooldown struct {
	outUntil, inUntil time.Time
	base              int // running count when the scale-out cooldown began
	added             int // what the scale-outs since then added to it

	// A cooldown that counts from completion waits for its activity.
	waitingOut, waitingIn time.Duration
}

// never is the end of a cooldown that has not begun to count.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *cooldown) out(now time.Time) bool { return now.Before(c.outUntil) }
func (c *cooldown) in(now time.Time) bool  { return now.Before(c.inUntil) }

// scaledOut begins or prolongs the scale-out cooldown.
func (c *cooldown) scaledOut(now time.Time, length time.Duration, start CooldownStart, running, to int) {
	if !c.out(now) {
		c.base = running
	}
	c.added = to - c.base
	c.inUntil, c.waitingIn = time.Time{}, 0
	c.outUntil, c.waitingOut = now.Add(length), 0
	if start == FromCompletion {
		c.outUntil, c.waitingOut = never, length
	}
}

// scaledIn begins the scale-in cooldown. What was added before is gone, so the other one ends.
func (c *cooldown) scaledIn(now time.Time, length time.Duration, start CooldownStart) {
	*c = cooldown{inUntil: now.Add(length)}
	if start == FromCompletion {
		c.inUntil, c.waitingIn = never, length
	}
}

// complete lets a cooldown that waited for its activity count from now on.
func (c *cooldown) complete(now time.Time) {
	if c.outUntil.Equal(never) {
		c.outUntil = now.Add(c.waitingOut)
	}
	if c.inUntil.Equal(never) {
		c.inUntil = now.Add(c.waitingIn)
	}
}

// basis is the capacity that a scale-out starts from: the running count, or during a cooldown what the assumption says.
func (c *cooldown) basis(now time.Time, basis CooldownBasis, running int) int {
	if c.out(now) && basis == BeforeScaleOut {
		return min(c.base, running)
	}
	return running
}

// reduce takes what was added already off a proposal from the running count. It is larger only if its size is.
func (c *cooldown) reduce(now time.Time, basis CooldownBasis, capacity Capacity, wanted int) int {
	if c.out(now) && basis == RunningCount {
		return capacity.Desired + max(0, wanted-capacity.Running-c.added)
	}
	return wanted
}

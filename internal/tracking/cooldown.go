package tracking

import "time"

// cooldowns are the cooldowns of a scalable target: each policy has its own, or all share one, as the assumption says.
type cooldowns struct {
	assume Assumptions
	of     map[string]*cooldown // by policy; "" where they share one
}

func newCooldowns(a Assumptions) cooldowns {
	return cooldowns{assume: a, of: map[string]*cooldown{}}
}

// by returns the cooldown that a policy begins and waits for.
func (c cooldowns) by(policy string) *cooldown {
	if c.assume.CooldownScope == PerTarget {
		policy = ""
	}
	if c.of[policy] == nil {
		c.of[policy] = &cooldown{}
	}
	return c.of[policy]
}

// scaledOut begins a scale-out cooldown. No scale-in cooldown outlasts a scale-out.
func (c cooldowns) scaledOut(now time.Time, out proposal, running, to int) {
	for _, other := range c.of {
		other.inUntil, other.waitingIn = time.Time{}, 0
	}
	c.by(out.policy).scaledOut(now, out.cooldown, c.assume, running, to)
}

// scaledIn begins a scale-in cooldown. What was added before is gone, so the scale-out cooldowns end.
func (c cooldowns) scaledIn(now time.Time, in proposal) {
	for _, other := range c.of {
		other.endOut()
	}
	c.by(in.policy).scaledIn(now, in.cooldown, c.assume.CooldownStart)
}

// complete lets the cooldowns that waited for the activity count from now on.
func (c cooldowns) complete(now time.Time) {
	for _, each := range c.of {
		each.complete(now)
	}
}

// until returns when the last scale-out and scale-in cooldowns end.
func (c cooldowns) until() (out, in time.Time) {
	for _, each := range c.of {
		if each.outUntil.After(out) {
			out = each.outUntil
		}
		if each.inUntil.After(in) {
			in = each.inUntil
		}
	}
	return out, in
}

// cooldown is what scaling actions block.
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

// scaledOut begins the scale-out cooldown, or, while it lasts, adds to what it stands for; whether that prolongs it,
// the assumptions say.
func (c *cooldown) scaledOut(now time.Time, length time.Duration, a Assumptions, running, to int) {
	lasting := c.out(now)
	if !lasting {
		c.base = running
	}
	c.added = to - c.base
	if lasting && !a.CooldownProlonged {
		return
	}
	c.outUntil, c.waitingOut = now.Add(length), 0
	if a.CooldownStart == FromCompletion {
		c.outUntil, c.waitingOut = never, length
	}
}

// endOut ends the scale-out cooldown.
func (c *cooldown) endOut() {
	*c = cooldown{inUntil: c.inUntil, waitingIn: c.waitingIn}
}

// scaledIn begins the scale-in cooldown.
func (c *cooldown) scaledIn(now time.Time, length time.Duration, start CooldownStart) {
	c.inUntil, c.waitingIn = now.Add(length), 0
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

package tracking

import (
	"fmt"
	"slices"
	"time"
)

// Capacity is the state of the service at an evaluation.
type Capacity struct {
	Desired, Running, Pending int
	Deploying                 bool // a deployment is in progress: nothing is removed
}

// Decision is the outcome of an evaluation.
type Decision struct {
	// Desired is the count that the service shall have; the present one when nothing changes.
	Desired int
	Changed bool
	// Activities are those that began or changed (same ID) with this evaluation, and reasons for not scaling when they
	// differ from the reasons before.
	Activities []Activity
}

// Config is what an engine is made from.
type Config struct {
	ResourceID  string // service/<cluster>/<service>
	Bounds      Bounds
	Assumptions Assumptions
	Metrics     Metrics
	NewID       func() string // of activities and alarms; must be deterministic where runs shall repeat
}

// Engine decides for one scalable target. It is not safe for concurrent use.
type Engine struct {
	resourceID string
	assume     Assumptions
	metrics    Metrics
	newID      func() string

	bounds    Bounds
	suspended Suspended
	tracking  []*trackingPolicy
	steps     []*stepPolicy

	cooldowns  cooldowns
	running    *Activity // that still lasts
	lastReason reasonKey
}

// New returns an engine without policies.
func New(c Config) (*Engine, error) {
	if err := c.Assumptions.Validate(); err != nil {
		return nil, err
	}
	if err := c.Bounds.validate(); err != nil {
		return nil, err
	}
	if c.Metrics == nil || c.NewID == nil {
		return nil, fmt.Errorf("an engine needs Metrics and NewID")
	}
	return &Engine{
		resourceID: c.ResourceID, assume: c.Assumptions, metrics: c.Metrics, newID: c.NewID, bounds: c.Bounds,
		cooldowns: newCooldowns(c.Assumptions),
	}, nil
}

// PutTargetTracking makes or replaces the policy of that name, with its two alarms. Errors name the value at fault.
func (e *Engine) PutTargetTracking(_ time.Time, p TargetTracking) error {
	at := slices.IndexFunc(e.tracking, func(old *trackingPolicy) bool { return old.Name == p.Name })
	keep := at >= 0 && !e.assume.PutRecreatesAlarms
	var highName, lowName string
	if !keep {
		highName = fmt.Sprintf("TargetTracking-%s-AlarmHigh-%s", e.resourceID, e.newID())
		lowName = fmt.Sprintf("TargetTracking-%s-AlarmLow-%s", e.resourceID, e.newID())
	}
	policy, err := newTrackingPolicy(p, e.assume, highName, lowName)
	if err != nil {
		return err
	}
	if keep {
		policy.high.update(e.tracking[at].high)
		policy.low.update(e.tracking[at].low)
	}
	e.put(p.Name, at >= 0)
	if at >= 0 {
		e.tracking[at] = policy
		return nil
	}
	e.DeletePolicy(p.Name) // a step policy of the same name
	e.tracking = append(e.tracking, policy)
	return nil
}

// PutStep makes or replaces the step policy of that name with its alarms. An alarm of the same name keeps its state.
func (e *Engine) PutStep(_ time.Time, p StepScaling) error {
	policy, err := newStepPolicy(p)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(e.steps, func(old *stepPolicy) bool { return old.Name == p.Name })
	e.put(p.Name, at >= 0)
	if at < 0 {
		e.DeletePolicy(p.Name) // a target tracking policy of the same name
		e.steps = append(e.steps, policy)
		return nil
	}
	for _, alarm := range policy.alarms {
		for _, old := range e.steps[at].alarms {
			if old.spec.Name == alarm.spec.Name {
				alarm.update(old)
			}
		}
	}
	e.steps[at] = policy
	return nil
}

// put notes that a policy was written.
func (e *Engine) put(policy string, replaced bool) {
	if replaced && e.assume.PutResetsCooldown {
		*e.cooldowns.by(policy) = cooldown{}
	}
	e.lastReason = reasonKey{}
}

// DeletePolicy removes a policy of either kind and its alarms. It reports whether there was one.
func (e *Engine) DeletePolicy(name string) bool {
	before := len(e.tracking) + len(e.steps)
	e.tracking = slices.DeleteFunc(e.tracking, func(p *trackingPolicy) bool { return p.Name == name })
	e.steps = slices.DeleteFunc(e.steps, func(p *stepPolicy) bool { return p.Name == name })
	return len(e.tracking)+len(e.steps) < before
}

// Suspend sets which kinds of scaling are suspended.
func (e *Engine) Suspend(s Suspended) { e.suspended = s }

// Evaluate evaluates all alarms on what was readable and decides. Call it once a period, EvaluationOffset after a
// full one: an alarm that stays in ALARM acts again each period.
func (e *Engine) Evaluate(now time.Time, c Capacity) Decision {
	d := Decision{Desired: c.Desired}
	e.follow(&d, now, c)
	e.evaluateAlarms(now)

	out, anyOut := e.outProposal(now, c)
	if anyOut {
		e.scaleOut(&d, now, c, out)
		return d
	}
	in, flapping := e.inProposal(c)
	if in.wanted < 0 {
		e.lastReason = reasonKey{} // no alarm asks for anything
		return d
	}
	e.scaleIn(&d, now, c, in, flapping)
	return d
}

func (e *Engine) evaluateAlarms(now time.Time) {
	at := now.Add(-e.assume.AlarmLag)
	for _, p := range e.tracking {
		p.high.Evaluate(at, e.metrics)
		p.low.Evaluate(at, e.metrics)
	}
	for _, p := range e.steps {
		for _, alarm := range p.alarms {
			alarm.Evaluate(at, e.metrics)
		}
	}
}

// outProposal returns the largest scale-out that a policy asks for, and whether any asks: then nothing is removed.
func (e *Engine) outProposal(now time.Time, c Capacity) (out proposal, anyOut bool) {
	from := func(policy string) int {
		return e.cooldowns.by(policy).basis(now, e.assume.CooldownBasis, c.Running)
	}
	out = noProposal
	for _, p := range e.tracking {
		out = out.larger(p.scaleOut(e.assume, from(p.Name), c.Running == 0 && c.Desired == 0))
	}
	anyOut = out.wanted >= 0
	for _, p := range e.steps {
		if step := p.propose(e.assume, from(p.Name)); step.wanted > from(p.Name) {
			out, anyOut = out.larger(step), true
		}
	}
	return out, anyOut
}

// scaleOut carries out the largest scale-out, if it is one.
func (e *Engine) scaleOut(d *Decision, now time.Time, c Capacity, out proposal) {
	if e.suspended.Out || c.Desired > e.bounds.Max {
		return
	}
	cooldown := e.cooldowns.by(out.policy)
	wanted := cooldown.reduce(now, e.assume.CooldownBasis, c, out.wanted)
	to := e.bounds.clamp(wanted)
	switch {
	case to > c.Desired:
		e.begin(d, now, out.policy, out.cause(), c.Desired, to)
		e.cooldowns.scaledOut(now, out, c.Running, to)
	case wanted > c.Desired:
		e.notScaled(d, now, out, AtMaxCapacity, c.Desired)
	case !cooldown.out(now):
		e.notScaled(d, now, out, AtDesiredCapacity, c.Desired)
	}
}

// inProposal returns the largest capacity that the policies agree to, or none. Flapping says that target tracking would
// remove something but for the metric, which would then be over the target again.
func (e *Engine) inProposal(c Capacity) (in proposal, flapping bool) {
	in, flapping = e.trackingIn(c)
	for _, p := range e.steps { // wait for nobody
		step := p.propose(e.assume, c.Running)
		switch {
		case step.wanted < 0 || step.wanted >= c.Running:
		case in.wanted < 0 || flapping:
			in, flapping = step, false
		default:
			in = in.larger(step)
		}
	}
	return in, flapping
}

// trackingIn asks the target tracking policies: all that may scale in have to be ready for it.
func (e *Engine) trackingIn(c Capacity) (in proposal, flapping bool) {
	in = noProposal
	for _, p := range e.tracking {
		if p.DisableScaleIn {
			continue
		}
		if !p.ready() {
			return noProposal, false
		}
		proposed, flaps := p.scaleIn(e.assume, c.Running)
		switch {
		case flaps && !flapping:
			in, flapping = proposed, true
			in.wanted = c.Desired
		case !flapping:
			in = in.larger(proposed)
		}
	}
	return in, flapping
}

// scaleIn carries out a scale-in that the policies agree to, if nothing forbids it.
func (e *Engine) scaleIn(d *Decision, now time.Time, c Capacity, in proposal, flapping bool) {
	if e.suspended.In || e.cooldowns.by(in.policy).in(now) {
		return
	}
	to := e.bounds.clamp(in.wanted)
	switch {
	case c.Desired <= e.bounds.Min:
		e.notScaled(d, now, in, AtMinCapacity, c.Desired)
	case flapping && c.Desired <= e.bounds.Max:
		e.notScaled(d, now, in, AnticipatedFlapping, c.Desired)
	case to >= c.Desired:
		e.notScaled(d, now, in, AtDesiredCapacity, c.Desired)
	case c.Deploying:
		e.notScaled(d, now, in, PutAsUnscalable, c.Desired)
	default:
		e.begin(d, now, in.policy, in.cause(), c.Desired, to)
		e.cooldowns.scaledIn(now, in)
	}
}

// Alarms returns the alarms of all policies in the order in which these were put, target tracking first.
func (e *Engine) Alarms() []AlarmStatus {
	var all []AlarmStatus
	add := func(policy string, alarm *Alarm) {
		status := alarm.Status()
		status.Policy = policy
		all = append(all, status)
	}
	for _, p := range e.tracking {
		add(p.Name, p.high)
		add(p.Name, p.low)
	}
	for _, p := range e.steps {
		for _, alarm := range p.alarms {
			add(p.Name, alarm)
		}
	}
	return all
}

// CooldownUntil returns when the running scale-out and scale-in cooldowns end; zero for none so far. A cooldown that
// waits for its activity ends in the year 9999.
func (e *Engine) CooldownUntil() (out, in time.Time) { return e.cooldowns.until() }

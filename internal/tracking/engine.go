package tracking

import "time"

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
type Engine struct{}

// New returns an engine without policies.
func New(c Config) (*Engine, error) { return nil, nil }

// PutTargetTracking makes or replaces the policy of that name, with its two alarms. Errors name the value at fault.
func (e *Engine) PutTargetTracking(now time.Time, p TargetTracking) error { return nil }

// PutStep makes or replaces the step policy of that name with its alarms.
func (e *Engine) PutStep(now time.Time, p StepScaling) error { return nil }

// DeletePolicy removes a policy of either kind and its alarms. It reports whether there was one.
func (e *Engine) DeletePolicy(name string) bool { return false }

// Suspend sets which kinds of scaling are suspended.
func (e *Engine) Suspend(s Suspended) {}

// SetBounds moves MinCapacity and MaxCapacity. A desired count outside of them is moved at once.
func (e *Engine) SetBounds(now time.Time, b Bounds, c Capacity) (Decision, error) {
	return Decision{}, nil
}

// Scheduled carries out a scheduled action that is due: it moves the bounds (nil keeps one) regardless of cooldowns,
// unless scheduled scaling is suspended.
func (e *Engine) Scheduled(now time.Time, name string, min, max *int, c Capacity) (Decision, error) {
	return Decision{}, nil
}

// Bounds returns the present bounds.
func (e *Engine) Bounds() Bounds { return Bounds{} }

// Evaluate evaluates all alarms on what was readable and decides. Call it once a period, EvaluationOffset after a full one.
func (e *Engine) Evaluate(now time.Time, c Capacity) Decision { return Decision{} }

// Alarms returns the alarms of all policies in the order of their creation.
func (e *Engine) Alarms() []AlarmStatus { return nil }

// CooldownUntil returns when the running scale-out and scale-in cooldowns end; zero for none.
func (e *Engine) CooldownUntil() (out, in time.Time) { return time.Time{}, time.Time{} }

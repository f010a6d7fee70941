package tracking

import (
	"fmt"
	"math"
	"time"
)

// Bounds are the scalable target's MinCapacity and MaxCapacity.
type Bounds struct{ Min, Max int }

func (b Bounds) validate() error {
	if b.Min < 0 || b.Max < b.Min {
		return fmt.Errorf("bounds %d to %d: the minimum must be at least 0 and the maximum at least the minimum",
			b.Min, b.Max)
	}
	return nil
}

func (b Bounds) clamp(n int) int { return max(b.Min, min(b.Max, n)) }

// Suspended says which kinds of scaling are suspended.
type Suspended struct {
	In, Out   bool // DynamicScalingInSuspended, DynamicScalingOutSuspended
	Scheduled bool // ScheduledScalingSuspended
}

// TargetTracking is a target tracking policy.
type TargetTracking struct {
	Name    string
	Target  float64 // TargetValue, above 0
	Metrics []MetricQuery
	// ScaleOutCooldown and ScaleInCooldown; nil takes the default of the assumptions.
	ScaleOutCooldown, ScaleInCooldown *time.Duration
	DisableScaleIn                    bool
}

// trackingPolicy is a target tracking policy at work.
type trackingPolicy struct {
	TargetTracking
	high, low *Alarm
}

func newTrackingPolicy(p TargetTracking, a Assumptions, highName, lowName string) (*trackingPolicy, error) {
	if p.Name == "" {
		return nil, fmt.Errorf("target tracking policy without a name")
	}
	if !(p.Target > 0) || math.IsInf(p.Target, 0) {
		return nil, fmt.Errorf("policy %s: target value %v must be above 0", p.Name, p.Target)
	}
	spec := AlarmSpec{
		Metrics: p.Metrics, Period: a.Period, TreatMissing: Missing,
		ExtraDatapoints: a.ExtraDatapoints, DropUnpaired: a.DropUnpaired,
	}
	high, low := spec, spec
	high.Name, high.Comparison, high.Threshold = highName, GreaterThan, p.Target
	high.EvaluationPeriods, high.DatapointsToAlarm = a.HighPeriods, a.HighDatapoints
	low.Name, low.Comparison, low.Threshold = lowName, LessThan, a.LowRatio*p.Target
	low.EvaluationPeriods, low.DatapointsToAlarm = a.LowPeriods, a.LowDatapoints

	policy := &trackingPolicy{TargetTracking: p}
	var err error
	if policy.high, err = NewAlarm(high); err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	if policy.low, err = NewAlarm(low); err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	return policy, nil
}

// AdjustmentType says how a step's adjustment is meant.
type AdjustmentType string

// Adjustment types of step policies.
const (
	ChangeInCapacity        AdjustmentType = "ChangeInCapacity"
	ExactCapacity           AdjustmentType = "ExactCapacity"
	PercentChangeInCapacity AdjustmentType = "PercentChangeInCapacity"
)

// StepScaling is a step policy together with the alarms that trigger it.
type StepScaling struct {
	Name          string
	Adjustment    AdjustmentType
	Steps         []Step
	MinAdjustment int            // MinAdjustmentMagnitude, for PercentChangeInCapacity
	Cooldown      *time.Duration // nil takes the default of the assumptions
	Aggregation   string         // MetricAggregationType: Average (also when empty), Minimum, Maximum
	Alarms        []AlarmSpec    // whose AlarmActions name the policy
}

// Step is one step adjustment; bounds are relative to the alarm's threshold, nil is infinite.
type Step struct {
	Lower, Upper *float64
	Adjustment   int
}

// stepPolicy is a step policy at work.
type stepPolicy struct {
	StepScaling
	alarms []*Alarm
}

func newStepPolicy(p StepScaling) (*stepPolicy, error) {
	if p.Name == "" {
		return nil, fmt.Errorf("step policy without a name")
	}
	switch p.Adjustment {
	case ChangeInCapacity, ExactCapacity, PercentChangeInCapacity:
	default:
		return nil, fmt.Errorf("policy %s: adjustment type %q is not known", p.Name, p.Adjustment)
	}
	switch p.Aggregation {
	case "", "Average", "Minimum", "Maximum":
	default:
		return nil, fmt.Errorf("policy %s: metric aggregation type %q is not known", p.Name, p.Aggregation)
	}
	if err := validateSteps(p.Steps); err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	policy := &stepPolicy{StepScaling: p}
	for _, spec := range p.Alarms {
		alarm, err := NewAlarm(spec)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", p.Name, err)
		}
		policy.alarms = append(policy.alarms, alarm)
	}
	return policy, nil
}

// validateSteps holds what the user guide lists under "Step adjustments": no overlap, no gap, at most one open end at
// either side. The steps may come in any order.
func validateSteps(steps []Step) error {
	if len(steps) == 0 {
		return fmt.Errorf("at least one step adjustment is needed")
	}
	for i, s := range steps {
		lower, upper := s.interval()
		if s.Lower == nil && s.Upper == nil && len(steps) > 1 || lower >= upper {
			return fmt.Errorf("step adjustment %d: the interval from %v to %v is empty or has no bound", i+1, lower,
				upper)
		}
		next := false // some other step begins where this one ends
		for j, other := range steps {
			from, to := other.interval()
			if i != j && from < upper && lower < to {
				return fmt.Errorf("step adjustments %d and %d overlap", i+1, j+1)
			}
			next = next || from == upper
		}
		if !next && upper != highestBound(steps) {
			return fmt.Errorf("no step adjustment begins at %v, where number %d ends: there must be no gap", upper, i+1)
		}
	}
	return nil
}

func (s Step) interval() (lower, upper float64) {
	lower, upper = math.Inf(-1), math.Inf(1)
	if s.Lower != nil {
		lower = *s.Lower
	}
	if s.Upper != nil {
		upper = *s.Upper
	}
	return lower, upper
}

func highestBound(steps []Step) float64 {
	highest := math.Inf(-1)
	for _, s := range steps {
		_, upper := s.interval()
		highest = max(highest, upper)
	}
	return highest
}

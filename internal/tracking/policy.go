package tracking

import "time"

// TargetTracking is a target tracking policy.
type TargetTracking struct {
	Name    string
	Target  float64 // TargetValue, above 0
	Metrics []MetricQuery
	// ScaleOutCooldown and ScaleInCooldown; nil takes the default of the assumptions.
	ScaleOutCooldown, ScaleInCooldown *time.Duration
	DisableScaleIn                    bool
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

// Suspended says which kinds of scaling are suspended.
type Suspended struct {
	In, Out   bool // DynamicScalingInSuspended, DynamicScalingOutSuspended
	Scheduled bool // ScheduledScalingSuspended
}

// Bounds are the scalable target's MinCapacity and MaxCapacity.
type Bounds struct{ Min, Max int }

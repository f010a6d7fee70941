package tracking

import "time"

// Assumptions are the numbers and choices that decide how scaling behaves and that the caller may change. The zero value
// of a field is not its default: start from [DefaultAssumptions]. [Catalogue] lists every field with its evidence level
// and source.
type Assumptions struct {
	// Period is the length of a datapoint and the time between two evaluations. 60 s on AWS, anything in a scaled world.
	Period time.Duration
	// EvaluationOffset is how long after a full period the alarms are evaluated.
	EvaluationOffset time.Duration
	// PublicationDelay is how long after its end a datapoint becomes readable, unless the metric has a delay of its own.
	PublicationDelay time.Duration
	// AlarmLag is how much later than it is readable a datapoint enters a scaling decision.
	AlarmLag time.Duration

	// HighPeriods, HighDatapoints: AlarmHigh fires when HighDatapoints (M) of HighPeriods (N) lie above the target.
	HighPeriods, HighDatapoints int
	// LowPeriods, LowDatapoints: AlarmLow fires when LowDatapoints of LowPeriods lie below LowRatio times the target.
	LowPeriods, LowDatapoints int
	LowRatio                  float64
	// ExtraDatapoints is how many datapoints more than N an alarm reads, so that late ones do no harm.
	ExtraDatapoints int

	// Datapoint is the one that enters the proportional decision.
	Datapoint DatapointChoice
	// ScaleInPace is how much a scale-in of target tracking removes.
	ScaleInPace Pace
	// ScaleOutCooldown and ScaleInCooldown are taken by a policy that names none.
	ScaleOutCooldown, ScaleInCooldown time.Duration
	// CooldownStart is the moment from which a cooldown counts.
	CooldownStart CooldownStart
	// CooldownBasis is the capacity that a scale-out during a cooldown starts from.
	CooldownBasis CooldownBasis
	// ZeroDatapoints is how many newest datapoints above the target a service at capacity 0 waits for.
	ZeroDatapoints int
	// PutRecreatesAlarms: PutScalingPolicy deletes and creates the two alarms, so that they have new names and start as
	// INSUFFICIENT_DATA (and are evaluated on earlier datapoints at once). Otherwise they are updated in place.
	PutRecreatesAlarms bool
	// PutResetsCooldown: PutScalingPolicy ends the running cooldowns.
	PutResetsCooldown bool
}

// Pace is how much a scale-in of target tracking removes at a time.
type Pace string

// Paces of scale-in.
const (
	Proportional Pace = "proportional"  // down to ceil(running * metric / target)
	OneAtATime   Pace = "one-at-a-time" // one task each time
)

// DatapointChoice says which of the datapoints that an alarm evaluated enters the decision.
type DatapointChoice string

// Choices of the deciding datapoint.
const (
	Newest  DatapointChoice = "newest"  // the newest one
	Average DatapointChoice = "average" // the mean of the M newest
	Least   DatapointChoice = "least"   // the one closest to the target among the M newest
)

// CooldownStart says from when a cooldown counts.
type CooldownStart string

// Starts of a cooldown.
const (
	FromDecision   CooldownStart = "decision"   // when the desired count is set
	FromCompletion CooldownStart = "completion" // when as many tasks run as were wanted
)

// CooldownBasis says what a scale-out during a cooldown starts from.
type CooldownBasis string

// Bases of a scale-out within a cooldown.
const (
	BeforeScaleOut CooldownBasis = "before-scale-out" // the count that ran when the cooldown began
	RunningCount   CooldownBasis = "running"          // what runs now, minus what was added
)

// DefaultAssumptions returns the defaults: what AWS documents, what was seen, and values under which a step of load
// scales out as late as AWS measured.
func DefaultAssumptions() Assumptions {
	return Assumptions{
		Period:           time.Minute,
		EvaluationOffset: 9 * time.Second,
		PublicationDelay: time.Minute,
		AlarmLag:         90 * time.Second,
		HighPeriods:      3, HighDatapoints: 3,
		LowPeriods: 15, LowDatapoints: 15,
		LowRatio:         0.9,
		ExtraDatapoints:  2,
		Datapoint:        Newest,
		ScaleInPace:      Proportional,
		ScaleOutCooldown: 5 * time.Minute,
		ScaleInCooldown:  5 * time.Minute,
		CooldownStart:    FromDecision,
		CooldownBasis:    BeforeScaleOut,
		ZeroDatapoints:   1,
	}
}

// Validate reports the first value that makes no sense.
func (a Assumptions) Validate() error { return nil }

package tracking

import (
	"fmt"
	"slices"
	"time"
)

// Assumptions are the numbers and choices that decide how scaling behaves and that the caller may change. The zero
// value is not the default: start from [DefaultAssumptions]. [Catalogue] says of every field how well it is known.
type Assumptions struct {
	// Period is the length of a datapoint and the time between two evaluations. 60 s on AWS, anything in a scaled
	// world.
	Period time.Duration
	// EvaluationOffset is how long after a full period the alarms are evaluated. The engine does not use it; callers
	// do.
	EvaluationOffset time.Duration
	// PublicationDelay is how long after its end a datapoint becomes readable, unless the metric has a delay of its
	// own. The engine does not use it either; whoever fills the [Metrics] does.
	PublicationDelay time.Duration
	// AlarmLag is how much later than it becomes readable a datapoint enters a scaling decision.
	AlarmLag time.Duration

	// HighPeriods, HighDatapoints: AlarmHigh fires when HighDatapoints (M) of HighPeriods (N) lie above the target.
	HighPeriods, HighDatapoints int
	// LowPeriods, LowDatapoints: AlarmLow fires when LowDatapoints of LowPeriods lie below LowRatio times the target.
	LowPeriods, LowDatapoints int
	LowRatio                  float64
	// ExtraDatapoints is how many datapoints more than N an alarm reads, so that late ones do no harm.
	ExtraDatapoints int
	// DropUnpaired: metric math drops a datapoint that only one of two series has. Otherwise the other one counts as 0.
	DropUnpaired bool

	// Datapoint is the one that enters the proportional decision.
	Datapoint DatapointChoice
	// ScaleInPace is how much a scale-in of target tracking removes.
	ScaleInPace Pace
	// ScaleOutCooldown and ScaleInCooldown are taken by a policy that names none; a step policy takes the first.
	ScaleOutCooldown, ScaleInCooldown time.Duration
	// CooldownStart is the moment from which a cooldown counts.
	CooldownStart CooldownStart
	// CooldownScope is whose scaling a cooldown holds back.
	CooldownScope CooldownScope
	// CooldownProlonged: a larger scale-out within a scale-out cooldown begins it anew. Otherwise it ends when the
	// first one's does.
	CooldownProlonged bool
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
	Nearest DatapointChoice = "nearest" // of the M newest, the one nearest to the threshold
)

// CooldownStart says from when a cooldown counts.
type CooldownStart string

// Starts of a cooldown.
const (
	FromDecision   CooldownStart = "decision"   // when the desired count is set
	FromCompletion CooldownStart = "completion" // when as many tasks run as were wanted
)

// CooldownScope says whose scaling a cooldown holds back.
type CooldownScope string

// Scopes of a cooldown.
const (
	PerPolicy CooldownScope = "policy" // that of the policy that began it
	PerTarget CooldownScope = "target" // that of all policies
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
		CooldownScope:    PerPolicy,
		CooldownBasis:    BeforeScaleOut,
		ZeroDatapoints:   1,
	}
}

// Evidence is how well something is known.
type Evidence string

// Levels of evidence.
const (
	Documented Evidence = "DOC" // AWS documentation or an SDK says so
	Observed   Evidence = "OBS" // seen in public artefacts
	Inferred   Evidence = "INF" // follows from something documented or observed
	Unknown    Evidence = "UNK" // no source found: a choice
)

// Known says of one field of [Assumptions] where its default comes from.
type Known struct {
	Field    string
	Evidence Evidence
	Source   string
}

const (
	userGuide  = "Application Auto Scaling user guide"
	apiTarget  = "API_TargetTrackingScalingPolicyConfiguration"
	alarmGuide = "CloudWatch user guide, Alarm evaluation"
	calibrated = "together with the others of its kind set so that a step scales out as AWS measured: 363 s " +
		"with 60 s metrics"
)

// Catalogue lists every field of [Assumptions] in order.
func Catalogue() []Known {
	return []Known{
		{"Period", Documented, "ECS and SQS metrics arrive by the minute; a policy for ECS takes no other period " +
			"for custom metrics"},
		{"EvaluationOffset", Inferred, calibrated},
		{"PublicationDelay", Inferred, calibrated +
			"; SQS documents each minute, up to 15 minutes late after idle hours"},
		{"AlarmLag", Inferred, calibrated},
		{"HighPeriods", Observed, "alarms that AWS made; 3 in every report"},
		{"HighDatapoints", Observed, "alarms that AWS made; 3 in every report"},
		{"LowPeriods", Observed, "alarms that AWS made; some reports say 3"},
		{"LowDatapoints", Observed, "alarms that AWS made; some reports say 9 or 3"},
		{"LowRatio", Observed, "alarms that AWS made; the " + userGuide + " says usually more than 10 % lower"},
		{"ExtraDatapoints", Documented, alarmGuide + ": a 3 of 3 alarm reads 5 datapoints; INF for other N"},
		{"DropUnpaired", Documented, "CloudWatch user guide, Using metric math: missing values are treated as 0"},
		{"Datapoint", Unknown, "which datapoint enters the decision is nowhere said"},
		{"ScaleInPace", Unknown, userGuide + ": scales in more gradually, and rounds so that not too much is removed"},
		{"ScaleOutCooldown", Documented, apiTarget + ": 300 s for ECS services"},
		{"ScaleInCooldown", Documented, apiTarget + ": 300 s for ECS services"},
		{"CooldownStart", Inferred, userGuide +
			": after it successfully scales out it starts to calculate the cooldown time"},
		{"CooldownScope", Inferred, userGuide + ": the scaling policy won't increase the desired capacity again"},
		{"CooldownProlonged", Unknown, userGuide + " speaks of what the initiating scale-out added"},
		{"CooldownBasis", Inferred, userGuide +
			": capacity added by the initiating scale-out is part of the next one's desired capacity"},
		{"ZeroDatapoints", Documented, "ECS developer guide, Service auto scaling: waits for one data point at " +
			"capacity 0"},
		{"PutRecreatesAlarms", Unknown, "no source"},
		{"PutResetsCooldown", Unknown, "no source"},
	}
}

// Scaled returns the assumptions of a world that runs n times as fast: every duration is divided by n.
func (a Assumptions) Scaled(n float64) Assumptions {
	for _, d := range []*time.Duration{
		&a.Period, &a.EvaluationOffset, &a.PublicationDelay, &a.AlarmLag, &a.ScaleOutCooldown, &a.ScaleInCooldown,
	} {
		*d = time.Duration(float64(*d) / n)
	}
	return a
}

// Validate reports the first value that makes no sense, by the name of its field.
func (a Assumptions) Validate() error {
	readByHigh := a.HighPeriods + a.ExtraDatapoints
	for _, check := range []struct {
		field string
		value any
		good  bool
		want  string
	}{
		{"Period", a.Period, a.Period > 0, "above 0"},
		{"EvaluationOffset", a.EvaluationOffset, a.EvaluationOffset >= 0, "at least 0"},
		{"PublicationDelay", a.PublicationDelay, a.PublicationDelay >= 0, "at least 0"},
		{"AlarmLag", a.AlarmLag, a.AlarmLag >= 0, "at least 0"},
		{"HighDatapoints", a.HighDatapoints, within(a.HighDatapoints, 1, a.HighPeriods), "1 to HighPeriods"},
		{"LowDatapoints", a.LowDatapoints, within(a.LowDatapoints, 1, a.LowPeriods), "1 to LowPeriods"},
		{"LowRatio", a.LowRatio, a.LowRatio > 0 && a.LowRatio <= 1, "above 0 and at most 1"},
		{"ExtraDatapoints", a.ExtraDatapoints, a.ExtraDatapoints >= 0, "at least 0"},
		{"Datapoint", a.Datapoint, oneOf(a.Datapoint, Newest, Average, Nearest), "newest, average or nearest"},
		{"ScaleInPace", a.ScaleInPace, oneOf(a.ScaleInPace, Proportional, OneAtATime), "proportional or one-at-a-time"},
		{"ScaleOutCooldown", a.ScaleOutCooldown, a.ScaleOutCooldown >= 0, "at least 0"},
		{"ScaleInCooldown", a.ScaleInCooldown, a.ScaleInCooldown >= 0, "at least 0"},
		{
			"CooldownStart", a.CooldownStart, oneOf(a.CooldownStart, FromDecision, FromCompletion),
			"decision or completion",
		},
		{"CooldownScope", a.CooldownScope, oneOf(a.CooldownScope, PerPolicy, PerTarget), "policy or target"},
		{
			"CooldownBasis", a.CooldownBasis, oneOf(a.CooldownBasis, BeforeScaleOut, RunningCount),
			"before-scale-out or running",
		},
		{"ZeroDatapoints", a.ZeroDatapoints, within(a.ZeroDatapoints, 1, readByHigh), "1 to what AlarmHigh reads"},
	} {
		if !check.good {
			return fmt.Errorf("assumption %s: %v must be %s", check.field, check.value, check.want)
		}
	}
	return nil
}

func within(n, least, most int) bool { return least <= n && n <= most }

func oneOf[T comparable](v T, choices ...T) bool { return slices.Contains(choices, v) }

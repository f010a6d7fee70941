package tracking

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// AlarmState is the state of an alarm in CloudWatch's spelling.
type AlarmState string

// States of an alarm.
const (
	StateOK               AlarmState = "OK"
	StateAlarm            AlarmState = "ALARM"
	StateInsufficientData AlarmState = "INSUFFICIENT_DATA"
)

// Comparison is CloudWatch's ComparisonOperator.
type Comparison string

// Comparison operators.
const (
	GreaterThan        Comparison = "GreaterThanThreshold"
	GreaterThanOrEqual Comparison = "GreaterThanOrEqualToThreshold"
	LessThan           Comparison = "LessThanThreshold"
	LessThanOrEqual    Comparison = "LessThanOrEqualToThreshold"
)

// MissingData is CloudWatch's TreatMissingData.
type MissingData string

// Treatments of missing data.
const (
	Missing      MissingData = "missing"
	NotBreaching MissingData = "notBreaching"
	Breaching    MissingData = "breaching"
	Ignore       MissingData = "ignore"
)

// AlarmSpec describes a CloudWatch alarm.
type AlarmSpec struct {
	Name              string
	Metrics           []MetricQuery
	Comparison        Comparison
	Threshold         float64
	Period            time.Duration
	EvaluationPeriods int         // N
	DatapointsToAlarm int         // M; 0 means N
	TreatMissing      MissingData // empty means missing
	ExtraDatapoints   int         // read beyond N
	DropUnpaired      bool        // see metricmath.Program
}

func (s AlarmSpec) validate() error {
	switch {
	case s.Period <= 0:
		return fmt.Errorf("alarm %s: period %v must be above 0", s.Name, s.Period)
	case s.EvaluationPeriods < 1:
		return fmt.Errorf("alarm %s: %d evaluation periods, at least 1 is needed", s.Name, s.EvaluationPeriods)
	case s.DatapointsToAlarm < 0 || s.DatapointsToAlarm > s.EvaluationPeriods:
		return fmt.Errorf("alarm %s: %d datapoints to alarm of %d evaluation periods", s.Name, s.DatapointsToAlarm,
			s.EvaluationPeriods)
	case s.ExtraDatapoints < 0:
		return fmt.Errorf("alarm %s: %d extra datapoints", s.Name, s.ExtraDatapoints)
	case math.IsNaN(s.Threshold) || math.IsInf(s.Threshold, 0):
		return fmt.Errorf("alarm %s: threshold %v is not a number", s.Name, s.Threshold)
	}
	switch s.Comparison {
	case GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual:
	default:
		return fmt.Errorf("alarm %s: comparison operator %q is not supported", s.Name, s.Comparison)
	}
	switch s.TreatMissing {
	case "", Missing, NotBreaching, Breaching, Ignore:
	default:
		return fmt.Errorf("alarm %s: treatment of missing data %q is not known", s.Name, s.TreatMissing)
	}
	return nil
}

// breaches compares one datapoint with the threshold.
func (s AlarmSpec) breaches(v float64) bool {
	switch s.Comparison {
	case GreaterThan:
		return v > s.Threshold
	case GreaterThanOrEqual:
		return v >= s.Threshold
	case LessThan:
		return v < s.Threshold
	default:
		return v <= s.Threshold
	}
}

// Alarm evaluates one [AlarmSpec]. It is also what the local engine's DescribeAlarms stands on.
type Alarm struct {
	spec    AlarmSpec
	request *request

	state      AlarmState
	updated    time.Time
	reason     string
	reasonData string

	// The range that was read last: values belong to request; count is its outcome.
	from   time.Time
	values []float64
	count  count
}

// NewAlarm checks the spec, compiles its metric math and returns an alarm in INSUFFICIENT_DATA.
func NewAlarm(spec AlarmSpec) (*Alarm, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	spec.DatapointsToAlarm = cmp.Or(spec.DatapointsToAlarm, spec.EvaluationPeriods)
	spec.TreatMissing = cmp.Or(spec.TreatMissing, Missing)
	request, err := newRequest(spec.Metrics, spec.EvaluationPeriods+spec.ExtraDatapoints, spec.DropUnpaired)
	if err != nil {
		return nil, fmt.Errorf("alarm %s: %w", spec.Name, err)
	}
	return &Alarm{
		spec: spec, request: request, state: StateInsufficientData, reason: "Unchecked: Initial alarm creation",
	}, nil
}

// update takes over the state of the alarm that this one replaces.
func (a *Alarm) update(old *Alarm) {
	a.spec.Name, a.state, a.updated = old.spec.Name, old.state, old.updated
	a.reason, a.reasonData = old.reason, old.reasonData
}

// Evaluate reads the newest datapoints that could be read at the moment at and moves the alarm to its new state. The
// range ends with the last full period before at. It reports whether the state changed.
func (a *Alarm) Evaluate(at time.Time, metrics Metrics) (changed bool) {
	length := a.spec.EvaluationPeriods + a.spec.ExtraDatapoints
	a.from = time.Unix(0, (periodNumber(at, a.spec.Period)-int64(length))*int64(a.spec.Period)).UTC()
	a.values = a.request.read(metrics, a.from, a.spec.Period, at)
	a.count = a.spec.count(a.values)
	state := a.spec.judge(a.count, a.state)
	if state == a.state {
		return false
	}
	a.state, a.updated = state, at
	a.reason, a.reasonData = a.explain(at)
	return true
}

// count is what decides the state of an alarm, out of the datapoints in its evaluation range: the N newest of those
// that exist, or all where fewer do.
type count struct {
	datapoints int
	breaching  int
	oldest     int // age of the oldest of them in periods, the newest period of the range being 1
	newest     int // index of the newest in the range, -1 for none
}

func (s AlarmSpec) count(values []float64) count {
	c := count{newest: -1}
	for i := len(values) - 1; i >= 0 && c.datapoints < s.EvaluationPeriods; i-- {
		if values[i] != values[i] {
			continue
		}
		if c.datapoints == 0 {
			c.newest = i
		}
		c.datapoints++
		c.oldest = len(values) - i
		if s.breaches(values[i]) {
			c.breaching++
		}
	}
	return c
}

// judge returns the new state, as "Configuring how CloudWatch alarms treat missing data" has it: with N datapoints
// their treatment does not matter; with fewer, missing ones fill up to N as the treatment says. An alarm whose
// datapoints all breach, the oldest being at least M periods old, fires although there are fewer than M ("premature
// alarm state").
func (s AlarmSpec) judge(c count, before AlarmState) AlarmState {
	absent := s.EvaluationPeriods - c.datapoints
	switch {
	case c.breaching >= s.DatapointsToAlarm:
		return StateAlarm
	case absent == 0 || s.TreatMissing == NotBreaching:
		return StateOK
	case s.TreatMissing == Breaching:
		if c.breaching+absent >= s.DatapointsToAlarm {
			return StateAlarm
		}
		return StateOK
	case c.breaching < c.datapoints:
		return StateOK
	case s.TreatMissing == Ignore:
		return before
	case c.datapoints > 0 && c.oldest >= s.DatapointsToAlarm:
		return StateAlarm
	default:
		return StateInsufficientData
	}
}

// newest calls f with the M newest datapoints of the range, newest first.
func (a *Alarm) newest(f func(v float64)) {
	n := 0
	for i := len(a.values) - 1; i >= 0 && n < a.spec.DatapointsToAlarm; i-- {
		if v := a.values[i]; v == v {
			f(v)
			n++
		}
	}
}

// AlarmStatus is an alarm as DescribeAlarms shows it, and how far it is on its way to firing.
type AlarmStatus struct {
	Spec       AlarmSpec
	State      AlarmState
	Reason     string    // StateReason
	ReasonData string    // StateReasonData, JSON; empty before the first change
	Updated    time.Time // of the last change of state; zero before the first

	Policy    string    // policy that the alarm triggers; empty for none
	Breaching int       // of the datapoints evaluated last, so many breach
	Needed    int       // M
	Evaluated int       // datapoints that there were, at most N
	Value     float64   // newest datapoint evaluated, NaN for none
	ValueAt   time.Time // start of that datapoint's period
}

// Status returns what DescribeAlarms and a live view show.
func (a *Alarm) Status() AlarmStatus {
	s := AlarmStatus{
		Spec: a.spec, State: a.state, Reason: a.reason, ReasonData: a.reasonData, Updated: a.updated,
		Breaching: a.count.breaching, Needed: a.spec.DatapointsToAlarm, Evaluated: a.count.datapoints,
		Value: math.NaN(),
	}
	if a.values != nil && a.count.newest >= 0 {
		s.Value, s.ValueAt = a.values[a.count.newest], a.timeOf(a.count.newest)
	}
	return s
}

func (a *Alarm) timeOf(i int) time.Time { return a.from.Add(time.Duration(i) * a.spec.Period) }

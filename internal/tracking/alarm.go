package tracking

import "time"

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
}

// Alarm evaluates one [AlarmSpec]. It is also what the local engine's DescribeAlarms stands on.
type Alarm struct{}

// NewAlarm checks the spec, compiles its metric math and returns an alarm in INSUFFICIENT_DATA.
func NewAlarm(spec AlarmSpec) (*Alarm, error) { return nil, nil }

// Evaluate reads the datapoints that were readable at the moment at and moves the alarm to its new state. It reports
// whether the state changed.
func (a *Alarm) Evaluate(at time.Time, metrics Metrics) (changed bool) { return false }

// Status returns what DescribeAlarms and a live view show.
func (a *Alarm) Status() AlarmStatus { return AlarmStatus{} }

// AlarmStatus is an alarm as DescribeAlarms shows it, and how far it is on its way to firing.
type AlarmStatus struct {
	Spec       AlarmSpec
	State      AlarmState
	Reason     string    // StateReason
	ReasonData string    // StateReasonData, JSON
	Updated    time.Time // of the last change of state

	Policy    string    // policy that the alarm triggers; empty for none
	Breaching int       // of the datapoints evaluated last, so many breach
	Needed    int       // M
	Evaluated int       // N
	Value     float64   // newest datapoint evaluated, NaN for none
	ValueAt   time.Time // start of that datapoint's period
}

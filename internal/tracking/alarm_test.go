package tracking

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// datapoints reads "0 - X - X" as CloudWatch's tables write it, oldest first: 0 does not breach a threshold of 1, X
// does.
func datapoints(s string) []float64 {
	var values []float64
	for _, field := range strings.Fields(s) {
		values = append(values, map[string]float64{"0": 0, "X": 2, "-": math.NaN()}[field])
	}
	return values
}

// TestMissingDataTables holds the two tables of "Configuring how CloudWatch alarms treat missing data" (CloudWatch user
// guide, "Alarm evaluation") and the cases of its section "Avoiding premature transitions to alarm state".
func TestMissingDataTables(t *testing.T) {
	const ok, alarm, none, keep = StateOK, StateAlarm, StateInsufficientData, AlarmState("retain")
	for _, test := range []struct {
		m                                    int // of 3 periods, out of 5 datapoints
		points                               string
		missing, ignore, breaching, notBreak AlarmState
	}{
		{3, "0 - X - X", ok, ok, ok, ok},
		{3, "0 - - - -", ok, ok, ok, ok},
		{3, "- - - - -", none, keep, alarm, ok},
		{3, "0 X X - X", alarm, alarm, alarm, alarm},
		{3, "- - X - -", alarm, keep, alarm, ok},
		{3, "X - - - -", alarm, keep, alarm, ok},
		{3, "- - - - X", none, keep, alarm, ok},
		{3, "- - - X -", none, keep, alarm, ok},
		{3, "- - - X 0", ok, ok, ok, ok},
		{3, "- - X - 0", ok, ok, ok, ok},
		{2, "0 - X - X", alarm, alarm, alarm, alarm},
		{2, "0 0 X 0 X", alarm, alarm, alarm, alarm},
		{2, "0 - X - -", ok, ok, alarm, ok},
		{2, "- - - - 0", ok, ok, alarm, ok},
		{2, "- - - X -", alarm, keep, alarm, ok},
		{2, "- - - - X", none, keep, alarm, ok},
	} {
		for treatment, want := range map[MissingData]AlarmState{
			Missing: test.missing, Ignore: test.ignore, Breaching: test.breaching, NotBreaching: test.notBreak,
		} {
			spec := AlarmSpec{
				Comparison: GreaterThan, Threshold: 1, EvaluationPeriods: 3, DatapointsToAlarm: test.m,
				TreatMissing: treatment,
			}
			if want == keep {
				want = "as before"
			}
			if got := spec.judge(spec.count(datapoints(test.points)), "as before"); got != want {
				t.Errorf("%d of 3, %s, missing data %s: %s, want %s", test.m, test.points, treatment, got, want)
			}
		}
	}
}

func newTestAlarm(t *testing.T, spec AlarmSpec) *Alarm {
	t.Helper()
	spec.Name, spec.Period = "jobs-waiting", time.Minute
	if spec.Metrics == nil {
		spec.Metrics = SingleMetric(metric("Visible"))
	}
	alarm, err := NewAlarm(spec)
	if err != nil {
		t.Fatal(err)
	}
	return alarm
}

// TestAlarmGraph follows the figure in "Alarm evaluation": 3 of 3 above 3 units fires in the fifth period, one below
// ends it, and one period above does not fire again.
func TestAlarmGraph(t *testing.T) {
	store := newFeed(time.Minute)
	store.set("Visible", 2, 2, 4, 4, 4, 2, 2, 2, 5, 2)
	alarm := newTestAlarm(t, AlarmSpec{Comparison: GreaterThan, Threshold: 3, EvaluationPeriods: 3})
	want := []AlarmState{
		StateOK, StateOK, StateOK, StateOK, StateAlarm, StateOK, StateOK, StateOK, StateOK, StateOK,
	}
	for i, state := range want {
		alarm.Evaluate(epoch.Add(time.Duration(i+1)*time.Minute), store)
		if got := alarm.Status().State; got != state {
			t.Errorf("period %d: %s, want %s", i+1, got, state)
		}
	}
}

func TestReasons(t *testing.T) {
	store := newFeed(time.Minute)
	store.set("Visible", 1, 9, 9.72, 8.5, 7, 7, 7)
	alarm := newTestAlarm(t, AlarmSpec{Comparison: GreaterThanOrEqual, Threshold: 7.5, EvaluationPeriods: 3,
		ExtraDatapoints: 2})
	if got := alarm.Status().Reason; got != "Unchecked: Initial alarm creation" {
		t.Errorf("at first: %s", got)
	}
	for _, step := range []struct {
		minute int
		state  AlarmState
		reason string
	}{
		{4, StateAlarm, "Threshold Crossed: 3 out of the last 3 datapoints [8.5 (24/11/26 12:03:00), 9.72 (24/11/26 " +
			"12:02:00), 9.0 (24/11/26 12:01:00)] were greater than or equal to the threshold (7.5) (minimum 3 " +
			"datapoints for OK -> ALARM transition)."},
		{5, StateOK, "Threshold Crossed: 1 out of the last 3 datapoints [7.0 (24/11/26 12:04:00)] was not greater " +
			"than or equal to the threshold (7.5) (minimum 1 datapoint for ALARM -> OK transition)."},
		{30, StateInsufficientData, "Insufficient Data: 5 datapoints were unknown."},
	} {
		if !alarm.Evaluate(epoch.Add(time.Duration(step.minute)*time.Minute), store) {
			t.Errorf("minute %d: no change", step.minute)
		}
		s := alarm.Status()
		if s.State != step.state || s.Reason != step.reason {
			t.Errorf("minute %d: %s, %s\nwant %s, %s", step.minute, s.State, s.Reason, step.state, step.reason)
		}
		if !json.Valid([]byte(s.ReasonData)) {
			t.Errorf("minute %d: reason data %s", step.minute, s.ReasonData)
		}
	}
}

func TestReasonWithManyDatapoints(t *testing.T) {
	store := newFeed(time.Minute)
	store.set("Visible", make([]float64, 15)...)
	alarm := newTestAlarm(t, AlarmSpec{Comparison: LessThan, Threshold: 10.8, EvaluationPeriods: 15})
	alarm.Evaluate(epoch.Add(15*time.Minute), store)
	const want = "Threshold Crossed: 15 out of the last 15 datapoints were less than the threshold (10.8). The most " +
		"recent datapoints which crossed the threshold: [0.0 (24/11/26 12:14:00), 0.0 (24/11/26 12:13:00), 0.0 " +
		"(24/11/26 12:12:00), 0.0 (24/11/26 12:11:00), 0.0 (24/11/26 12:10:00)] (minimum 15 datapoints for OK -> " +
		"ALARM transition)."
	if got := alarm.Status().Reason; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestHowManyOfHowMany is what a live view shows of an alarm on its way to firing.
func TestHowManyOfHowMany(t *testing.T) {
	store := newFeed(time.Minute)
	store.set("Visible", 1, 1, 5, 6)
	alarm := newTestAlarm(t, AlarmSpec{Comparison: GreaterThan, Threshold: 3, EvaluationPeriods: 3, ExtraDatapoints: 2})
	alarm.Evaluate(epoch.Add(4*time.Minute), store)
	s := alarm.Status()
	if s.Breaching != 2 || s.Needed != 3 || s.Evaluated != 3 || s.Value != 6 ||
		!s.ValueAt.Equal(epoch.Add(3*time.Minute)) {
		t.Errorf("%+v", s)
	}
}

// TestNewAlarmUsesEarlierDatapoints: "CloudWatch retrieves the most recent data points from before the alarm was
// created".
func TestNewAlarmUsesEarlierDatapoints(t *testing.T) {
	store := newFeed(time.Minute)
	store.set("Visible", 5, 5, 5)
	alarm := newTestAlarm(t, AlarmSpec{Comparison: GreaterThan, Threshold: 3, EvaluationPeriods: 3})
	if alarm.Evaluate(epoch.Add(3*time.Minute), store); alarm.Status().State != StateAlarm {
		t.Errorf("%+v", alarm.Status())
	}
}

func TestAlarmSpecErrors(t *testing.T) {
	good := AlarmSpec{
		Name: "a", Metrics: SingleMetric(metric("Visible")), Comparison: GreaterThan, Period: time.Minute,
		EvaluationPeriods: 3,
	}
	m := metric("Visible")
	for want, change := range map[string]func(*AlarmSpec){
		"period 0s":                          func(s *AlarmSpec) { s.Period = 0 },
		"0 evaluation periods":               func(s *AlarmSpec) { s.EvaluationPeriods = 0 },
		"4 datapoints to alarm of 3":         func(s *AlarmSpec) { s.DatapointsToAlarm = 4 },
		"threshold NaN":                      func(s *AlarmSpec) { s.Threshold = math.NaN() },
		`"GreaterThanUpperThreshold" is not`: func(s *AlarmSpec) { s.Comparison = "GreaterThanUpperThreshold" },
		`missing data "sometimes"`:           func(s *AlarmSpec) { s.TreatMissing = "sometimes" },
		"none of the 0 metric queries":       func(s *AlarmSpec) { s.Metrics = nil },
		"needs either a metric or an expr": func(s *AlarmSpec) {
			s.Metrics = []MetricQuery{{ID: "m1",
				ReturnData: true}}
		},
		`"m1" and "m2": ReturnData must be`: func(s *AlarmSpec) {
			s.Metrics = []MetricQuery{{ID: "m1", Metric: &m, ReturnData: true}, {ID: "m2", Metric: &m,
				ReturnData: true}}
		},
		"the result is an array of time series": func(s *AlarmSpec) {
			s.Metrics = []MetricQuery{{ID: "m1", Metric: &m}, {ID: "e1", Expression: "METRICS()", ReturnData: true}}
		},
	} {
		spec := good
		change(&spec)
		if _, err := NewAlarm(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

package tracking

import (
	"testing"
	"time"
)

func bound(v float64) *float64 { return &v }

// TestStepExample is the example of "Step scaling policies", user guide of Application Auto Scaling: a threshold of
// 50 and changes of 10 and 30 percent, from a capacity of 10 through 11 and 14 to 13 and 10.
func TestStepExample(t *testing.T) {
	store := newFeed(time.Minute)
	alarms := func(name string, comparison Comparison) []AlarmSpec {
		return []AlarmSpec{{
			Name: name, Metrics: SingleMetric(metric("m")), Comparison: comparison, Threshold: 50, Period: time.Minute,
			EvaluationPeriods: 1,
		}}
	}
	none := time.Duration(0)
	out := StepScaling{
		Name: "out", Adjustment: PercentChangeInCapacity, Cooldown: &none, Alarms: alarms("high", GreaterThanOrEqual),
		Steps: []Step{
			{Lower: bound(0), Upper: bound(10), Adjustment: 0},
			{Lower: bound(10), Upper: bound(20), Adjustment: 10},
			{Lower: bound(20), Adjustment: 30},
		},
	}
	in := StepScaling{
		Name: "in", Adjustment: PercentChangeInCapacity, Cooldown: &none, Alarms: alarms("low", LessThanOrEqual),
		Steps: []Step{
			{Lower: bound(-10), Upper: bound(0), Adjustment: 0},
			{Lower: bound(-20), Upper: bound(-10), Adjustment: -10},
			{Upper: bound(-20), Adjustment: -30},
		},
	}
	engine, err := New(Config{Bounds: Bounds{1, 100}, Assumptions: quick(), Metrics: store, NewID: ids()})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []StepScaling{out, in} {
		if err := engine.PutStep(epoch, p); err != nil {
			t.Fatal(err)
		}
	}
	desired := 10
	for i, step := range []struct {
		metric float64
		want   int
	}{
		{55, 10}, // "maintained while the aggregated metric value is greater than 40 and less than 60"
		{45, 10},
		{60, 11}, // 10 percent of 10
		{70, 14}, // 30 percent of 11, 3.3, rounded down to 3
		{40, 13}, // 10 percent of 14, 1.4, rounded down to 1
		{30, 10}, // 30 percent of 13, 3.9, rounded down to 3
	} {
		at := epoch.Add(time.Duration(i+1) * time.Minute)
		store.Put(metric("m").Key(), at.Add(-time.Minute), step.metric, at)
		d := engine.Evaluate(at, steady(desired))
		if desired = d.Desired; desired != step.want {
			t.Errorf("at %v: %d, want %d", step.metric, desired, step.want)
		}
	}
}

// TestPercentRounding: "Values greater than 1 are rounded down: 12.7 to 12. Values between 0 and 1 are rounded to 1:
// .67 to 1. Values between 0 and -1 to -1: -.58 to -1. Values less than -1 are rounded up: -6.67 to -6", and the
// example of MinAdjustmentMagnitude: 25 percent of 4 with a minimum of 2 adds 2.
func TestPercentRounding(t *testing.T) {
	for _, test := range []struct{ capacity, percent, minimum, want int }{
		{127, 10, 0, 12}, {67, 1, 0, 1}, {58, -1, 0, -1}, {667, -1, 0, -6}, {4, 25, 2, 2}, {4, -25, 2, -2}, {10, 10,
			0, 1},
		{0, 50, 0, 0}, {0, 50, 2, 2}, {100, 0, 3, 0},
	} {
		if got := percent(test.capacity, test.percent, test.minimum); got != test.want {
			t.Errorf("%d percent of %d, at least %d: %d, want %d", test.percent, test.capacity, test.minimum, got,
				test.want)
		}
	}
}

func stepBench(t *testing.T, p StepScaling, threshold float64) *bench {
	t.Helper()
	b := newBench(t, quick(), Bounds{0, 100})
	p.Name = "steps"
	if p.Alarms == nil {
		p.Alarms = []AlarmSpec{{
			Name: "alarm", Metrics: SingleMetric(metric("m")), Comparison: GreaterThanOrEqual, Threshold: threshold,
			Period: time.Minute, EvaluationPeriods: 1,
		}}
	}
	if err := b.PutStep(epoch, p); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStepCooldown: "when an alarm triggers a step scaling policy to increase the capacity by 2 ... If the alarm
// triggers again during the cooldown period but at a more aggressive step adjustment of 3, the previous increase of 2
// is considered part of the current capacity. Therefore, only 1 is added to the capacity."
func TestStepCooldown(t *testing.T) {
	for _, basis := range []CooldownBasis{BeforeScaleOut, RunningCount} {
		b := stepBench(t, StepScaling{Adjustment: ChangeInCapacity, Steps: []Step{
			{Lower: bound(0), Upper: bound(10), Adjustment: 2}, {Lower: bound(10), Adjustment: 3},
		}}, 50)
		b.assume.CooldownBasis = basis
		if d := b.next(steady(10), map[string]float64{"m": 55}); d.Desired != 12 {
			t.Errorf("%s: first %d, want 12", basis, d.Desired)
		}
		if d := b.next(steady(12), map[string]float64{"m": 65}); d.Desired != 13 {
			t.Errorf("%s: more aggressive %d, want 13", basis, d.Desired)
		}
		if d := b.next(steady(13), map[string]float64{"m": 65}); d.Changed {
			t.Errorf("%s: again %d, want 13", basis, d.Desired)
		}
	}
}

// TestAdjustmentTypes are the examples of "Scaling adjustment types".
func TestAdjustmentTypes(t *testing.T) {
	for _, test := range []struct {
		kind                       AdjustmentType
		capacity, adjustment, want int
	}{
		{ChangeInCapacity, 3, 5, 8}, {ExactCapacity, 3, 5, 5}, {PercentChangeInCapacity, 10, 10, 11},
		{ChangeInCapacity, 3, -5, 0},
	} {
		b := stepBench(t, StepScaling{Adjustment: test.kind, Steps: []Step{{Lower: bound(0),
			Adjustment: test.adjustment}}}, 1)
		if d := b.next(steady(test.capacity), map[string]float64{"m": 2}); d.Desired != test.want {
			t.Errorf("%s %d from %d: %d, want %d", test.kind, test.adjustment, test.capacity, d.Desired, test.want)
		}
	}
}

func TestStepAggregation(t *testing.T) {
	for how, want := range map[string]int{"": 2, "Average": 2, "Minimum": 1, "Maximum": 3} {
		b := stepBench(t, StepScaling{
			Adjustment: ExactCapacity, Aggregation: how,
			Steps: []Step{{Lower: bound(0), Upper: bound(10), Adjustment: 1}, {Lower: bound(10), Upper: bound(20),
				Adjustment: 2}, {Lower: bound(20), Adjustment: 3}},
			Alarms: []AlarmSpec{{
				Name: "alarm", Metrics: SingleMetric(metric("m")), Comparison: GreaterThan, Period: time.Minute,
				EvaluationPeriods: 3,
			}},
		}, 0)
		b.next(steady(0), map[string]float64{"m": 5})
		b.next(steady(0), map[string]float64{"m": 11})
		if d := b.next(steady(0), map[string]float64{"m": 24}); d.Desired != want {
			t.Errorf("%q of 5, 11, 24: step %d, want %d", how, d.Desired, want)
		}
	}
}

// TestStepAtTheThreshold: a metric that equals the threshold of a `<=` alarm breaches it, and the upper bound of the
// step below is inclusive ("If the metric value is below the breach threshold, the lower bound is exclusive and the
// upper bound is inclusive"). The AWS CDK makes such a policy: one task less at 0 messages.
func TestStepAtTheThreshold(t *testing.T) {
	b := stepBench(t, StepScaling{
		Adjustment: ChangeInCapacity, Steps: []Step{{Upper: bound(0), Adjustment: -1}},
		Alarms: []AlarmSpec{{
			Name: "alarm", Metrics: SingleMetric(metric("m")), Comparison: LessThanOrEqual, Period: time.Minute,
			EvaluationPeriods: 1,
		}},
	}, 0)
	if d := b.next(steady(10), map[string]float64{"m": 0}); d.Desired != 9 {
		t.Errorf("desired %d, want 9", d.Desired)
	}
}

// TestStepScaleInWaitsForNobody: "if the step scaling policy initiates a scale-in activity before the target tracking
// policy is ready to scale in, the scale-in activity will not be blocked".
func TestStepScaleInWaitsForNobody(t *testing.T) {
	b := stepBench(t, StepScaling{Adjustment: ChangeInCapacity, Steps: []Step{{Upper: bound(0), Adjustment: -2}},
		Alarms: []AlarmSpec{{
			Name: "alarm", Metrics: SingleMetric(metric("s")), Comparison: LessThan, Threshold: 5, Period: time.Minute,
			EvaluationPeriods: 1,
		}}}, 0)
	b.track("m", 10)
	if d := b.next(steady(10), map[string]float64{"m": 9.5, "s": 1}); d.Desired != 8 {
		t.Errorf("%+v", d)
	}
}

package tracking

import (
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCalibration: AWS measured 363 s from a step of load to the first scale-out with 60 s metrics. With the
// defaults, a step at a full minute scales out 330 to 400 s later.
func TestCalibration(t *testing.T) {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 100}, 4)
	w.track(t, "rate", 48, templateRate())
	const step = 30 * time.Minute
	w.arrivals = func(at time.Duration) float64 {
		if at < step {
			return 3 // 45 a minute and task: neither alarm fires
		}
		return 9
	}
	w.run(step + 10*time.Minute)
	changes := w.changes()
	if len(changes) == 0 {
		t.Fatal("no scale-out")
	}
	after := changes[0].Start.Sub(epoch.Add(step))
	t.Logf("scale-out after %v", after)
	if after < 330*time.Second || after > 400*time.Second {
		t.Errorf("scale-out after %v, want 330 to 400 s", after)
	}
	if changes[0].To != 12 { // ceil(4 * 135 / 48)
		t.Errorf("to %d tasks, want 12", changes[0].To)
	}
}

// TestCalibrationInAScaledWorld: the period is a parameter, so a world ten times as fast scales out ten times as soon.
func TestCalibrationInAScaledWorld(t *testing.T) {
	when := func(assume Assumptions, step time.Duration) time.Duration {
		store := newFeed(assume.Period)
		e, err := New(Config{Bounds: Bounds{1, 100}, Assumptions: assume, Metrics: store, NewID: ids()})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.PutTargetTracking(epoch, TargetTracking{Name: "p", Target: 10,
			Metrics: SingleMetric(metric("m"))}); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			end := time.Duration(i+1) * assume.Period
			value := 9.5
			if end > step {
				value = 20
			}
			store.Put(metric("m").Key(), epoch.Add(end-assume.Period), value, epoch.Add(end+assume.PublicationDelay))
			if at := end + assume.EvaluationOffset; e.Evaluate(epoch.Add(at), steady(5)).Changed {
				return at - step
			}
		}
		t.Fatal("no scale-out")
		return 0
	}
	slow, fast := when(DefaultAssumptions(), 20*time.Minute), when(DefaultAssumptions().Scaled(20), time.Minute)
	if slow != 20*fast {
		t.Errorf("%v against %v at 20 times the speed", slow, fast)
	}
}

// TestDefect7DivisionByZeroTasks: the blueprint divides visible messages by the number of tasks. With none running
// that has no datapoint, and the service never leaves zero. (Defect 7 of the original.)
func TestDefect7DivisionByZeroTasks(t *testing.T) {
	visible, tasks := metric("Visible"), metric("Tasks")
	blueprint := []MetricQuery{
		{ID: "m1", Metric: &visible}, {ID: "m2", Metric: &tasks}, {ID: "e1", Expression: "m1 / m2", ReturnData: true},
	}
	load := func(w *world) {
		w.arrivals = func(at time.Duration) float64 {
			if at < 20*time.Minute {
				return 0
			}
			return 1
		}
	}
	stuck := newWorld(t, DefaultAssumptions(), Bounds{0, 10}, 0)
	stuck.track(t, "blueprint", 12, blueprint)
	load(stuck)
	stuck.run(2 * time.Hour)
	if len(stuck.changes()) != 0 || stuck.queue < 1000 {
		t.Errorf("the defect does not show: %+v", stuck.changes())
	}
	for _, a := range stuck.engine.Alarms() {
		if a.State != StateInsufficientData {
			t.Errorf("%s is %s", a.Spec.Name, a.State)
		}
	}

	w := newWorld(t, DefaultAssumptions(), Bounds{0, 10}, 0)
	w.track(t, "backlog", 12, templateBacklog())
	putFromZero(t, w.engine, w.assume)
	load(w)
	w.run(2 * time.Hour)
	emptied := slices.ContainsFunc(w.trace, func(s sample) bool { return s.at > 30*time.Minute && s.queue == 0 })
	if first := w.changes()[0]; first.To != 1 || first.Start.Sub(epoch) > 25*time.Minute || !emptied {
		t.Errorf("with the step from zero: emptied %v, activities %+v", emptied, w.changes())
	}
}

// putFromZero puts the template's step policy: one task when messages are visible and none runs, in 2 of 2 periods. A
// task count that is late is taken from before; one that was never there is none.
func putFromZero(t fatal, e *Engine, assume Assumptions) {
	t.Helper()
	visible, tasks := metric("Visible"), metric("Tasks")
	err := e.PutStep(epoch, StepScaling{
		Name: "from-zero", Adjustment: ChangeInCapacity, Steps: []Step{{Lower: bound(0), Adjustment: 1}},
		Alarms: []AlarmSpec{{
			Name: "from-zero", Comparison: GreaterThanOrEqual, Threshold: 1, Period: assume.Period,
			EvaluationPeriods: 2,
			ExtraDatapoints:   assume.ExtraDatapoints,
			Metrics: []MetricQuery{
				{ID: "visible", Metric: &visible}, {ID: "running", Metric: &tasks},
				{ID: "waiting", Expression: "IF(visible > 0, IF(FILL(FILL(running, REPEAT), 0) < 1, 1, 0), 0)",
					ReturnData: true},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPain4ThreeAndFifteenPeriodsSeen: one sees how far the alarms are on their way: 1, 2, 3 of 3 and 1 to 15 of 15.
// (Pain 4.)
func TestPain4ThreeAndFifteenPeriodsSeen(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.assume.HighPeriods, b.assume.HighDatapoints, b.assume.LowPeriods, b.assume.LowDatapoints = 3, 3, 15, 15
	b.track("m", 10)
	for range 15 {
		b.next(steady(10), map[string]float64{"m": 9.5}) // between the two thresholds
	}
	for _, run := range []struct {
		alarm  int
		metric float64
		needed int
	}{{0, 12, 3}, {1, 8, 15}} {
		for i := 1; i <= run.needed; i++ {
			d := b.next(steady(10), map[string]float64{"m": run.metric})
			a := b.Alarms()[run.alarm]
			if a.Breaching != i || a.Needed != run.needed || a.Evaluated != run.needed {
				t.Errorf("%v, period %d: %d of %d, %d needed", run.metric, i, a.Breaching, a.Evaluated, a.Needed)
			}
			if fired := i == run.needed; d.Changed != fired || (a.State == StateAlarm) != fired {
				t.Errorf("%v, period %d of %d: state %s, changed %v", run.metric, i, run.needed, a.State, d.Changed)
			}
		}
	}
}

// TestPain5SlowOutExplained: what passes between a step of load and new tasks can be told apart, and each activity says
// which alarm and policy caused it. (Pain 5.)
func TestPain5SlowOutExplained(t *testing.T) {
	measure := func(change func(*Assumptions)) time.Duration {
		assume := DefaultAssumptions()
		change(&assume)
		w := newWorld(t, assume, Bounds{1, 100}, 4)
		w.track(t, "rate", 48, templateRate())
		w.arrivals = func(at time.Duration) float64 {
			if at < 30*time.Minute {
				return 3
			}
			return 9
		}
		w.run(40 * time.Minute)
		first := w.changes()[0]
		if !strings.Contains(first.Cause, "AlarmHigh") || !strings.HasSuffix(first.Cause,
			"in state ALARM triggered policy rate") {
			t.Errorf("cause %q", first.Cause)
		}
		return first.Start.Sub(epoch.Add(30 * time.Minute))
	}
	whole := measure(func(*Assumptions) {})
	parts := map[string]time.Duration{
		"two of the three periods":  whole - measure(func(a *Assumptions) { a.HighPeriods, a.HighDatapoints = 1, 1 }),
		"publication":               whole - measure(func(a *Assumptions) { a.PublicationDelay = 0 }),
		"lag of the alarm (by 60s)": whole - measure(func(a *Assumptions) { a.AlarmLag = 30 * time.Second }),
	}
	want := map[string]time.Duration{
		"two of the three periods": 2 * time.Minute, "publication": time.Minute,
		"lag of the alarm (by 60s)": time.Minute,
	}
	if whole != 369*time.Second || !reflect.DeepEqual(parts, want) {
		t.Errorf("%v in all, of it %v", whole, parts)
	}
}

// TestPain6NeverStuckAtZeroWithOneMessage: one message is less than any target above 1, so target tracking alone
// would leave it waiting at zero tasks for ever; the step policy starts a task for it, and the service returns to
// zero. (Pain 6.)
func TestPain6NeverStuckAtZeroWithOneMessage(t *testing.T) {
	for _, lostTasks := range []bool{false, true} { // Container Insights reports 0 tasks, or nothing at all
		w := newWorld(t, DefaultAssumptions(), Bounds{0, 10}, 0)
		w.track(t, "backlog", 12, templateBacklog())
		w.track(t, "rate", 9, templateRate())
		putFromZero(t, w.engine, w.assume)
		if lostTasks {
			w.lost["Tasks"] = func(time.Duration) bool { return w.sums["Tasks"] == 0 }
		}
		w.arrivals = func(at time.Duration) float64 {
			if at == 20*time.Minute {
				return 1
			}
			return 0
		}
		w.run(90 * time.Minute)
		var counts []int
		for _, a := range w.changes() {
			counts = append(counts, a.To)
		}
		if w.queue > 0 {
			t.Errorf("tasks lost %v: %v messages still wait, counts %v", lostTasks, w.queue, counts)
		}
		if !reflect.DeepEqual(counts, []int{1, 0}) {
			t.Errorf("counts %v, want up to 1 and back to 0", counts)
		}
	}
}

// TestOneDatapointAtZero: "With target tracking scaling policies, when actual capacity is 0 and the metric indicates
// that there is workload demand, Service Auto Scaling waits for one data point to be sent before scaling out. In this
// case, it scales out by the minimum possible amount as a starting point" (ECS developer guide, Service auto
// scaling).
func TestOneDatapointAtZero(t *testing.T) {
	b := newBench(t, quick(), Bounds{0, 10})
	b.assume.HighPeriods, b.assume.HighDatapoints = 3, 3
	b.track("m", 10)
	if d := b.next(steady(0), map[string]float64{"m": 9}); d.Changed {
		t.Errorf("below the target: %+v", d)
	}
	d := b.next(steady(0), map[string]float64{"m": 500})
	if d.Desired != 1 {
		t.Errorf("one datapoint above the target: %+v", d)
	}
	if d = b.next(Capacity{Desired: 1, Pending: 1}, map[string]float64{"m": 500}); d.Changed {
		t.Errorf("while the task starts: %+v", d)
	}
}

// TestInsufficientDataDoesNotScale: "A target tracking scaling policy does not perform scaling when the specified
// metric has insufficient data" (ECS developer guide, Target tracking scaling policies).
func TestInsufficientDataDoesNotScale(t *testing.T) {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 100}, 10)
	w.track(t, "backlog", 12, templateBacklog())
	w.lost["Visible"] = func(time.Duration) bool { return true }
	w.run(time.Hour)
	if len(w.activity) != 0 {
		t.Errorf("%+v", w.activity)
	}
}

// TestTargetHolds: a constant load ends in a count at which the metric is at most the target, and stays there.
func TestTargetHolds(t *testing.T) {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 100}, 1)
	w.track(t, "rate", 9, templateRate()) // 60 s * 0.75 / 5 s
	w.arrivals = func(time.Duration) float64 { return 1.2 }
	w.run(2 * time.Hour)
	if w.desired != 8 || math.Abs(w.queue) > 0 {
		t.Errorf("%d tasks, %v messages wait", w.desired, w.queue)
	}
}

// TestTemplateExpressions: the expressions that these tests examine are those of the template.
func TestTemplateExpressions(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{
		Bounds: Bounds{0, 1}, Assumptions: quick(), Metrics: NewMemory(time.Minute, 1), NewID: ids(),
	})
	if err != nil {
		t.Fatal(err)
	}
	putFromZero(t, e, quick())
	for _, queries := range [][]MetricQuery{templateBacklog(), templateRate(), e.Alarms()[0].Spec.Metrics} {
		for _, q := range queries {
			if q.Expression != "" && !strings.Contains(string(template), "Expression: "+q.Expression+"\n") {
				t.Errorf("template.yaml has no expression %s", q.Expression)
			}
		}
	}
}

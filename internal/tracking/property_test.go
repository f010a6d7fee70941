package tracking

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawAssumptions draws any assumptions that are valid.
func drawAssumptions(t *rapid.T) Assumptions {
	a := DefaultAssumptions()
	a.HighPeriods = rapid.IntRange(1, 4).Draw(t, "high periods")
	a.HighDatapoints = rapid.IntRange(1, a.HighPeriods).Draw(t, "high datapoints")
	a.LowPeriods = rapid.IntRange(1, 6).Draw(t, "low periods")
	a.LowDatapoints = rapid.IntRange(1, a.LowPeriods).Draw(t, "low datapoints")
	a.LowRatio = rapid.Float64Range(0.5, 1).Draw(t, "low ratio")
	a.ExtraDatapoints = rapid.IntRange(0, 3).Draw(t, "extra")
	a.ScaleInPace = rapid.SampledFrom([]Pace{Proportional, OneAtATime}).Draw(t, "pace")
	a.Datapoint = rapid.SampledFrom([]DatapointChoice{Newest, Average, Nearest}).Draw(t, "datapoint")
	a.CooldownBasis = rapid.SampledFrom([]CooldownBasis{BeforeScaleOut, RunningCount}).Draw(t, "basis")
	a.CooldownScope = rapid.SampledFrom([]CooldownScope{PerPolicy, PerTarget}).Draw(t, "scope")
	a.CooldownProlonged = rapid.Bool().Draw(t, "prolonged")
	a.CooldownStart = rapid.SampledFrom([]CooldownStart{FromDecision, FromCompletion}).Draw(t, "start")
	a.PublicationDelay = time.Duration(rapid.IntRange(0, 180).Draw(t, "delay")) * time.Second
	a.ScaleOutCooldown = time.Duration(rapid.IntRange(0, 10).Draw(t, "out cooldown")) * time.Minute
	a.ScaleInCooldown = time.Duration(rapid.IntRange(0, 10).Draw(t, "in cooldown")) * time.Minute
	a.DropUnpaired = rapid.Bool().Draw(t, "drop unpaired")
	return a
}

// TestPropertyBoundsAndAgreement: under any assumptions, metrics, late and lost datapoints, bounds and task counts, the
// count stays within bounds, and nothing is removed while a policy's newest datapoint is above its target.
func TestPropertyBoundsAndAgreement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		assume := drawAssumptions(t)
		assume.Datapoint = Newest // with others a newer datapoint above the target may be outvoted
		store := NewMemory(assume.Period, 64)
		bounds := Bounds{Min: rapid.IntRange(0, 5).Draw(t, "min")}
		bounds.Max = bounds.Min + rapid.IntRange(0, 20).Draw(t, "room")
		e, err := New(Config{ResourceID: resource, Bounds: bounds, Assumptions: assume, Metrics: store, NewID: ids()})
		if err != nil {
			t.Fatal(err)
		}
		const target = 10
		names := []string{"a", "b"}
		for _, name := range names {
			if err := e.PutTargetTracking(epoch, TargetTracking{Name: name, Target: target,
				Metrics: SingleMetric(metric(name))}); err != nil {
				t.Fatal(err)
			}
		}
		c := steady(rapid.IntRange(bounds.Min, bounds.Max).Draw(t, "tasks"))
		for i := range rapid.IntRange(1, 60).Draw(t, "periods") {
			start := epoch.Add(time.Duration(i) * assume.Period)
			for _, name := range names {
				if rapid.IntRange(0, 9).Draw(t, "lost") > 0 {
					value := rapid.Float64Range(0, 30).Draw(t, name)
					store.Put(metric(name).Key(), start, value, start.Add(assume.Period+assume.PublicationDelay))
				}
			}
			d := e.Evaluate(start.Add(assume.Period+assume.EvaluationOffset), c)
			if d.Desired < bounds.Min || d.Desired > bounds.Max {
				t.Fatalf("desired %d outside of %v", d.Desired, bounds)
			}
			if d.Changed != (d.Desired != c.Desired) {
				t.Fatalf("changed %v from %d to %d", d.Changed, c.Desired, d.Desired)
			}
			for _, a := range e.Alarms() {
				if d.Desired < c.Desired && a.Value > target {
					t.Fatalf("scale-in to %d of %d although %s reads %v", d.Desired, c.Desired, a.Spec.Name, a.Value)
				}
			}
			// Tasks may be late, and a few still run that should not.
			c.Desired = d.Desired
			c.Running = max(0, d.Desired+rapid.IntRange(-3, 2).Draw(t, "off"))
			c.Pending = max(0, c.Desired-c.Running)
			c.Deploying = rapid.IntRange(0, 9).Draw(t, "deploying") == 0
		}
	})
}

// TestPropertyTemplateExpressions: for publication delays of 0 to 180 s of each metric with tasks running, what the
// two expressions of the template read is never above the true backlog per task by more than the count changed in the
// periods that the task count is later than the others (one period's change when it is one later, nothing when it is
// not).
func TestPropertyTemplateExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		assume := DefaultAssumptions()
		const periods = 24
		store, delay := NewMemory(assume.Period, 64), map[string]time.Duration{}
		truth := map[string][]float64{}
		tasks := rapid.IntRange(1, 20).Draw(t, "tasks")
		for _, name := range []string{"Visible", "InFlight", "Sent", "Tasks"} {
			delay[name] = time.Duration(rapid.IntRange(0, 180).Draw(t, "delay of "+name)) * time.Second
		}
		for i := range periods {
			start := epoch.Add(time.Duration(i) * assume.Period)
			tasks = max(1, tasks+rapid.IntRange(-2, 2).Draw(t, "change of tasks"))
			for name, d := range delay {
				value := float64(tasks)
				if name != "Tasks" {
					value = float64(rapid.IntRange(0, 500).Draw(t, name))
				}
				truth[name] = append(truth[name], value)
				store.Put(metric(name).Key(), start, value, start.Add(assume.Period+d))
			}
		}
		for what, queries := range map[string][]MetricQuery{"backlog": templateBacklog(), "rate": templateRate()} {
			for _, length := range []int{5, 17} {
				r, err := newRequest(queries, length, rapid.Bool().Draw(t, "drop unpaired"))
				if err != nil {
					t.Fatal(err)
				}
				at := epoch.Add(time.Duration(rapid.IntRange(17*60, periods*60+240).Draw(t, "at")) * time.Second)
				from := at.Truncate(assume.Period).Add(-time.Duration(length) * assume.Period)
				for i, v := range r.read(store, from, assume.Period, at) {
					period := int(from.Sub(epoch)/assume.Period) + i
					if v != v || period < 0 || period >= periods {
						continue
					}
					messages, other := truth["Visible"][period]+truth["InFlight"][period], min(delay["Visible"],
						delay["InFlight"])
					if what == "rate" {
						messages, other = truth["Sent"][period], delay["Sent"]
					}
					later := max(0, int(math.Ceil((delay["Tasks"]-other).Seconds()/assume.Period.Seconds())))
					least := slices.Min(truth["Tasks"][max(0, period-later) : period+1])
					if v > messages/least+1e-9 {
						t.Fatalf("%s reads %v in period %d, where %v messages meet %v tasks (%v at least in the %d "+
							"before)",
							what, v, period, messages, truth["Tasks"][period], least, later)
					}
				}
			}
		}
	})
}

// TestPropertyScaleInStillHappens: for the same delays, tasks that are not needed are removed.
func TestPropertyScaleInStillHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		assume := DefaultAssumptions()
		w := newWorld(t, assume, Bounds{1, 20}, 10)
		for _, name := range []string{"Visible", "InFlight", "Sent", "Tasks"} {
			w.delays[name] = time.Duration(rapid.IntRange(0, 180).Draw(t, "delay of "+name)) * time.Second
		}
		w.engine.assume.ScaleInPace = rapid.SampledFrom([]Pace{Proportional, OneAtATime}).Draw(t, "pace")
		w.track(t, "backlog", 12, templateBacklog())
		w.track(t, "rate", 9, templateRate())
		w.arrivals = func(time.Duration) float64 { return 0.1 }
		w.run(35 * time.Minute)
		if w.desired >= 10 {
			t.Fatalf("still %d tasks, alarms %+v", w.desired, summary(w.engine))
		}
		for _, a := range w.changes() {
			if a.To > a.From {
				t.Fatalf("scaled out without load: %+v", w.changes())
			}
		}
	})
}

func summary(e *Engine) (all []string) {
	for _, a := range e.Alarms() {
		all = append(all, fmt.Sprintf("%s %s %d of %d, newest %v", a.Spec.Name, a.State, a.Breaching, a.Needed,
			a.Value))
	}
	return all
}

// TestPropertyDeterministic: the same calls give the same decisions, activities and identifiers.
func TestPropertyDeterministic(t *testing.T) {
	run := func() string {
		w := newWorld(t, DefaultAssumptions(), Bounds{0, 50}, 2)
		w.track(t, "backlog", 12, templateBacklog())
		w.track(t, "rate", 9, templateRate())
		putFromZero(t, w.engine, w.assume)
		w.arrivals = func(at time.Duration) float64 { return 2 + 2*math.Sin(at.Hours()*3) }
		w.run(6 * time.Hour)
		told, err := json.Marshal(w.activity) // follows pointers
		if err != nil {
			t.Fatal(err)
		}
		return string(told)
	}
	if first, second := run(), run(); first != second || len(first) < 100 {
		t.Errorf("%s\n%s", first, second)
	}
}

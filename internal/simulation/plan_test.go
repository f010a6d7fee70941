package simulation

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestThePlanForASteadyLoadCostsItsWork(t *testing.T) {
	load := mustLoad(t, 24*time.Hour, Constant(87.6), Fixed(5*time.Second)) // 7.3 tasks
	plan := Clairvoyant(load, time.Minute, 1, DefaultAssumptions())
	ratio := plan.Billed.Seconds() / SumOfWork(load, 1).Seconds()
	if ratio < 1 || ratio > 1.04 {
		t.Errorf("the plan costs %.3f of the work; it can run 7 and 8 tasks in turns", ratio)
	}
}

func TestThePlanForTheBlueprintsBurst(t *testing.T) {
	load := mustLoad(t, time.Hour, Burst(96, time.Minute), Fixed(5*time.Second))
	plan := Clairvoyant(load, time.Minute, 1, DefaultAssumptions())
	if got := plan.Billed.Hours(); math.Abs(got-8) > 0.2 {
		t.Errorf("%.2f task-hours; eight tasks do 96 messages of 5 s a minute", got)
	}
}

// A plan costs no less than the work, and a service that follows it, if it could know it, is never late.
func TestPlanBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load, err := NewLoad(
			"drawn",
			time.Hour,
			Poisson(rapid.Float64Range(1, 100).Draw(t, "rate")),
			Lognormal(
				time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds"))*time.Second,
				1,
			),
			rapid.Uint64().Draw(t, "seed"),
		)
		if err != nil {
			t.Skip(err)
		}
		c := rapid.IntRange(1, 4).Draw(t, "concurrency")
		plan := Clairvoyant(load, time.Minute, c, DefaultAssumptions())
		if plan.Billed < SumOfWork(load, c) {
			t.Errorf("the plan costs %v, less than the work of %v", plan.Billed, SumOfWork(load, c))
		}
		tasks, kept := BestFixed(load, time.Minute, c, 0.95)
		if kept < 0.95 || tasks > 1 && keptByFixed(load, time.Minute, (tasks-1)*c) >= 0.95 {
			t.Errorf("%d tasks keep %.3f", tasks, kept)
		}
		if got := mustKeep(t, load, c, tasks); math.Abs(got-kept) > 1e-9 {
			t.Errorf("the run with %d tasks keeps %v, the recursion says %v", tasks, got, kept)
		}
	})
}

func mustKeep(t *rapid.T, load *Load, concurrency, tasks int) float64 {
	s := scenario(load, tasks)
	s.Concurrency, s.Assumptions.Protection = concurrency, false
	s.Bounds.Max = 10000
	return observe(t, s, script{}).result.Kept()
}

func TestElasticity(t *testing.T) {
	demand := []Step{{0, 4}, {30 * time.Minute, 8}}
	supply := []Step{{0, 4}, {45 * time.Minute, 10}}
	got := Measure(demand, supply, time.Hour, time.Minute)
	want := Elasticity{
		UnderAccuracy: 12.5, // 4 of 8 missing for a quarter of the time
		OverAccuracy:  6.25, // 2 of 8 too many for a quarter
		UnderTime:     25,
		OverTime:      25,
		Instability:   100 * 2.0 / 59, // the two moves
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

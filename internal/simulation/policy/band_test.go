package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/trace"
)

const aDay = 24 * time.Hour

// busyTrace is a trace with as many messages of 5 s as keep eight tasks busy.
func busyTrace(t *testing.T, name string) (simulation.Arrivals, time.Duration) {
	t.Helper()
	arrivals, err := trace.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return simulation.FromTrace(arrivals.ScaleTo(96)), arrivals.Length()
}

// TestTheBandKeepsItsGoals at counts that are 30 s old: docs/band.md has the whole table.
func TestTheBandKeepsItsGoals(t *testing.T) {
	smooth, fortnight := busyTrace(t, "nab_nyc_taxi_14d_30min")
	noisy, _ := busyTrace(t, "nab_elb_request_count_14d_5min")
	bursty, _ := busyTrace(t, "azure_llm_code_1h_10s")
	tripled := simulation.Drifting(five, []simulation.DriftPoint{
		{At: 8 * time.Hour, Factor: 1}, {At: 16 * time.Hour, Factor: 3},
	})
	long := simulation.Fixed(5 * time.Minute)
	for _, test := range []struct {
		name      string
		arrivals  simulation.Arrivals
		durations simulation.Durations
		length    time.Duration
		mostTasks int
		kept      float64 // least share
		ratio     float64 // most task-hours, over those of the clairvoyant plan
	}{
		{"smooth", smooth, five, fortnight, 100, 0.999, 1.15},
		{"drift", simulation.Poisson(96), tripled, aDay, 100, 0.99, 1.17},
		{"noisy", noisy, five, fortnight, 100, 0.97, 1.6},
		{"bursty", bursty, five, aDay, 100, 0.98, 2},
		{"blueprint", simulation.Burst(50, time.Minute), five, aDay, 10, 0.995, 1.2},
		{"long jobs", simulation.Poisson(1.6), long, 7 * aDay, 100, 0.95, 1.55},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := load(t, test.length, test.arrivals, test.durations)
			a := simulation.DefaultAssumptions()
			if a.Staleness != 30*time.Second {
				t.Fatalf("the counts are %v old", a.Staleness)
			}
			result := run(t, policy.InBand(policy.Defaults()), l, func(s *simulation.Scenario) {
				s.Processing, s.Bounds.Max = l.Work[0], test.mostTasks
			})
			ratio := result.TaskHours() / simulation.Clairvoyant(l, time.Minute, 1, a).Billed.Hours()
			if result.Kept() < test.kept || ratio > test.ratio {
				t.Errorf("keeps %.2f %% at %.3f times the plan's task-hours, want %.1f %% at %.2f",
					100*result.Kept(), ratio, 100*test.kept, test.ratio)
			}
		})
	}
}

// stepsUp is eight busy tasks, then thirty from the first hour to the third, then eight again, as many as there are of
// messages of 5 s.
func stepsUp(length time.Duration, r *rand.Rand) []time.Duration {
	all := simulation.Poisson(96)(length, r)
	for _, at := range simulation.Poisson(264)(2*time.Hour, r) {
		all = append(all, time.Hour+at)
	}
	slices.Sort(all)
	return all
}

// TestLooksThatStop: whenever they stop around the start of a burst, the policies inside get their room back, and the
// burst's last hour is served; without the dead man it is lost.
func TestLooksThatStop(t *testing.T) {
	l := load(t, 4*time.Hour, stepsUp, five)
	last := func(r *simulation.Result) float64 { // of the burst
		started, inTime := 0, 0
		for minute := 120; minute < 180; minute++ {
			started += int(r.Series.Started[minute])
			inTime += int(r.Series.InTime[minute])
		}
		return float64(inTime) / float64(started)
	}
	worst, lost := 1.0, 1.0
	for after := -2 * time.Minute; after <= 10*time.Minute; after += 20 * time.Second {
		stop := policy.Band{Inside: policy.Retuned(policy.Defaults()), StopAt: time.Hour + after}
		result := run(t, stop, l)
		if kept := last(result); kept < worst {
			worst = kept
		}
		if ceiling := result.Series.Ceiling[70+5]; ceiling != 100 {
			t.Errorf("stopped %v after the burst began: the ceiling is %d a quarter of an hour later", after, ceiling)
		}
		if floor := result.Series.Floor[60+10+60+2]; floor != 1 {
			t.Errorf("stopped %v after the burst began: the floor is still %d after an hour", after, floor)
		}
		stop.WithoutDeadMan = true
		lost = min(lost, last(run(t, stop, l)))
	}
	if worst < 0.98 {
		t.Errorf("the last hour of the burst keeps %.3f at the worst moment to stop", worst)
	}
	if lost > 0.1 {
		t.Errorf("without the dead man the worst moment keeps %.3f: then this test shows nothing", lost)
	}
}

// TestCountsThatReadZeroForGood are no looks: the bounds go back to the template's, and target tracking works as it
// does without the band.
func TestCountsThatReadZeroForGood(t *testing.T) {
	l := load(t, 6*time.Hour, simulation.Diurnal(96, 0.8, 6*time.Hour), five)
	blind := func(s *simulation.Scenario) { s.Assumptions.CountZeros = 1 }
	band, alone := run(t, policy.InBand(policy.Defaults()), l, blind), run(t, policy.Retuned(policy.Defaults()), l)
	if band.Kept() < alone.Kept()-0.01 {
		t.Errorf("kept %.3f, without the band %.3f", band.Kept(), alone.Kept())
	}
	if last := len(band.Series.Ceiling) - 1; band.Series.Ceiling[last] != 100 || band.Series.Floor[last] != 1 {
		t.Errorf("bounds of %d and %d at the end", band.Series.Floor[last], band.Series.Ceiling[last])
	}
}

// TestWrongCountsDoLittleHarm: what noise, single zeros and older counts cost.
func TestWrongCountsDoLittleHarm(t *testing.T) {
	noisy, _ := busyTrace(t, "nab_elb_request_count_14d_5min")
	l := load(t, 3*aDay, noisy, five)
	exact := run(t, policy.InBand(policy.Defaults()), l)
	for name, test := range map[string]struct {
		wrong func(a *simulation.Assumptions)
		kept  float64 // may be lost
		cost  float64 // may be added, as a factor
	}{
		"10 % noise":            {func(a *simulation.Assumptions) { a.CountNoise = 0.1 }, 0.003, 1.06},
		"a zero in fifty looks": {func(a *simulation.Assumptions) { a.CountZeros = 0.02 }, 0.003, 1.03},
		"exact":                 {func(a *simulation.Assumptions) { a.Staleness = 0 }, -0.005, 1.06},
		"60 s old":              {func(a *simulation.Assumptions) { a.Staleness = time.Minute }, 0.1, 1.2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := func(s *simulation.Scenario) { test.wrong(&s.Assumptions) }
			got := run(t, policy.InBand(policy.Defaults()), l, wrong)
			if got.Kept() < exact.Kept()-test.kept || got.TaskHours() > exact.TaskHours()*test.cost {
				t.Errorf("keeps %.4f at %.0f task-hours; counts 30 s old: %.4f at %.0f",
					got.Kept(), got.TaskHours(), exact.Kept(), exact.TaskHours())
			}
		})
	}
}

package policy_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

func run(
	t *testing.T,
	p simulation.Policy,
	load *simulation.Load,
	change ...func(*simulation.Scenario),
) *simulation.Result {
	t.Helper()
	s := simulation.Scenario{
		Load: load, Assumptions: simulation.DefaultAssumptions(), Delay: time.Minute, Processing: 5 * time.Second,
		Bounds: tracking.Bounds{Min: 1, Max: 100}, Seed: 1,
	}
	for _, f := range change {
		f(&s)
	}
	result, err := simulation.Run(context.Background(), s, p)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func load(
	t *testing.T,
	length time.Duration,
	arrivals simulation.Arrivals,
	durations simulation.Durations,
) *simulation.Load {
	t.Helper()
	l, err := simulation.NewLoad(t.Name(), length, arrivals, durations, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var five = simulation.Fixed(5 * time.Second)

// lastNote is the value of a note at the end.
func lastNote(r *simulation.Result, name string) float64 {
	notes := r.Series.Notes[name]
	if len(notes) == 0 {
		return math.NaN()
	}
	return float64(notes[len(notes)-1])
}

func TestTheTargetsFollowTheDuration(t *testing.T) {
	longer := simulation.Drifting(five, []simulation.DriftPoint{
		{At: 90 * time.Minute, Factor: 1}, {At: 91 * time.Minute, Factor: 2},
	})
	l := load(t, 4*time.Hour, simulation.Poisson(96), longer)
	static, retuned := policy.Static(policy.Defaults()), policy.Retuned(policy.Defaults())
	hourly := policy.Defaults()
	hourly.Label, hourly.Retune.DriftFactor = "hourly", 0

	rate := 60 * policy.Defaults().Utilization / 5
	if got := lastNote(run(t, static, l), "rate target"); math.Abs(got-rate) > 0.01 {
		t.Errorf("without a retune the rate target goes to %v, from %v", got, rate)
	}
	if got := lastNote(run(t, retuned, l), "rate target"); math.Abs(got-rate/2) > 0.05*rate {
		t.Errorf("rate target %v for jobs twice as long, want about %v", got, rate/2)
	}
	kept := func(p simulation.Policy) float64 { return run(t, p, l).Kept() }
	if s, h, d := kept(static), kept(hourly), kept(retuned); !(s < h && h < d) {
		t.Errorf("kept without a retune %.3f, hourly %.3f, on drift %.3f: each should be better", s, h, d)
	}
}

func TestTheRatePolicyHoldsWhatArrivals(t *testing.T) {
	l := load(t, 6*time.Hour, simulation.Poisson(96), five)
	alone := run(t, policy.BacklogAlone(policy.Defaults()), l)
	both := run(t, policy.Retuned(policy.Defaults()), l)
	if both.Kept() < 0.99 || both.Turns > 2 {
		t.Errorf("both policies keep %.3f with %d turns of a steady load", both.Kept(), both.Turns)
	}
	if alone.Kept() > 0.9 || alone.Turns < 10 {
		t.Errorf("the backlog policy alone keeps %.3f with %d turns: it is known to cycle", alone.Kept(), alone.Turns)
	}
}

func TestFromZero(t *testing.T) {
	l := load(t, 2*time.Hour, simulation.OnOff(6, 2*time.Minute, time.Hour), five)
	result := run(t, policy.Retuned(policy.Defaults()), l, func(s *simulation.Scenario) { s.Bounds.Min = 0 })
	if result.Left > 0 || result.Unserved > 0 {
		t.Errorf("%d messages left, %d never started", result.Left, result.Unserved)
	}
	if lowest := slices.Min(result.Series.Desired); lowest != 0 {
		t.Errorf("never goes to zero: at least %d tasks wanted", lowest)
	}
}

func TestTheBlueprintStopsScalingAfterItsFirstUpdate(t *testing.T) {
	l := load(t, 4*time.Hour, simulation.Diurnal(120, 0.9, 4*time.Hour), five)
	result := run(t, policy.Blueprint{Bugs: true}, l)
	desired := result.Series.Desired
	for minute := 90; minute < len(desired); minute++ {
		if desired[minute] != desired[90] {
			t.Fatalf(
				"minute %d: %d tasks wanted, %d half an hour after its first run",
				minute,
				desired[minute],
				desired[90],
			)
		}
	}
	if repaired := run(t, policy.Blueprint{}, l); repaired.Actions < 2*result.Actions {
		t.Errorf("repaired it acts %d times, as it was %d times", repaired.Actions, result.Actions)
	}
}

func TestTheBlueprintsWorkerDoesLongJobsTwice(t *testing.T) {
	l := load(t, time.Hour, simulation.Constant(4), simulation.Fixed(45*time.Second))
	if result := run(t, policy.Blueprint{Bugs: true}, l); result.DoubledMessages == 0 {
		t.Error("jobs of 45 s with a visibility timeout of 30 s and no heartbeat are not done twice")
	}
	if result := run(t, policy.Guide{}, l); result.DoubledMessages != 0 {
		t.Errorf("%d messages done twice by a worker that extends the visibility", result.DoubledMessages)
	}
}

func TestKEDAFollowsTheQueue(t *testing.T) {
	l := load(t, time.Hour, simulation.Burst(600, time.Hour), five)
	result := run(
		t,
		policy.KEDA{QueueLength: 12},
		l,
		func(s *simulation.Scenario) { s.Tasks, s.Assumptions.Staleness = 1, 0 },
	)
	peak := slices.Max(result.Series.Desired)
	if peak < 40 || peak > 50 {
		t.Errorf("%d pods at most for 600 messages of 12 a pod, want about 50", peak)
	}
	if last := result.Series.Desired[len(result.Series.Desired)-1]; last != 1 {
		t.Errorf("%d pods wanted long after the burst", last)
	}
}

func TestTheCDKsStepsAddAndRemove(t *testing.T) {
	l := load(t, 3*time.Hour, simulation.OnOff(150, time.Hour, 10*time.Hour), five)
	result := run(t, policy.CDK{}, l, func(s *simulation.Scenario) { s.Tasks = 2 })
	most, last := slices.Max(result.Series.Desired), result.Series.Desired[len(result.Series.Desired)-1]
	if most < 10 || last >= most {
		t.Errorf("at most %d tasks, %d at the end, want steps up and down again", most, last)
	}
}

func TestAFixedCountStays(t *testing.T) {
	l := load(t, time.Hour, simulation.Poisson(60), five)
	result := run(t, policy.Fixed{Tasks: 7}, l)
	if slices.Min(result.Series.Desired) != 7 || slices.Max(result.Series.Desired) != 7 {
		t.Errorf("%d to %d tasks wanted", slices.Min(result.Series.Desired), slices.Max(result.Series.Desired))
	}
}

// TestLooks are as old as assumed, and bounds act at once: what a policy stands on that follows the live queue.
func TestLooks(t *testing.T) {
	l := load(t, time.Hour, simulation.Burst(100, time.Hour), simulation.Fixed(time.Minute))
	for staleness, want := range map[time.Duration]time.Duration{
		0: 20 * time.Second, 30 * time.Second: 40 * time.Second,
	} {
		p := &looker{}
		result := run(t, p, l, func(s *simulation.Scenario) { s.Tasks, s.Assumptions.Staleness = 1, staleness })
		if p.seen != want {
			t.Errorf("counts %v old: the burst is seen after %v, want %v", staleness, p.seen, want)
		}
		if most := slices.Max(result.Series.Desired); most != 50 {
			t.Errorf("the floor of 50 makes %d tasks", most)
		}
		if slices.Max(result.Series.Floor) != 50 {
			t.Error("the floor is not in the series")
		}
	}
}

// looker raises the floor when it sees a queue.
type looker struct{ seen time.Duration }

func (*looker) Name() string { return "looker" }

func (l *looker) Begin(c *simulation.Control) error {
	c.Look() // the counts are kept from the first look on
	c.Every(20*time.Second, 0, func() error {
		if l.seen > 0 || c.Look().Visible == 0 {
			return nil
		}
		l.seen = c.Since()
		return c.SetBounds(tracking.Bounds{Min: 50, Max: 100})
	})
	return nil
}

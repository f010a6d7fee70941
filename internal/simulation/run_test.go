package simulation

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// script is a policy that sets the desired count at given moments.
type script struct{ steps []Step }

func (script) Name() string { return "script" }

func (s script) Begin(c *Control) error {
	for _, step := range s.steps {
		c.After(step.At, func() error {
			c.SetDesired(step.Count)
			return nil
		})
	}
	return nil
}

func scenario(load *Load, tasks int) Scenario {
	return Scenario{
		Load: load, Assumptions: DefaultAssumptions(), Delay: time.Minute, Tasks: tasks,
		Bounds: tracking.Bounds{Min: 0, Max: 1000}, Seed: 1,
	}
}

func mustLoad(t testing.TB, length time.Duration, arrivals Arrivals, durations Durations) *Load {
	t.Helper()
	load, err := NewLoad(t.Name(), length, arrivals, durations, 7)
	if err != nil {
		t.Fatal(err)
	}
	return load
}

func mustRun(t testing.TB, s Scenario, p Policy) *Result {
	t.Helper()
	result, err := Run(context.Background(), s, p)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// erlangWait is the probability of waiting and the mean wait of M/M/c (Erlang C).
func erlangWait(arrivalsPerSecond, work float64, c int) (waits, mean float64) {
	load := arrivalsPerSecond * work
	inverse := 1.0 // of Erlang B, by its recursion
	for k := 1; k <= c; k++ {
		inverse = 1 + inverse*float64(k)/load
	}
	blocked := 1 / inverse
	busy := load / float64(c)
	waits = blocked / (1 - busy*(1-blocked))
	return waits, waits * work / (float64(c) * (1 - busy))
}

// At a steady fixed count the queue is M/M/c or M/D/c, whose mean waits are known: exactly for M/M/c, and for M/D/c by
// Cosmetatos' approximation, which is within about 1 % here.
func TestWaitsAgreeWithQueueingTheory(t *testing.T) {
	const work = 5.0
	for _, c := range []int{1, 8, 20} {
		for _, busy := range []float64{0.7, 0.9} {
			rate := busy * float64(c) / work
			length := time.Duration(500_000 / rate * float64(time.Second))
			_, want := erlangWait(rate, work, c)
			check := func(name string, got time.Duration, want, tolerance float64) {
				t.Helper()
				if math.Abs(got.Seconds()-want)/want > tolerance {
					t.Errorf("%s, c=%d, busy %.1f: mean wait %.3f s, want %.3f s", name, c, busy, got.Seconds(), want)
				}
			}
			exponentialWork := func(_ time.Duration, r *rand.Rand) time.Duration {
				return max(1, exponential(r, time.Duration(work*float64(time.Second))))
			}
			markov := mustLoad(t, length, Poisson(60*rate), exponentialWork)
			check("M/M/c", mustRun(t, scenario(markov, c), script{}).Waits.Mean(), want, 0.08)

			n := float64(c)
			correction := 1 + (1-busy)*(n-1)*(math.Sqrt(4+5*n)-2)/(16*busy*n)
			fixed := mustLoad(t, length, Poisson(60*rate), Fixed(5*time.Second))
			check("M/D/c", mustRun(t, scenario(fixed, c), script{}).Waits.Mean(), want/2*correction, 0.08)
		}
	}
}

func TestAFixedCountIsBilledForAllItsTime(t *testing.T) {
	load := mustLoad(t, time.Hour, Constant(60), Fixed(5*time.Second))
	result := mustRun(t, scenario(load, 8), script{})
	if result.Billed != 8*time.Hour || result.Launches != 8 || result.Actions != 0 {
		t.Errorf(
			"billed %v for %d launches and %d actions, want 8h, 8, 0",
			result.Billed,
			result.Launches,
			result.Actions,
		)
	}
	if result.Kept() != 1 || result.Waits.Max() != 0 {
		t.Errorf(
			"kept %v, longest wait %v: eight tasks can do five tasks' work at once",
			result.Kept(),
			result.Waits.Max(),
		)
	}
}

func TestATaskTakesMessagesAfterItsStartUpAndIsBilledFromItsLaunch(t *testing.T) {
	load := mustLoad(t, 10*time.Minute, Burst(2, time.Hour), Fixed(30*time.Second))
	s := scenario(load, 1)
	s.Bounds.Min = 1
	s.Assumptions.StartUpCV = 0
	result := mustRun(t, s, script{[]Step{{At: time.Second, Count: 2}, {At: 2 * time.Minute, Count: 1}}})
	if got := result.Waits.Max(); got != 30*time.Second {
		t.Errorf("the second message waited %v; the first task is free again after 30s, the new one after 46s", got)
	}
	if want := 10*time.Minute + 119*time.Second; result.Billed != want {
		t.Errorf("billed %v, want %v", result.Billed, want)
	}
}

func TestATaskIsBilledForAMinuteAtLeast(t *testing.T) {
	load := mustLoad(t, 10*time.Minute, Burst(1, time.Hour), Fixed(time.Second))
	result := mustRun(
		t,
		scenario(load, 1),
		script{[]Step{{At: time.Minute, Count: 2}, {At: 70 * time.Second, Count: 1}}},
	)
	if want := 11 * time.Minute; result.Billed != want {
		t.Errorf("billed %v, want %v", result.Billed, want)
	}
}

func TestAKilledTaskLosesNoMessage(t *testing.T) {
	load := mustLoad(t, 20*time.Minute, Burst(3, time.Hour), Fixed(5*time.Minute))
	for name, change := range map[string]func(*Assumptions){
		"unprotected": func(a *Assumptions) { a.Protection = false },
		"without a heartbeat": func(a *Assumptions) {
			a.Protection, a.Heartbeat, a.VisibilityTimeout = false, false, 10*time.Minute
		},
	} {
		s := scenario(load, 3)
		change(&s.Assumptions)
		result := mustRun(t, s, script{[]Step{{At: time.Minute, Count: 1}}})
		if result.DoubledMessages != 2 || result.Doubled != 6*time.Minute {
			t.Errorf(
				"%s: %d messages doubled for %v, want 2 that were killed after 3 minutes",
				name,
				result.DoubledMessages,
				result.Doubled,
			)
		}
		if result.Left != 0 {
			t.Errorf("%s: %d messages left", name, result.Left)
		}
	}
}

func TestAProtectedTaskIsNotStopped(t *testing.T) {
	load := mustLoad(t, 20*time.Minute, Burst(3, time.Hour), Fixed(5*time.Minute))
	result := mustRun(t, scenario(load, 3), script{[]Step{{At: time.Minute, Count: 1}}})
	if result.Doubled != 0 || result.Left != 0 {
		t.Errorf("%v of work doubled, %d messages left", result.Doubled, result.Left)
	}
	if want := 20*time.Minute + 2*5*time.Minute; result.Billed != want {
		t.Errorf("billed %v, want %v: two tasks until their messages were done", result.Billed, want)
	}
}

func TestAMessageLongerThanItsVisibilityIsDoneTwiceWithoutAHeartbeat(t *testing.T) {
	load := mustLoad(t, 10*time.Minute, Burst(1, time.Hour), Fixed(50*time.Second))
	s := scenario(load, 2)
	s.Assumptions.Heartbeat, s.Assumptions.VisibilityTimeout = false, 30*time.Second
	result := mustRun(t, s, script{})
	if result.DoubledMessages != 1 || result.Doubled != 50*time.Second {
		t.Errorf("%d messages doubled for %v, want one for 50s", result.DoubledMessages, result.Doubled)
	}
}

func TestAGroupIsInFlightOnce(t *testing.T) {
	load := mustLoad(t, 10*time.Minute, Burst(10, time.Hour), Fixed(10*time.Second)).Grouped(1, 1)
	result := mustRun(t, scenario(load, 10), script{})
	if got := result.Waits.Max(); got != 90*time.Second {
		t.Errorf("the last of ten messages of one group waited %v, want 90s", got)
	}
}

func TestConcurrency(t *testing.T) {
	load := mustLoad(t, 10*time.Minute, Burst(10, time.Hour), Fixed(10*time.Second))
	s := scenario(load, 1)
	s.Concurrency = 4
	if got := mustRun(t, s, script{}).Waits.Max(); got != 20*time.Second {
		t.Errorf("the last of ten messages waited %v in a task that does four at once, want 20s", got)
	}
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	load := mustLoad(t, 2*time.Hour, Poisson(100), Lognormal(5*time.Second, 1))
	s := scenario(load, 8)
	s.Assumptions.SpotShare, s.Assumptions.SpotLife = 0.5, 20*time.Minute
	first, second := mustRun(t, s, script{}), mustRun(t, s, script{})
	if !reflect.DeepEqual(first, second) {
		t.Error("two runs with the same seed differ")
	}
	s.Seed++
	if reflect.DeepEqual(first, mustRun(t, s, script{})) {
		t.Error("another seed changes nothing")
	}
}

// Whatever happens, each message is done once, and work beyond that is counted.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load, err := NewLoad("drawn", time.Hour,
			Poisson(rapid.Float64Range(1, 60).Draw(t, "rate")),
			Lognormal(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds"))*time.Second, 0.5),
			rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Skip(err)
		}
		if rapid.Bool().Draw(t, "fifo") {
			load = load.Grouped(rapid.IntRange(30, 60).Draw(t, "groups"), 3)
		}
		s := scenario(load, rapid.IntRange(1, 20).Draw(t, "tasks"))
		s.Concurrency = rapid.IntRange(1, 5).Draw(t, "concurrency")
		a := &s.Assumptions
		a.Protection, a.Heartbeat, a.Drains = rapid.Bool().Draw(
			t,
			"p",
		), rapid.Bool().Draw(
			t,
			"h",
		), rapid.Bool().Draw(
			t,
			"d",
		)
		a.StopTimeout = time.Duration(rapid.IntRange(0, 120).Draw(t, "stop")) * time.Second
		a.VisibilityTimeout = time.Duration(rapid.IntRange(10, 120).Draw(t, "visibility")) * time.Second
		a.SpotShare, a.SpotLife = rapid.Float64Range(0, 1).Draw(t, "spot"), 20*time.Minute
		var steps []Step
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			steps = append(steps, Step{
				At:    time.Duration(rapid.IntRange(0, 3600).Draw(t, "at")) * time.Second,
				Count: rapid.IntRange(0, 30).Draw(t, "count"),
			})
		}
		steps = append(steps, Step{At: time.Hour, Count: 200})

		r := observe(t, s, script{steps})
		if got := r.result.Waits.Count(); got != int64(len(load.At)) {
			t.Errorf("%d waits for %d messages", got, len(load.At))
		}
		if a.Heartbeat && load.Group == nil && r.result.Left > 0 {
			t.Errorf("%d of %d messages left with 200 tasks for two hours", r.result.Left, len(load.At))
		}
		if (r.visible+r.inFlight == 0) != (r.open == 0) || r.visible < 0 || r.inFlight < 0 || r.busy < 0 {
			t.Errorf(
				"%d visible, %d in flight, %d open, %d slots busy at the end",
				r.visible,
				r.inFlight,
				r.open,
				r.busy,
			)
		}
		if s.Assumptions.Heartbeat && s.Assumptions.Protection && s.Assumptions.Drains && a.SpotShare == 0 &&
			r.result.Doubled > 0 {
			t.Errorf("%v of work doubled by a worker that drains, protects and extends", r.result.Doubled)
		}
	})
}

// observe runs and returns the state at the end.
func observe(t *rapid.T, s Scenario, p Policy) *run {
	s, err := s.Complete()
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(context.Background(), s)
	if err := r.begin(p); err != nil {
		t.Fatal(err)
	}
	if err := r.loop(); err != nil {
		t.Fatal(err)
	}
	r.close()
	return r
}

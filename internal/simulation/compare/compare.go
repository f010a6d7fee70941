package compare

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Reference is what no policy can reach: bounds of a load, not peers.
type Reference struct {
	Work       time.Duration // task time of the work alone
	Plan       simulation.Plan
	FixedTasks int     // least fixed count that keeps the goal, known in hindsight
	FixedKept  float64 // share that it keeps
}

// Refer computes the bounds of a scenario. Goal is the share of messages that the fixed count must keep.
func Refer(s simulation.Scenario, goal float64) (Reference, error) {
	s, err := s.Complete()
	if err != nil {
		return Reference{}, err
	}
	r := Reference{
		Work: simulation.SumOfWork(s.Load, s.Concurrency),
		Plan: simulation.Clairvoyant(s.Load, s.Delay, s.Concurrency, s.Assumptions),
	}
	r.FixedTasks, r.FixedKept = simulation.BestFixed(s.Load, s.Delay, s.Concurrency, goal)
	return r, nil
}

// Row is what a policy came to, in the units of the table.
type Row struct {
	Policy      string  `json:"policy"`
	Pace        string  `json:"scaleInPace"` // empty: makes no difference
	Kept        float64 `json:"keptPercent"`
	WaitP50     float64 `json:"waitP50Seconds"`
	WaitP95     float64 `json:"waitP95Seconds"`
	WaitP99     float64 `json:"waitP99Seconds"`
	WaitMax     float64 `json:"waitMaxSeconds"`
	TaskHours   float64 `json:"taskHours"`
	MonthUSD    float64 `json:"usdPerMonth"`
	Ratio       float64 `json:"ratioToClairvoyant"`
	Actions     int     `json:"actions"`
	Turns       int     `json:"directionChanges"`
	Doubled     float64 `json:"doubledWorkMinutes"`
	Unserved    int     `json:"unservedMessages"`
	Left        int     `json:"unfinishedMessages"`
	Under       float64 `json:"underProvisioningPercent"` // theta_U
	Over        float64 `json:"overProvisioningPercent"`  // theta_O
	UnderTime   float64 `json:"underTimePercent"`         // tau_U
	OverTime    float64 `json:"overTimePercent"`          // tau_O
	Instability float64 `json:"instabilityPercent"`       // upsilon
}

// Outcome is a policy's run and its row.
type Outcome struct {
	Row
	Result *simulation.Result
}

// Comparison is what several policies made of one scenario.
type Comparison struct {
	Scenario  simulation.Scenario
	Goal      float64 // share of messages to start within the delay
	Reference Reference
	Outcomes  []Outcome
}

// Job is a run of a comparison.
type Job struct {
	Policy simulation.Policy
	Pace   tracking.Pace
}

// Jobs pairs policies with paces of scale-in.
func Jobs(policies []simulation.Policy, paces []tracking.Pace) []Job {
	var jobs []Job
	for _, p := range policies {
		for _, pace := range paces {
			jobs = append(jobs, Job{p, pace})
		}
	}
	return jobs
}

// Run compares. Progress, if not nil, is called from several goroutines with the share of all runs that is done.
func Run(
	ctx context.Context, s simulation.Scenario, goal float64, jobs []Job, progress func(share float64),
) (*Comparison, error) {
	s, err := s.Complete()
	if err != nil {
		return nil, err
	}
	reference, err := Refer(s, goal)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Scenario: s, Goal: goal, Reference: reference, Outcomes: make([]Outcome, len(jobs))}
	done := newMeter(len(jobs), progress)
	err = each(ctx, len(jobs), func(ctx context.Context, i int) error {
		scenario := s
		scenario.Assumptions.Tracking.ScaleInPace = jobs[i].Pace
		scenario.Progress = done.of(i)
		result, err := simulation.Run(ctx, scenario, jobs[i].Policy)
		if err != nil {
			return err
		}
		c.Outcomes[i] = Outcome{Row: reference.row(result, scenario), Result: result}
		return nil
	})
	c.Outcomes = mergePaces(c.Outcomes)
	return c, err
}

// mergePaces leaves one outcome of a policy for which the pace of scale-in made no difference, without a pace.
func mergePaces(outcomes []Outcome) []Outcome {
	var merged []Outcome
	for i, o := range outcomes {
		alone := true
		for k, other := range outcomes {
			if k == i || other.Policy != o.Policy {
				continue
			}
			same := other.Row
			same.Pace = o.Pace
			alone = alone && same == o.Row
		}
		if !alone {
			merged = append(merged, o)
			continue
		}
		o.Pace = ""
		if !slices.ContainsFunc(merged, func(m Outcome) bool { return m.Policy == o.Policy }) {
			merged = append(merged, o)
		}
	}
	return merged
}

func (r Reference) row(result *simulation.Result, s simulation.Scenario) Row {
	e := simulation.Measure(r.Plan.Demand, result.Supply, result.Length, s.Assumptions.Period())
	seconds := func(q float64) float64 { return result.Waits.Quantile(q).Seconds() }
	return Row{
		Policy: result.Policy, Pace: string(s.Assumptions.Tracking.ScaleInPace), Kept: 100 * result.Kept(),
		WaitP50: seconds(0.5), WaitP95: seconds(0.95), WaitP99: seconds(0.99), WaitMax: result.Waits.Max().Seconds(),
		TaskHours: result.TaskHours(), MonthUSD: result.MonthlyCost(s.Assumptions),
		Ratio:   result.TaskHours() / r.Plan.Billed.Hours(),
		Actions: result.Actions, Turns: result.Turns, Doubled: result.Doubled.Minutes(),
		Unserved: result.Unserved, Left: result.Left,
		Under: e.UnderAccuracy, Over: e.OverAccuracy, UnderTime: e.UnderTime, OverTime: e.OverTime,
		Instability: e.Instability,
	}
}

// each calls do for 0 to n-1 on as many goroutines as there are processors. The first error ends it.
func each(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// meter adds up the progress of several runs.
type meter struct {
	mu     sync.Mutex
	shares []float64
	tell   func(float64)
}

func newMeter(n int, tell func(float64)) *meter {
	return &meter{shares: make([]float64, n), tell: tell}
}

func (m *meter) of(run int) func(float64) {
	if m.tell == nil {
		return nil
	}
	return func(share float64) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.shares[run] = share
		sum := 0.0
		for _, s := range m.shares {
			sum += s
		}
		m.tell(sum / float64(len(m.shares)))
	}
}

// Front marks the outcomes that no other one beats: none keeps as much for less, or more for the same.
func Front(rows []Row) []bool {
	on := make([]bool, len(rows))
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := rows[a], rows[b]; {
		case x.TaskHours != y.TaskHours:
			return less(x.TaskHours < y.TaskHours)
		default:
			return less(x.Kept > y.Kept)
		}
	})
	best := -1.0
	for _, i := range order {
		if rows[i].Kept > best {
			on[i], best = true, rows[i].Kept
		}
	}
	return on
}

func less(yes bool) int {
	if yes {
		return -1
	}
	return 1
}

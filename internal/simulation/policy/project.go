package policy

import (
	"slices"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Settings are what may be chosen by measurement.
type Settings struct {
	// Headroom h and Utilization u of internal/backlog.
	Headroom, Utilization float64
	// Bounds of the task count.
	Bounds tracking.Bounds
}

// Project is this project: two target-tracking policies whose targets follow the measured processing duration.
// The zero value has no retune and no tuning; start from Defaults.
type Project struct {
	Label string
	// Headroom h and Utilization u of internal/backlog.
	Headroom, Utilization float64
	// ScaleOutCooldown and ScaleInCooldown of both policies.
	ScaleOutCooldown, ScaleInCooldown time.Duration
	// WithoutRate leaves the rate policy out.
	WithoutRate bool
	// Retune is how the targets follow the duration.
	Retune Retune
	// Choose, if not nil, chooses the settings anew before each hourly retune.
	Choose func(c *simulation.Control, now Settings) (Settings, error)
}

// Retune says when the targets are made anew, and within which guard rails.
type Retune struct {
	Every  time.Duration // 0: never
	Window time.Duration // of the durations that a retune measures
	// On drift the targets are made anew at once: when the mean duration of each period of DriftWindow has drifted, on
	// the same side, as backlog.Drifted has it: by DriftFactor, or by less where many messages say so. A factor of 0:
	// never. What was measured before such a stretch is left out from then on.
	DriftFactor float64
	DriftWindow time.Duration
	Rails       backlog.Rails
}

// mostDrifts is how many times an hour the targets are made anew on drift.
const mostDrifts = 4

// Defaults are the settings that docs/tuning.md arrives at, and the defaults of the template's parameters.
func Defaults() Project {
	return Project{
		Headroom:         4,
		Utilization:      0.8,
		ScaleOutCooldown: 5 * time.Minute,
		ScaleInCooldown:  5 * time.Minute,
		Retune: Retune{
			Every:       time.Hour,
			Window:      24 * time.Hour,
			DriftFactor: 1.5,
			DriftWindow: 5 * time.Minute,
			Rails:       backlog.Rails{MinimumSamples: 30, MaximumFactor: 4, DeadBand: 0.05},
		},
	}
}

// Retuned is the project with settings that stay: RetuneChoice formula.
func Retuned(tuning Project) simulation.Policy {
	tuning.Label, tuning.Choose = "project-formula", nil
	return tuning
}

// Static is the project with targets that are made once.
func Static(tuning Project) simulation.Policy {
	tuning.Label, tuning.Retune, tuning.Choose = "project-static", Retune{}, nil
	return tuning
}

// BacklogAlone is the backlog policy with a headroom of 1, without the rate policy, made once.
func BacklogAlone(tuning Project) simulation.Policy {
	tuning.Label, tuning.Retune, tuning.Choose, tuning.WithoutRate, tuning.Headroom = "backlog", Retune{}, nil, true, 1
	return tuning
}

// Name implements simulation.Policy.
func (p Project) Name() string { return p.Label }

// Begin implements simulation.Policy.
func (p Project) Begin(c *simulation.Control) error {
	s := c.Scenario()
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	r := &retuner{Project: p, control: c, engine: engine, processing: s.Processing, promise: backlog.Promise{
		AcceptableDelay: s.Delay, Headroom: p.Headroom, Utilization: p.Utilization,
		Concurrency: s.Concurrency, Period: s.Assumptions.Period(),
	}}
	targets, err := r.promise.Targets(s.Processing)
	if err != nil {
		return err
	}
	if s.Bounds.Min == 0 {
		if err := engine.PutStep(c.Now(), fromZero(c, p.ScaleOutCooldown)); err != nil {
			return err
		}
	}
	if p.Retune.Every > 0 {
		c.Every(p.Retune.Every, 0, r.hourly)
	}
	if p.Retune.Every > 0 && p.Retune.DriftFactor > 1 {
		c.Every(s.Assumptions.Period(), s.Assumptions.Tracking.EvaluationOffset, r.drifted)
	}
	return r.put(targets)
}

// retuner keeps the targets of one run.
type retuner struct {
	Project
	control    *simulation.Control
	engine     *tracking.Engine
	promise    backlog.Promise
	targets    backlog.Targets
	processing time.Duration // that the targets are made for
	since      time.Duration // of the run: what was measured before is left out
	drifts     []time.Duration
}

func (r *retuner) put(targets backlog.Targets) error {
	r.targets = targets
	r.control.Note("backlog target", targets.Backlog)
	err := r.engine.PutTargetTracking(r.control.Now(), r.policy("backlog", targets.Backlog, backlogPerTask()))
	if err != nil || r.WithoutRate {
		return err
	}
	r.control.Note("rate target", targets.Rate)
	return r.engine.PutTargetTracking(r.control.Now(), r.policy("rate", targets.Rate, sentPerTask()))
}

func (r *retuner) policy(name string, target float64, metrics []tracking.MetricQuery) tracking.TargetTracking {
	return tracking.TargetTracking{
		Name: name, Target: target, Metrics: metrics,
		ScaleOutCooldown: &r.ScaleOutCooldown, ScaleInCooldown: &r.ScaleInCooldown,
	}
}

// hourly is the scheduled retune, and the one on drift.
func (r *retuner) hourly() error {
	if err := r.choose(); err != nil {
		return err
	}
	return r.retune(r.Retune.Window)
}

func (r *retuner) choose() error {
	if r.Choose == nil {
		return nil
	}
	now := Settings{r.promise.Headroom, r.promise.Utilization, r.control.Bounds()}
	chosen, err := r.Choose(r.control, now)
	if err != nil || chosen == now {
		return err
	}
	r.promise.Headroom, r.promise.Utilization = chosen.Headroom, chosen.Utilization
	targets, err := r.promise.Targets(r.processing)
	if err != nil {
		return err
	}
	if chosen.Bounds != now.Bounds {
		if err := r.control.SetBounds(chosen.Bounds); err != nil {
			return err
		}
	}
	return r.put(targets)
}

// drifted looks whether the duration has left the one that the targets were made for, on the same side for a while.
func (r *retuner) drifted() error {
	now, period := r.control.Since(), r.control.Scenario().Assumptions.Period()
	r.drifts = slices.DeleteFunc(r.drifts, func(at time.Duration) bool { return now-at >= time.Hour })
	n := int(r.Retune.DriftWindow / period)
	periods, since := r.control.Recent(n)
	if len(periods) < n || len(r.drifts) == mostDrifts {
		return nil
	}
	side := r.side(periods[0])
	if side == 0 || slices.ContainsFunc(periods, func(m simulation.Measurement) bool { return r.side(m) != side }) {
		return nil
	}
	r.drifts, r.since = append(r.drifts, now), since
	return r.hourly()
}

// side tells on which side of what the targets are made for a period lies.
func (r *retuner) side(m simulation.Measurement) int {
	return backlog.Drifted(m.Mean.Seconds(), r.processing.Seconds(), float64(m.Samples), r.Retune.DriftFactor-1)
}

func (r *retuner) retune(window time.Duration) error {
	now := r.control.Measured(min(window, r.control.Since()-r.since))
	proposal, err := r.Retune.Rails.Propose(
		r.promise,
		r.targets,
		backlog.Reading{Samples: now.Samples, Mean: now.Mean},
	)
	if err != nil || !proposal.Change {
		return err
	}
	one, err := r.promise.Targets(time.Second)
	if err != nil {
		return err
	}
	// What the targets are right for, which is not the mean where they go only part of the way.
	r.processing = time.Duration(one.Rate / proposal.Targets.Rate * float64(time.Second))
	return r.put(proposal.Targets)
}

// fromZero starts the first task where none may be left running: one task while messages are visible and none runs, in
// 2 of 2 periods.
func fromZero(c *simulation.Control, cooldown time.Duration) tracking.StepScaling {
	visible, running := simulation.Visible("Average"), simulation.RunningTasks()
	waiting := alarm(c, []tracking.MetricQuery{
		{ID: "visible", Metric: &visible},
		{ID: "running", Metric: &running},
		{
			ID:         "waiting",
			Expression: "IF(visible > 0, IF(FILL(FILL(running, REPEAT), 0) < 1, 1, 0), 0)",
			ReturnData: true,
		},
	}, c.Scenario().Assumptions.Period(), 2)
	zero := 0.0
	return tracking.StepScaling{
		Name: "from-zero", Adjustment: tracking.ChangeInCapacity, Cooldown: &cooldown, Aggregation: "Maximum",
		Steps:  []tracking.Step{{Lower: &zero, Adjustment: 1}},
		Alarms: []tracking.AlarmSpec{waiting("from-zero", tracking.GreaterThanOrEqual, 1)},
	}
}

package policy

import (
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/band"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Band is this project with BandState ENABLED: the band machine looks at the live queue three times a minute and moves
// the bounds, by the rule of package band. Another policy works inside the bounds.
type Band struct {
	Inside simulation.Policy // nil: none, only the bounds move the count
	// StopAt is when the looks stop for good, as if the machine had failed; 0: never.
	StopAt time.Duration
	// WithoutDeadMan leaves out the scheduled actions that give the bounds back when the looks have stopped.
	WithoutDeadMan bool
}

// InBand is this project as it is deployed with the band.
func InBand(tuning Project) simulation.Policy { return Band{Inside: Retuned(tuning)} }

// Name implements simulation.Policy.
func (Band) Name() string { return "band" }

const (
	firstLook   = 3 * time.Second // of a run, after the full minute: what it takes to start
	sentPeriods = 3
	measured    = 10 * time.Minute // that the mean processing duration is taken over
)

// Begin implements simulation.Policy.
func (b Band) Begin(c *simulation.Control) error {
	if b.Inside != nil {
		if err := b.Inside.Begin(c); err != nil {
			return err
		}
	}
	s := c.Scenario()
	w := &watch{Band: b, control: c, limits: s.Bounds, processing: s.Processing, settings: band.Settings{
		AcceptableDelay: s.Delay, Concurrency: s.Concurrency, MinTasks: s.Bounds.Min, MaxTasks: s.Bounds.Max,
		LookInterval: band.LookInterval,
	}}
	c.Look() // the counts are kept from the first look on
	c.Every(band.LookInterval, firstLook, w.look)
	return nil
}

// watch is the machine in one run.
type watch struct {
	Band
	control    *simulation.Control
	settings   band.Settings
	limits     tracking.Bounds
	memory     band.Memory
	processing time.Duration
	armed      time.Duration // when the dead man was armed last
}

func (w *watch) look() error {
	c := w.control
	if w.StopAt > 0 && c.Since() >= w.StopAt {
		return nil
	}
	decision, memory, err := band.Decide(w.settings, w.see(), w.memory)
	if err != nil {
		return err
	}
	w.memory = memory
	if decision.Doubted {
		return nil
	}
	w.arm()
	if !decision.Moves {
		return nil
	}
	return c.SetBounds(tracking.Bounds{Min: decision.Floor, Max: decision.Ceiling})
}

// arm puts the scheduled actions anew, once a minute.
func (w *watch) arm() {
	c := w.control
	if w.WithoutDeadMan || w.armed > 0 && c.Since()-w.armed < time.Minute {
		return
	}
	w.armed = c.Since()
	c.ScheduleBounds("ceiling", band.CeilingAfter, nil, &w.limits.Max)
	c.ScheduleBounds("floor", band.FloorAfter, &w.limits.Min, nil)
}

// see is the step Look: what the machine can know.
func (w *watch) see() band.Look {
	c := w.control
	if m := c.Measured(measured); m.Samples > 0 {
		w.processing = m.Mean
	}
	counts, capacity, bounds := c.Look(), c.Capacity(), c.Bounds()
	return band.Look{
		At: c.Now(), Visible: counts.Visible, InFlight: counts.InFlight,
		Running: capacity.Running, Desired: capacity.Desired, Deploying: capacity.Deploying,
		Sent: w.sent(), ProcessingSeconds: w.processing.Seconds(),
		InForce: band.Bounds{Floor: bounds.Min, Ceiling: bounds.Max},
	}
}

// sent are the newest datapoints that can be read.
func (w *watch) sent() []band.Sent {
	const back = 2 * sentPeriods
	period := w.control.Scenario().Assumptions.Period()
	end := w.control.Now().Truncate(period)
	var sent []band.Sent
	for i, messages := range w.control.Datapoints(simulation.Sent(), back) {
		if math.IsNaN(messages) {
			continue
		}
		from := end.Add(-time.Duration(back-i) * period)
		sent = append(sent, band.Sent{From: from, PeriodSeconds: period.Seconds(), Messages: messages})
	}
	return sent[max(0, len(sent)-sentPeriods):]
}

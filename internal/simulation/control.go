package simulation

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Control is what a policy sees of the system, and how it acts on it: the calls that AWS offers, in virtual time. A
// policy can know no more than its real counterpart could.
type Control struct {
	run       *run
	bounds    tracking.Bounds
	engine    *tracking.Engine
	callbacks []callback
	history   []counts // newest last; kept once a policy looks
	looking   bool
	custom    map[string]*custom
	notes     map[string]float64
	scheduled map[string]int // of each scheduled action, how often it was put
	ids       int
}

type callback struct {
	every time.Duration // 0: once
	do    func() error
}

type counts struct {
	at                time.Duration
	visible, inFlight int
}

type custom struct {
	points *datapoints
	sum    float64
	count  int
}

// Counts are the queue's attributes as GetQueueAttributes answers them.
type Counts struct{ Visible, InFlight int }

// Now is the time of the run.
func (c *Control) Now() time.Time { return epoch.Add(c.run.now) }

// Since is the time since the start of the run.
func (c *Control) Since() time.Duration { return c.run.now }

// Scenario is what is simulated. A policy may use of it what an operator knows: the promise, the bounds, the expected
// processing duration, the period. The load itself is not for it.
func (c *Control) Scenario() Scenario {
	known := c.run.scenario
	known.Load = nil
	return known
}

// Every calls do each time the interval has passed, first after the interval and the offset.
func (c *Control) Every(interval, offset time.Duration, do func() error) {
	c.callbacks = append(c.callbacks, callback{interval, do})
	c.run.agenda.add(c.run.now+interval+offset, call, int32(len(c.callbacks)-1), 0)
}

// After calls do once, after a time.
func (c *Control) After(wait time.Duration, do func() error) {
	c.callbacks = append(c.callbacks, callback{0, do})
	c.run.agenda.add(c.run.now+wait, call, int32(len(c.callbacks)-1), 0)
}

func (c *Control) call(index int32) {
	back := c.callbacks[index]
	if back.every > 0 {
		c.run.agenda.add(c.run.now+back.every, call, index, 0)
	}
	if err := back.do(); err != nil && c.run.err == nil {
		c.run.err = err
	}
}

// Engine is Application Auto Scaling. From the first call on its policies are evaluated once a period.
func (c *Control) Engine() (*tracking.Engine, error) {
	if c.engine != nil {
		return c.engine, nil
	}
	engine, err := tracking.New(tracking.Config{
		ResourceID:  resourceID,
		Bounds:      c.bounds,
		Assumptions: c.run.a.Tracking,
		Metrics:     &c.run.board,
		NewID:       c.newID,
	})
	if err != nil {
		return nil, err
	}
	c.engine = engine
	c.Every(c.run.a.Period(), c.run.a.Tracking.EvaluationOffset, func() error {
		c.obey(engine.Evaluate(c.Now(), c.Capacity()))
		return nil
	})
	return engine, nil
}

func (c *Control) newID() string {
	c.ids++
	return strconv.Itoa(c.ids)
}

func (c *Control) obey(d tracking.Decision) {
	if d.Changed {
		c.run.setDesired(d.Desired)
	}
}

// Capacity is what DescribeServices tells of the service.
func (c *Control) Capacity() tracking.Capacity {
	f := &c.run.fleet
	return tracking.Capacity{Desired: f.desired, Running: f.running, Pending: len(f.active) - f.running}
}

// Bounds are the present MinCapacity and MaxCapacity.
func (c *Control) Bounds() tracking.Bounds { return c.bounds }

// SetBounds is RegisterScalableTarget: the bounds change at once, and the task count with them if it lies outside.
func (c *Control) SetBounds(b tracking.Bounds) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	decision, err := engine.SetBounds(c.Now(), b, c.Capacity())
	if err != nil {
		return err
	}
	c.bounds = b
	c.obey(decision)
	return nil
}

// ScheduleBounds is PutScheduledAction with a single moment, a while from now: then MinCapacity, MaxCapacity or both
// move; nil keeps one. Put again under the same name before, it replaces the earlier one.
func (c *Control) ScheduleBounds(name string, in time.Duration, minimum, maximum *int) {
	if c.scheduled == nil {
		c.scheduled = map[string]int{}
	}
	c.scheduled[name]++
	put := c.scheduled[name]
	c.After(in, func() error {
		if c.scheduled[name] != put {
			return nil
		}
		engine, err := c.Engine()
		if err != nil {
			return err
		}
		decision, err := engine.Scheduled(c.Now(), name, minimum, maximum, c.Capacity())
		if err != nil {
			return err
		}
		c.bounds = engine.Bounds()
		c.obey(decision)
		return nil
	})
}

// SetDesired is UpdateService with a desired count, held within the bounds: for scalers that are not Application Auto
// Scaling.
func (c *Control) SetDesired(n int) {
	c.run.setDesired(min(max(n, c.bounds.Min), c.bounds.Max))
}

// Look is GetQueueAttributes: the counts of a moment ago, as long ago as Assumptions.Staleness says, and as wrong as
// CountNoise and CountZeros say.
func (c *Control) Look() Counts {
	seen := c.counts()
	a, random := c.run.a, c.run.looks
	if a.CountZeros > 0 && random.Float64() < a.CountZeros {
		return Counts{}
	}
	if a.CountNoise > 0 {
		noisy := func(n int) int { return int(math.Round(float64(n) * (1 + a.CountNoise*(2*random.Float64()-1)))) }
		return Counts{noisy(seen.Visible), noisy(seen.InFlight)}
	}
	return seen
}

func (c *Control) counts() Counts {
	if c.run.a.Staleness == 0 {
		return Counts{c.run.visible, c.run.inFlight}
	}
	c.looking = true
	old := counts{}
	for len(c.history) > 0 && c.history[0].at <= c.run.now-c.run.a.Staleness {
		old = c.history[0]
		if len(c.history) == 1 || c.history[1].at > c.run.now-c.run.a.Staleness {
			break // it is still the newest that is old enough: the next look may need it
		}
		c.history = c.history[1:]
	}
	return Counts{old.visible, old.inFlight}
}

// counted keeps the counts for later looks.
func (r *run) counted() {
	c := r.control
	if !c.looking {
		return
	}
	c.history = append(c.history, counts{r.now, r.visible, r.inFlight})
}

// Datapoints returns the newest n datapoints of a metric that can be read now, oldest first, NaN where there is none.
// The last is of the last full period.
func (c *Control) Datapoints(m tracking.Metric, n int) []float64 {
	values := make([]float64, n)
	interval := c.run.a.Period()
	full := c.run.now.Truncate(interval)
	from := epoch.Add(full).Add(-time.Duration(n) * interval)
	c.run.board.Read(m.Key(), from, interval, c.Now(), values)
	return values
}

// Publish is PutMetricData: a datapoint of the period that is running, averaged with others of the same period.
func (c *Control) Publish(m tracking.Metric, value float64) {
	key := m.Key()
	if c.custom == nil {
		c.custom = map[string]*custom{}
	}
	own := c.custom[key]
	if own == nil {
		own = &custom{points: c.run.board.add(m, c.run.feeds.workerDelay)}
		own.points.next = int(c.run.now / c.run.a.Period())
		c.custom[key] = own
	}
	own.sum += value
	own.count++
}

// Note keeps a value for the pictures, such as a target; it is held until the next note of that name.
func (c *Control) Note(name string, value float64) {
	if c.notes == nil {
		c.notes = map[string]float64{}
	}
	c.notes[name] = value
}

func (c *Control) endPeriod() {
	for _, own := range c.custom {
		if own.count == 0 {
			own.points.record(math.NaN())
			continue
		}
		own.points.record(own.sum / float64(own.count))
		own.sum, own.count = 0, 0
	}
	c.run.result.Series.note(c.notes)
}

// Measurement is what the worker's MsgProcessingDuration tells of a stretch of time.
type Measurement struct {
	Samples int
	Mean    time.Duration
	CV      float64 // coefficient of variation, as percentiles of the metric would tell it
}

// Measured is MsgProcessingDuration over the window that ends now, as far as CloudWatch can tell it.
func (c *Control) Measured(window time.Duration) Measurement {
	var sum measurement
	for _, m := range c.readable(window, c.run.feeds.workerDelay) {
		sum.work += m.work
		sum.squares += m.squares
		sum.samples += m.samples
	}
	return sum.summary()
}

// History is what CloudWatch tells of each full period of the window that ends now, oldest first: the messages sent,
// and the mean processing duration of the messages completed (0 without any).
func (c *Control) History(window time.Duration) (sent []float64, processing []time.Duration) {
	for _, m := range c.readable(window, max(c.run.feeds.workerDelay, c.run.feeds.sent.delay)) {
		sent = append(sent, float64(m.sent))
		processing = append(processing, m.summary().Mean)
	}
	return sent, processing
}

// Recent is what can be measured of each of the newest n full periods, oldest first, and when the first of them began.
// At the start there are fewer.
func (c *Control) Recent(n int) (periods []Measurement, since time.Duration) {
	interval := c.run.a.Period()
	last := min(len(c.run.measured), int(max(0, c.run.now-c.run.feeds.workerDelay)/interval))
	first := max(0, last-n)
	for _, m := range c.run.measured[first:last] {
		periods = append(periods, m.summary())
	}
	return periods, time.Duration(first) * interval
}

// readable returns the periods that begin within the window and can be read by now.
func (c *Control) readable(window, delay time.Duration) []measurement {
	interval := c.run.a.Period()
	last := min(len(c.run.measured), int(max(0, c.run.now-delay)/interval))
	first := min(last, int(max(0, c.run.now-window)/interval))
	return c.run.measured[first:last]
}

// measurement is what happened in a period.
type measurement struct {
	sent          int
	work, squares float64 // sums over the messages completed, in seconds
	samples       int
}

func (m measurement) summary() Measurement {
	if m.samples == 0 {
		return Measurement{}
	}
	n := float64(m.samples)
	mean := m.work / n
	variance := max(0, m.squares/n-mean*mean)
	return Measurement{
		Samples: m.samples, Mean: time.Duration(mean * float64(time.Second)), CV: math.Sqrt(variance) / mean,
	}
}

// String describes the control for errors.
func (c *Control) String() string {
	return fmt.Sprintf(
		"%d tasks wanted, %d running, %d waiting",
		c.run.fleet.desired,
		c.run.fleet.running,
		c.run.visible,
	)
}

package simulation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Scenario is everything but the policy: what is compared must share it.
type Scenario struct {
	Load        *Load
	Assumptions Assumptions
	// Delay is the promise: the longest time that a message may wait.
	Delay time.Duration
	// Processing is what the operator believes a message takes at the start; 0 takes the mean of the load.
	Processing time.Duration
	// Concurrency is how many messages a task works on at once; 0 is 1.
	Concurrency int
	// Bounds of the task count.
	Bounds tracking.Bounds
	// Tasks run at the start; 0 takes the load's mean demand.
	Tasks int
	// Seed of what is random in the run: start-up times, Spot, wrong readings.
	Seed uint64
	// Progress, if not nil, is called once a simulated day and at the end with the share of the run that is done.
	Progress func(share float64)
}

// Complete fills in what is left to the load, and checks everything.
func (s Scenario) Complete() (Scenario, error) {
	if s.Load == nil {
		return s, errors.New("a scenario needs a load")
	}
	if err := s.Load.Validate(); err != nil {
		return s, err
	}
	if s.Concurrency == 0 {
		s.Concurrency = 1
	}
	if s.Processing == 0 {
		s.Processing = s.Load.MeanWork()
	}
	if s.Tasks == 0 {
		s.Tasks = int(math.Round(s.Load.MeanDemand() / float64(s.Concurrency)))
	}
	switch {
	case s.Delay <= 0:
		return s, fmt.Errorf("the acceptable delay is %v; it must be more than 0", s.Delay)
	case s.Concurrency < 0 || s.Processing < 0:
		return s, fmt.Errorf("concurrency %d, processing %v: both must be more than 0", s.Concurrency, s.Processing)
	case s.Bounds.Min < 0 || s.Bounds.Max < max(1, s.Bounds.Min):
		return s, fmt.Errorf(
			"tasks from %d to %d: the bounds must ascend and allow one task",
			s.Bounds.Min,
			s.Bounds.Max,
		)
	}
	s.Tasks = min(max(s.Tasks, s.Bounds.Min), s.Bounds.Max)
	return s, s.Assumptions.Validate()
}

// Policy is a way to choose the number of tasks.
type Policy interface {
	// Name is short and unique among the policies of a comparison.
	Name() string
	// Begin is called once at the start of a run. It puts scaling policies into the engine, or asks to be called at
	// times of its own. It keeps no state of the run in the policy, which may serve several runs at once.
	Begin(c *Control) error
}

// Settler is a Policy that comes with a worker of its own, such as one that does not drain.
type Settler interface {
	Settle(a Assumptions) Assumptions
}

// mark of a message.
const (
	begun  uint8 = 1 << iota // a worker has started it at least once
	shown                    // it is visible: in the queue
	flying                   // it is in flight
	done                     // it is deleted
)

// run is the state of one run.
type run struct {
	ctx         context.Context
	load        *Load
	a           Assumptions
	delay       time.Duration
	concurrency int
	scenario    Scenario

	now     time.Duration
	agenda  agenda
	arrived int // messages sent so far
	open    int // messages sent and not done
	queue   queue
	mark    []uint8
	fleet   fleet

	visible, inFlight, busy int
	period                  tally
	board                   board
	feeds                   feeds
	measured                []measurement
	readings, looks         *rand.Rand
	control                 *Control
	direction               int // of the last action
	result                  *Result
	err                     error // of a policy, which ends the run
}

// Run simulates a policy. It ends when the load's time is over and every message is done, or when messages that are
// left have had far more time than anyone would wait.
func Run(ctx context.Context, s Scenario, p Policy) (*Result, error) {
	if settler, ok := p.(Settler); ok {
		s.Assumptions = settler.Settle(s.Assumptions)
	}
	s, err := s.Complete()
	if err != nil {
		return nil, err
	}
	r := newRun(ctx, s)
	r.result.Policy = p.Name()
	if err := r.begin(p); err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.Name(), err)
	}
	if err := r.loop(); err != nil {
		return nil, fmt.Errorf("policy %s, %v after the start: %w", p.Name(), r.now, err)
	}
	r.close()
	return r.result, nil
}

func newRun(ctx context.Context, s Scenario) *run {
	r := &run{
		ctx: ctx, load: s.Load, a: s.Assumptions, delay: s.Delay, concurrency: s.Concurrency, scenario: s,
		mark:     make([]uint8, len(s.Load.At)),
		queue:    &standardQueue{},
		board:    board{period: s.Assumptions.Period(), metrics: map[string]*datapoints{}},
		readings: stream(s.Seed, streamReadings),
		looks:    stream(s.Seed, streamLooks),
		result:   newResult(s),
	}
	if s.Load.Group != nil {
		r.queue = newFIFO(s.Load.Group)
	}
	r.fleet.startUp, r.fleet.spot = stream(s.Seed, streamStartUp), stream(s.Seed, streamSpot)
	r.feeds = newFeeds(&r.board, s.Assumptions)
	r.control = &Control{run: r, bounds: s.Bounds}
	return r
}

// begin starts with the tasks of the scenario running, as if they had been for long.
func (r *run) begin(p Policy) error {
	r.fleet.desired = r.scenario.Tasks
	r.reconcile()
	r.agenda = agenda{}
	for id := range r.fleet.tasks {
		r.started(int32(id))
		if r.fleet.tasks[id].spot {
			r.agenda.add(exponential(r.fleet.spot, r.a.SpotLife), warning, int32(id), 0)
		}
	}
	r.agenda.add(r.a.Period(), period, 0, 0)
	return p.Begin(r.control)
}

// patience is how long after the end of the load a run waits for messages that are left.
const patience = 2 * time.Hour

func (r *run) loop() error {
	end := r.load.Length
	for r.err == nil {
		if r.arrived < len(r.load.At) && (r.load.At[r.arrived] < r.agenda.events[0].at) {
			r.advance(r.load.At[r.arrived])
			r.arrive(int32(r.arrived))
			continue
		}
		next := r.agenda.take()
		if next.at > end && (r.open == 0 && r.arrived == len(r.load.At) || next.at > end+patience) {
			r.advance(max(r.now, end))
			return nil
		}
		r.advance(next.at)
		r.happen(next)
	}
	return r.err
}

func (r *run) happen(e event) {
	switch e.kind {
	case finish:
		r.finished(e.a, e.b)
	case ready:
		r.started(e.a)
	case reappear:
		r.reappeared(e.b)
	case warning:
		r.warned(e.a)
	case kill:
		r.killed(e.a)
	case period:
		r.endPeriod()
	case call:
		r.control.call(e.a)
	}
}

// advance moves the clock and keeps the sums that mean values are made of.
func (r *run) advance(to time.Duration) {
	r.period.add(to-r.now, r.visible, r.inFlight, r.fleet.running, r.busy)
	r.now = to
}

func (r *run) arrive(message int32) {
	r.arrived++
	r.open++
	r.period.sent++
	r.show(message)
}

// show makes a message visible, and lets a free worker take the next one.
func (r *run) show(message int32) {
	r.mark[message] |= shown
	r.visible++
	r.queue.push(message)
	r.counted()
	r.match()
}

// match lets workers that wait receive what is visible.
func (r *run) match() {
	for r.visible > 0 {
		id, ok := r.freeSlot()
		if !ok {
			return
		}
		if !r.receive(id) {
			r.fleet.free.push(id)
			return
		}
	}
}

// freeSlot takes a slot that waits for a message.
func (r *run) freeSlot() (int32, bool) {
	for {
		id, ok := r.fleet.free.pop()
		if !ok || r.accepts(&r.fleet.tasks[id]) {
			return id, ok
		}
	}
}

// offer gives a free slot of a task the next message, or lets it wait. A slot offered twice does no harm: the task
// takes no more messages than it has room for.
func (r *run) offer(id int32) {
	if r.accepts(&r.fleet.tasks[id]) && !r.receive(id) {
		r.fleet.free.push(id)
	}
}

// receive takes the next message for a task. It reports whether there was one.
func (r *run) receive(id int32) bool {
	for {
		message, ok := r.queue.pop()
		if !ok {
			return false
		}
		if r.mark[message]&done != 0 {
			r.queue.settle(message) // deleted while it was visible again
			continue
		}
		r.process(id, message)
		return true
	}
}

func (r *run) process(id, message int32) {
	t := &r.fleet.tasks[id]
	work := r.load.Work[message]
	if r.mark[message]&begun == 0 {
		r.waited(r.now - r.load.At[message])
	}
	r.mark[message] = begun | flying
	r.visible--
	r.inFlight++
	r.busy++
	t.busy++
	if work > r.a.StopTimeout {
		if t.long == 0 {
			t.protectedSince = r.now
		}
		t.long++
	}
	r.agenda.add(r.now+work, finish, id, message)
	if !r.a.Heartbeat && work > r.a.VisibilityTimeout {
		r.agenda.add(r.now+r.a.VisibilityTimeout, reappear, 0, message)
	}
	r.counted()
}

// waited records the wait of a message that a worker starts for the first time.
func (r *run) waited(wait time.Duration) {
	r.result.Waits.Add(wait)
	r.period.wait(wait, wait <= r.delay)
	if wait <= r.delay {
		r.result.Within++
	}
}

func (r *run) finished(id, message int32) {
	t := &r.fleet.tasks[id]
	if t.state == stopped {
		return // killed before it came to this
	}
	work := r.load.Work[message]
	t.busy--
	r.busy--
	if work > r.a.StopTimeout {
		t.long--
	}
	r.complete(message, work)
	r.afterwards(id)
}

// complete deletes a message, or counts its work as doubled if that has happened before.
func (r *run) complete(message int32, work time.Duration) {
	mark := r.mark[message]
	if mark&done != 0 {
		r.result.Doubled += work
		r.result.DoubledMessages++
		return
	}
	if mark&shown != 0 {
		r.visible--
	}
	if mark&flying != 0 {
		r.inFlight--
	}
	r.mark[message] = begun | done
	r.open--
	r.period.finished(work)
	r.queue.settle(message)
	r.counted()
	r.match() // a group may have opened for a worker that waits
}

// afterwards decides what the task does with the slot that became free.
func (r *run) afterwards(id int32) {
	t := &r.fleet.tasks[id]
	if t.state == stopping && t.busy == 0 && r.a.Drains {
		r.gone(id)
		return
	}
	if t.state == running {
		if len(r.fleet.active) > r.fleet.desired {
			r.reconcile()
		}
		r.endSpell(t)
	}
	if t.busy == 0 {
		r.offerAll(id) // slots stood empty if it drained
	} else {
		r.offer(id)
	}
}

// endSpell ends a long protection: the task takes no more messages until those in hand are done.
func (r *run) endSpell(t *task) {
	switch {
	case t.draining && t.busy == 0:
		t.draining = false
	case t.long > 0 && r.a.Protection && r.now-t.protectedSince > r.a.ProtectionSpell:
		t.draining = true
	}
}

func (r *run) offerAll(id int32) {
	for range r.concurrency {
		r.offer(id)
	}
}

// reappeared makes a message visible again whose visibility timeout ran out.
func (r *run) reappeared(message int32) {
	if r.mark[message]&(done|shown) != 0 {
		return
	}
	if r.mark[message]&flying != 0 {
		r.mark[message] &^= flying
		r.inFlight--
	}
	r.queue.settle(message)
	r.show(message)
}

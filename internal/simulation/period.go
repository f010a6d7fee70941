package simulation

import (
	"math"
	"time"
)

// tally is what happened in the current period.
type tally struct {
	length                           time.Duration // so far
	visible, inFlight, running, busy float64       // integrals over time, in seconds
	mostVisible, mostInFlight        int
	sent, completed, started, inTime int
	work, waits, longest             time.Duration
	squares                          float64 // of the work, in square seconds
}

func (t *tally) add(dt time.Duration, visible, inFlight, running, busy int) {
	if dt == 0 {
		return
	}
	seconds := dt.Seconds()
	t.length += dt
	t.visible += seconds * float64(visible)
	t.inFlight += seconds * float64(inFlight)
	t.running += seconds * float64(running)
	t.busy += seconds * float64(busy)
	t.mostVisible, t.mostInFlight = max(t.mostVisible, visible), max(t.mostInFlight, inFlight)
}

func (t *tally) wait(wait time.Duration, inTime bool) {
	t.started++
	t.waits += wait
	t.longest = max(t.longest, wait)
	if inTime {
		t.inTime++
	}
}

func (t *tally) finished(work time.Duration) {
	t.completed++
	t.work += work
	t.squares += work.Seconds() * work.Seconds()
}

func (t *tally) measurement() measurement {
	return measurement{sent: t.sent, work: t.work.Seconds(), squares: t.squares, samples: t.completed}
}

// feeds are the metrics that a run publishes.
type feeds struct {
	visible, mostVisible, inFlight, mostInFlight, sent *datapoints
	running, cpu                                       *datapoints
	workerDelay                                        time.Duration
}

func newFeeds(b *board, a Assumptions) feeds {
	sqs, tasks := a.delay(a.SQSDelay), a.delay(a.TaskDelay)
	return feeds{
		visible:      b.add(Visible("Average"), sqs),
		mostVisible:  b.add(Visible("Maximum"), sqs),
		inFlight:     b.add(InFlight("Average"), sqs),
		mostInFlight: b.add(InFlight("Maximum"), sqs),
		sent:         b.add(Sent(), sqs),
		running:      b.add(RunningTasks(), tasks),
		cpu:          b.add(CPU(), tasks),
		workerDelay:  a.delay(a.WorkerDelay),
	}
}

// endPeriod publishes the period's metrics, writes it into the result, and begins the next.
func (r *run) endPeriod() {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	r.publish()
	r.measured = append(r.measured, r.period.measurement())
	if r.now <= r.load.Length {
		r.result.Series.add(&r.period, r.fleet.desired, len(r.fleet.active)-r.fleet.running, r.control.bounds)
	}
	r.control.endPeriod()
	r.period = tally{}
	r.agenda.add(r.now+r.a.Period(), period, 0, 0)
	if r.scenario.Progress != nil && r.now%(24*time.Hour) < r.a.Period() {
		r.scenario.Progress(min(1, float64(r.now)/float64(r.load.Length)))
	}
}

func (r *run) publish() {
	t := &r.period
	seconds := t.length.Seconds()
	visible, mostVisible := t.visible/seconds, float64(t.mostVisible)
	inFlight, mostInFlight, tasks := t.inFlight/seconds, float64(t.mostInFlight), t.running/seconds
	if r.a.Sampling == AtEnd {
		visible, mostVisible = float64(r.visible), float64(r.visible)
		inFlight, mostInFlight, tasks = float64(r.inFlight), float64(r.inFlight), float64(r.fleet.running)
	}
	if r.a.TransientReadings > 0 && r.readings.Float64() < r.a.TransientReadings {
		visible = max(visible, float64(r.a.TransientCount))
		mostVisible = max(mostVisible, float64(r.a.TransientCount))
	}
	r.feeds.visible.record(visible)
	r.feeds.mostVisible.record(mostVisible)
	r.feeds.inFlight.record(inFlight)
	r.feeds.mostInFlight.record(mostInFlight)
	r.feeds.sent.record(float64(t.sent))
	r.feeds.running.record(tasks)
	cpu := math.NaN()
	if t.running > 0 {
		cpu = r.a.BusyCPU * t.busy / (t.running * float64(r.concurrency))
	}
	r.feeds.cpu.record(min(cpu, 100))
}

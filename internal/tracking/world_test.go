package tracking

import (
	"fmt"
	"math"
	"time"
)

// epoch is a full minute at which the tests begin.
var epoch = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// ids returns a source of numbered identifiers.
func ids() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("id-%d", n)
	}
}

// fatal is what *testing.T, *testing.B and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

const resource = "service/jobs/worker"

// metric is a metric with one dimension.
func metric(name string) Metric {
	return Metric{Namespace: "Test", Name: name, Stat: "Average", Dimensions: []Dimension{{"QueueName", "jobs"}}}
}

// templateBacklog and templateRate are the metric math of this project's two policies: nothing is read out of a
// datapoint before all that it needs is known, and a task count that is late is taken from before.
func templateBacklog() []MetricQuery {
	visible, inFlight, tasks := metric("Visible"), metric("InFlight"), metric("Tasks")
	return []MetricQuery{
		{ID: "visible", Metric: &visible},
		{ID: "inFlight", Metric: &inFlight},
		{ID: "running", Metric: &tasks},
		{ID: "tasks", Expression: "FILL(running, REPEAT)"},
		{
			ID: "backlogPerTask", ReturnData: true,
			Expression: "IF(visible >= 0 AND inFlight >= 0 AND tasks >= 0, (visible + inFlight) / IF(tasks > 1, " +
				"tasks, 1))",
		},
	}
}

func templateRate() []MetricQuery {
	sent, tasks := metric("Sent"), metric("Tasks")
	return []MetricQuery{
		{ID: "sent", Metric: &sent},
		{ID: "running", Metric: &tasks},
		{ID: "tasks", Expression: "FILL(running, REPEAT)"},
		{ID: "ratePerTask", ReturnData: true,
			Expression: "IF(sent >= 0 AND tasks >= 0, sent / IF(tasks > 1, tasks, 1))"},
	}
}

// world is a queue of jobs of one length and the tasks that work on it, moved on second by second, with an engine that
// scales it. It is a model to show target tracking with, not a simulation of ECS: messages are a fluid.
type world struct {
	engine *Engine
	store  *Memory
	assume Assumptions
	delays map[string]time.Duration // publication delay of a metric, by name; the default of the assumptions otherwise
	lost   map[string]func(at time.Duration) bool

	arrivals func(at time.Duration) float64 // messages a second
	duration func(at time.Duration) float64 // seconds a message takes
	startUp  time.Duration                  // of a task

	elapsed  time.Duration
	queue    float64 // visible messages
	desired  int
	started  []time.Duration // when each task began to start
	sums     map[string]float64
	samples  int
	trace    []sample
	states   []alarmsAt
	activity []Activity
}

// sample is the state at one moment, taken every few seconds.
type sample struct {
	at               time.Duration
	desired, running int
	queue, wait      float64 // messages, seconds that the newest will wait
}

// alarmsAt are the alarms as the evaluation at that moment left them.
type alarmsAt struct {
	at     time.Duration
	alarms []AlarmStatus
}

// newWorld returns a world in which `tasks` tasks run.
func newWorld(t fatal, assume Assumptions, bounds Bounds, tasks int) *world {
	t.Helper()
	w := &world{
		assume: assume, store: NewMemory(assume.Period, 512), startUp: 45 * time.Second, desired: tasks,
		delays: map[string]time.Duration{}, lost: map[string]func(time.Duration) bool{}, sums: map[string]float64{},
		arrivals: func(time.Duration) float64 { return 0 },
		duration: func(time.Duration) float64 { return 5 },
	}
	engine, err := New(Config{ResourceID: resource, Bounds: bounds, Assumptions: assume, Metrics: w.store,
		NewID: ids()})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = engine
	for range tasks {
		w.started = append(w.started, -time.Hour)
	}
	return w
}

// track puts a target tracking policy.
func (w *world) track(t fatal, name string, target float64, queries []MetricQuery) {
	t.Helper()
	if err := w.engine.PutTargetTracking(w.now(), TargetTracking{Name: name, Target: target,
		Metrics: queries}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) now() time.Time { return epoch.Add(w.elapsed) }

func (w *world) capacity() Capacity {
	running := 0
	for _, started := range w.started {
		if w.elapsed-started >= w.startUp {
			running++
		}
	}
	return Capacity{Desired: w.desired, Running: running, Pending: len(w.started) - running}
}

// run moves the world on, evaluating once a period.
func (w *world) run(d time.Duration) {
	const tick = time.Second
	for end := w.elapsed + d; w.elapsed < end; w.elapsed += tick {
		if w.elapsed%w.assume.Period == 0 && w.elapsed > 0 {
			w.publish()
		}
		if (w.elapsed-w.assume.EvaluationOffset)%w.assume.Period == 0 && w.elapsed > 0 {
			w.apply(w.engine.Evaluate(w.now(), w.capacity()))
			w.states = append(w.states, alarmsAt{w.elapsed, w.engine.Alarms()})
		}
		w.second(tick)
	}
}

func (w *world) second(tick time.Duration) {
	c, seconds := w.capacity(), tick.Seconds()
	sent, perTask := w.arrivals(w.elapsed)*seconds, seconds/w.duration(w.elapsed)
	processed := min(w.queue+sent, float64(c.Running)*perTask)
	w.queue += sent - processed
	w.sums["Sent"] += sent
	w.sums["Visible"] += w.queue
	w.sums["InFlight"] += processed / perTask
	w.sums["Tasks"] += float64(c.Running)
	w.samples++
	if w.elapsed%(5*time.Second) == 0 {
		wait := w.queue * w.duration(w.elapsed) / max(float64(c.Running), 1)
		w.trace = append(w.trace, sample{at: w.elapsed, desired: c.Desired, running: c.Running, queue: w.queue,
			wait: wait})
	}
}

// publish closes a period: Sent is a sum, the others are averages.
func (w *world) publish() {
	start := w.now().Add(-w.assume.Period)
	for name, sum := range w.sums {
		if lost := w.lost[name]; lost != nil && lost(w.elapsed) {
			continue
		}
		delay, ok := w.delays[name]
		if !ok {
			delay = w.assume.PublicationDelay
		}
		if name != "Sent" {
			sum /= float64(w.samples)
		}
		w.store.Put(metric(name).Key(), start, sum, w.now().Add(delay))
	}
	clear(w.sums)
	w.samples = 0
}

// apply does what ECS does: it starts tasks, or stops the newest.
func (w *world) apply(d Decision) {
	for _, a := range d.Activities {
		known := false
		for i := range w.activity {
			if w.activity[i].ID == a.ID {
				w.activity[i], known = a, true
			}
		}
		if !known {
			w.activity = append(w.activity, a)
		}
	}
	w.desired = d.Desired
	for len(w.started) < w.desired {
		w.started = append(w.started, w.elapsed)
	}
	w.started = w.started[:w.desired]
}

// changes are the activities that changed the desired count.
func (w *world) changes() []Activity {
	var all []Activity
	for _, a := range w.activity {
		if a.NotScaled == nil && a.From != a.To {
			all = append(all, a)
		}
	}
	return all
}

// feed is a metric store that tests fill value by value: the datapoint i periods after epoch, readable at once.
type feed struct{ *Memory }

func newFeed(period time.Duration) feed { return feed{NewMemory(period, 128)} }

// set puts values for consecutive periods from epoch on; NaN is skipped.
func (f feed) set(name string, values ...float64) {
	for i, v := range values {
		start := epoch.Add(time.Duration(i) * f.period)
		if !math.IsNaN(v) {
			f.Put(metric(name).Key(), start, v, start.Add(f.period))
		}
	}
}

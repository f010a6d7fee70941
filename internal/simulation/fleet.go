package simulation

import (
	"math/rand/v2"
	"slices"
	"time"
)

type taskState uint8

const (
	starting taskState = iota
	running            // takes messages
	stopping           // has had its SIGTERM
	stopped
)

// task is one Fargate task.
type task struct {
	launched       time.Duration
	protectedSince time.Duration
	busy           int32 // messages in hand
	long           int32 // of them, those that take longer than stopTimeout
	state          taskState
	spot           bool
	draining       bool // takes no more messages until all in hand are done
}

// fleet is the service's tasks.
type fleet struct {
	tasks   []task
	active  []int32 // starting and running tasks in the order of their launch
	running int     // tasks in state running
	desired int
	free    line // slots that wait for a message, by task; entries of tasks that left or drain are skipped

	startUp, spot *rand.Rand
}

// setDesired is UpdateService with a desired count.
func (r *run) setDesired(n int) {
	before := r.fleet.desired
	if n == before {
		return
	}
	r.fleet.desired = n
	r.result.Actions++
	direction := 1
	if n < before {
		direction = -1
	}
	if r.direction != 0 && direction != r.direction {
		r.result.Turns++
	}
	r.direction = direction
	r.reconcile()
}

// reconcile is the ECS service scheduler: it starts what is missing and stops what is too many.
func (r *run) reconcile() {
	for len(r.fleet.active) < r.fleet.desired {
		r.launch()
	}
	for len(r.fleet.active) > r.fleet.desired {
		victim := r.victim()
		if victim < 0 {
			return // the others are protected; finished messages bring us back here
		}
		r.stop(r.fleet.active[victim])
	}
}

func (r *run) launch() {
	f := &r.fleet
	id := int32(len(f.tasks))
	spot := r.a.SpotShare > 0 && f.spot.Float64() < r.a.SpotShare
	f.tasks = append(f.tasks, task{launched: r.now, spot: spot})
	f.active = append(f.active, id)
	r.agenda.add(r.now+lognormal(f.startUp, r.a.StartUp, r.a.StartUpCV), ready, id, 0)
	if spot {
		r.agenda.add(r.now+exponential(f.spot, r.a.SpotLife), warning, id, 0)
	}
	r.result.Launches++
}

// victim picks which active task is stopped next: the newest that is still starting, else the newest (or oldest)
// running one that is not protected. -1 if there is none.
func (r *run) victim() int {
	f := &r.fleet
	choice := -1
	for i := len(f.active) - 1; i >= 0; i-- {
		t := &f.tasks[f.active[i]]
		if t.state == starting {
			return i
		}
		if r.a.Protection && t.long > 0 {
			continue
		}
		if choice < 0 || r.a.Victim == Oldest {
			choice = i
		}
	}
	return choice
}

// stop sends SIGTERM.
func (r *run) stop(id int32) {
	f := &r.fleet
	t := &f.tasks[id]
	for i, active := range f.active {
		if active == id {
			f.active = append(f.active[:i], f.active[i+1:]...)
			break
		}
	}
	if t.state == running {
		f.running--
		r.supplied()
	}
	if t.state == starting || t.busy == 0 && r.a.Drains {
		r.gone(id)
		return
	}
	t.state = stopping
	grace := r.a.StopTimeout
	if t.spot {
		grace = min(grace, r.a.SpotWarning)
	}
	r.agenda.add(r.now+grace, kill, id, 0)
}

// gone ends a task and its bill.
func (r *run) gone(id int32) {
	t := &r.fleet.tasks[id]
	t.state = stopped
	r.bill(t.launched, min(r.now, r.load.Length))
}

// bill adds a task's time from launch to end.
func (r *run) bill(from, to time.Duration) {
	if from < r.load.Length {
		r.result.Billed += max(to-from, r.a.Prices.LeastBilled)
	}
}

// killed is SIGKILL: what the task worked on comes back to the queue after its visibility timeout.
func (r *run) killed(id int32) {
	t := &r.fleet.tasks[id]
	if t.state != stopping {
		return
	}
	for _, e := range slices.Clone(r.agenda.events) {
		if e.kind != finish || e.a != id {
			continue
		}
		received := e.at - r.load.Work[e.b]
		r.result.Doubled += r.now - received
		r.result.DoubledMessages++
		r.agenda.add(r.expiry(received), reappear, 0, e.b)
	}
	r.busy -= int(t.busy)
	r.gone(id)
}

// expiry is when a message whose worker dies now is visible again.
func (r *run) expiry(received time.Duration) time.Duration {
	if r.a.Heartbeat {
		return r.now + r.a.VisibilityTimeout
	}
	return max(r.now, received+r.a.VisibilityTimeout)
}

// accepts tells whether a task may take a message.
func (r *run) accepts(t *task) bool {
	if int(t.busy) >= r.concurrency || t.draining {
		return false
	}
	return t.state == running || t.state == stopping && !r.a.Drains
}

// started brings a task into service.
func (r *run) started(id int32) {
	t := &r.fleet.tasks[id]
	if t.state != starting {
		return
	}
	t.state = running
	r.fleet.running++
	r.supplied()
	r.offerAll(id)
}

// supplied notes that the number of running tasks changed.
func (r *run) supplied() {
	r.result.Supply = append(r.result.Supply, Step{r.now, r.fleet.running})
}

// warned is the notice of Spot that it takes the task back.
func (r *run) warned(id int32) {
	if state := r.fleet.tasks[id].state; state == starting || state == running {
		r.stop(id)
		r.reconcile()
	}
}

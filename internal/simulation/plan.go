package simulation

import (
	"slices"
	"time"
)

// Plan is a schedule of somebody who knows all arrivals and all work beforehand: every message starts within the delay.
// It is what scaling is measured against. No system can plan so, and the sum of the work is a bound that even it cannot
// reach; nobody has to believe that it is the cheapest of all such plans, only that it exists.
type Plan struct {
	Billed   time.Duration // task time that is paid for, each start included
	Launches int
	Demand   []Step // tasks that are needed over time, without their start-up: d(t) of the elasticity metrics
}

// Clairvoyant plans with tasks that are billed from their launch, a start-up earlier than they are needed, and for a
// minute at least. So a task that will be needed again soon is kept.
//
// Messages start in the order of their arrival. A task is added at the arrival of the first message that would start
// too late otherwise. A task that idles is let go when it idles for longer than a start-up costs, or when the others
// can do, without a late message, what arrives within that time: then letting it go and launching another when it is
// needed is cheaper.
//
// With a concurrency of c the plan is made for slots, and a task is c of them.
func Clairvoyant(load *Load, delay time.Duration, concurrency int, a Assumptions) Plan {
	p := planner{load: load, delay: delay, restart: max(a.StartUp, time.Second)}
	for message := range load.At {
		p.leaveIdle(message)
		p.release(message)
		p.serve(message)
	}
	for len(p.slots) > 0 {
		p.remove()
	}
	return p.pack(concurrency, a)
}

// planner makes a plan.
type planner struct {
	load    *Load
	delay   time.Duration
	restart time.Duration // idle time that costs as much as a start

	slots  freeTimes // when each present slot is free
	trial  freeTimes // scratch of a look ahead
	keepTo time.Duration
	deltas []Step // +1 when a slot is needed, -1 when it is not any more
}

// leaveIdle removes slots that have idled for longer than a start costs.
func (p *planner) leaveIdle(message int) {
	for len(p.slots) > 0 && p.load.At[message]-p.slots[0] > p.restart {
		p.remove()
	}
}

// release removes idle slots that the others can do without.
func (p *planner) release(message int) {
	now := p.load.At[message]
	for len(p.slots) > 1 && p.slots[0] <= now && now >= p.keepTo {
		late, found := p.lateWithoutOne(message)
		if found {
			p.keepTo = p.load.At[late] // until then the same look would end the same way
			return
		}
		p.remove()
	}
}

// lateWithoutOne looks ahead: which message, if any, of those that arrive within the time of a start would be late with
// one slot less?
func (p *planner) lateWithoutOne(message int) (late int, found bool) {
	p.trial = append(p.trial[:0], p.slots...)
	p.trial.take()
	until := p.load.At[message] + p.restart
	for next := message; next < len(p.load.At) && p.load.At[next] <= until; next++ {
		at := p.load.At[next]
		start := max(at, p.trial[0])
		if start > at+p.delay {
			return next, true
		}
		p.trial.replace(start + p.load.Work[next])
	}
	return 0, false
}

// serve starts the message in the slot that is free first, or in a new one if that is too late.
func (p *planner) serve(message int) {
	at, work := p.load.At[message], p.load.Work[message]
	if len(p.slots) > 0 && p.slots[0] <= at+p.delay {
		p.slots.replace(max(at, p.slots[0]) + work)
		return
	}
	p.slots.add(at + work)
	p.deltas = append(p.deltas, Step{at, 1})
}

func (p *planner) remove() {
	p.deltas = append(p.deltas, Step{p.slots.take(), -1})
}

// pack turns the slots into tasks and the tasks into a bill. Tasks leave in the reverse order of their launch.
func (p *planner) pack(concurrency int, a Assumptions) Plan {
	slices.SortStableFunc(p.deltas, func(x, y Step) int { return int(x.At - y.At) })
	var plan Plan
	var launched []time.Duration
	slots := 0
	for i, delta := range p.deltas {
		slots += delta.Count
		if i+1 < len(p.deltas) && p.deltas[i+1].At == delta.At {
			continue
		}
		tasks := (slots + concurrency - 1) / concurrency
		for len(launched) < tasks {
			launched = append(launched, delta.At)
			plan.Launches++
		}
		for len(launched) > tasks {
			last := len(launched) - 1
			plan.Billed += max(delta.At-launched[last]+a.StartUp, a.Prices.LeastBilled)
			launched = launched[:last]
		}
		if len(plan.Demand) == 0 || plan.Demand[len(plan.Demand)-1].Count != tasks {
			plan.Demand = append(plan.Demand, Step{delta.At, tasks})
		}
	}
	return plan
}

// SumOfWork is the task time that no system can do with less: all work, in tasks that are always fully busy.
func SumOfWork(load *Load, concurrency int) time.Duration {
	return load.TotalWork() / time.Duration(concurrency)
}

// BestFixed is the least fixed task count that keeps a share of the promise, known in hindsight, and the share that it
// keeps.
func BestFixed(load *Load, delay time.Duration, concurrency int, share float64) (tasks int, kept float64) {
	low, high := 0, 1
	for keptByFixed(load, delay, high*concurrency) < share {
		low, high = high, 2*high
	}
	for high-low > 1 {
		middle := (low + high) / 2
		if keptByFixed(load, delay, middle*concurrency) < share {
			low = middle
		} else {
			high = middle
		}
	}
	return high, keptByFixed(load, delay, high*concurrency)
}

// keptByFixed is the share of messages that start within the delay with a fixed number of slots, in the order of their
// arrival (Kiefer and Wolfowitz' recursion).
func keptByFixed(load *Load, delay time.Duration, slots int) float64 {
	free := make(freeTimes, slots)
	within := 0
	for i, at := range load.At {
		start := max(at, free[0])
		if start <= at+delay {
			within++
		}
		free.replace(start + load.Work[i])
	}
	return float64(within) / float64(len(load.At))
}

// freeTimes is a binary heap of moments, the earliest first.
type freeTimes []time.Duration

func (f *freeTimes) add(at time.Duration) {
	h := append(*f, at)
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent] <= h[i] {
			break
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
	*f = h
}

// take removes the earliest.
func (f *freeTimes) take() time.Duration {
	h := *f
	first, last := h[0], h[len(h)-1]
	*f = h[:len(h)-1]
	if len(*f) > 0 {
		f.replace(last)
	}
	return first
}

// replace takes the earliest away and adds another.
func (f freeTimes) replace(at time.Duration) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(f) {
			break
		}
		if child+1 < len(f) && f[child+1] < f[child] {
			child++
		}
		if f[child] >= at {
			break
		}
		f[i] = f[child]
		i = child
	}
	f[i] = at
}

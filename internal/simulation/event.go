package simulation

import "time"

// kind says what happens at an event.
type kind uint8

const (
	finish   kind = iota // a message's processing ends: task a, message b
	ready                // a task starts to take messages: task a
	reappear             // a message whose visibility timeout ran out: message b
	warning              // Spot takes a task back: task a
	kill                 // stopTimeout is over: task a
	period               // a metric period ends
	call                 // a policy acts: callback a
)

// event is something that will happen. Events at the same moment happen in the order in which they were scheduled.
type event struct {
	at   time.Duration
	seq  uint32
	kind kind
	a, b int32
}

func (e event) before(o event) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// agenda is a binary heap of events. It is written out, because container/heap would allocate for each message.
type agenda struct {
	events []event
	seq    uint32
}

func (g *agenda) add(at time.Duration, k kind, a, b int32) {
	g.seq++
	g.events = append(g.events, event{at: at, seq: g.seq, kind: k, a: a, b: b})
	i := len(g.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !g.events[i].before(g.events[parent]) {
			return
		}
		g.events[i], g.events[parent] = g.events[parent], g.events[i]
		i = parent
	}
}

// take removes the earliest event. There must be one.
func (g *agenda) take() event {
	first := g.events[0]
	last := len(g.events) - 1
	moved := g.events[last]
	g.events = g.events[:last]
	i := 0
	for {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && g.events[child+1].before(g.events[child]) {
			child++
		}
		if !g.events[child].before(moved) {
			break
		}
		g.events[i] = g.events[child]
		i = child
	}
	if last > 0 {
		g.events[i] = moved
	}
	return first
}

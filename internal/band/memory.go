package band

import (
	"math"
	"time"
)

// Memory is what one look leaves for the next. The zero value remembers nothing.
type Memory struct {
	LookedAt time.Time `json:"lookedAt"` // of the last look, believed or not
	At       time.Time `json:"at"`       // of the last look that was believed
	Ceiling  float64   `json:"ceiling"`  // in tasks; its fraction must not be lost, or it would never sink
	Counts   []Count   `json:"counts"`   // of looks that were believed, oldest first
	// ZeroSince is when the counts began to read zero without a break; the zero time if they do not.
	ZeroSince time.Time `json:"zeroSince"`
}

// Count is what a look counted.
type Count struct {
	At       time.Time `json:"at"`
	Visible  int       `json:"visible"`
	InFlight int       `json:"inFlight"`
}

// slack is by how much a look may be late and still count as one of the last minute.
const slack = 0.25 // looks

// known is the memory without what is too old, or from the future, as of a look.
func (m Memory) known(s Settings, l Look) Memory {
	old := func(at time.Time) bool { return at.After(l.At) || l.At.Sub(at) > s.looks(forget) }
	switch {
	case old(m.LookedAt):
		return Memory{}
	case old(m.At): // only looks that were not believed since
		return Memory{LookedAt: m.LookedAt, ZeroSince: m.ZeroSince}
	}
	return m
}

// doubts says why a look should not be believed; empty if it should.
func (m Memory) doubts(s Settings, l Look) string {
	switch {
	case !l.empty():
		return ""
	case m.ZeroSince.IsZero():
		if m.cannotBeDone(s, l) {
			return "the counts read zero at once, which the tasks cannot have worked off"
		}
	case l.At.Sub(m.ZeroSince) >= s.looks(doubt):
		for _, sent := range l.Sent {
			within := !sent.From.Before(m.ZeroSince)
			if within && sent.Messages*l.ProcessingSeconds >= sent.PeriodSeconds {
				return "the counts have read zero for two minutes in which messages were sent"
			}
		}
	}
	return ""
}

// cannotBeDone tells whether more messages were there at the last look than the tasks can have worked off since.
func (m Memory) cannotBeDone(s Settings, l Look) bool {
	if len(m.Counts) == 0 {
		return false
	}
	last := m.Counts[len(m.Counts)-1]
	passed := l.At.Sub(last.At).Seconds()
	done := float64(l.Running) * float64(s.Concurrency) * passed / l.ProcessingSeconds
	return float64(last.Visible)+float64(last.InFlight) > done
}

// zero is the memory with the beginning of a stretch of zeros, or its end.
func (m Memory) zero(l Look) Memory {
	m.LookedAt = l.At
	switch {
	case !l.empty():
		m.ZeroSince = time.Time{}
	case m.ZeroSince.IsZero():
		m.ZeroSince = l.At
	}
	return m
}

// with is the memory after a look that is believed, its ceiling sunk. Looks that failed do not make it sink the more
// for it: between two looks it sinks for a minute at most.
func (m Memory) with(s Settings, l Look) Memory {
	after := m.zero(l)
	if m.At.IsZero() {
		after.Ceiling = float64(l.Desired)
	} else {
		passed := min(l.At.Sub(m.At).Seconds()/s.looks(minute).Seconds(), 1)
		after.Ceiling = m.Ceiling * math.Pow(1-s.decay(), passed)
	}
	longest := time.Duration(s.trendOver(l)*float64(time.Second)) + s.looks(slack)
	after.Counts = nil // m's own must not change
	for _, count := range m.Counts {
		if l.At.Sub(count.At) <= longest && count.At.Before(l.At) {
			after.Counts = append(after.Counts, count)
		}
	}
	after.Counts = append(after.Counts, Count{At: l.At, Visible: l.Visible, InFlight: l.InFlight})
	after.At = l.At
	return after
}

// trend is the mean number in flight, and by how many messages visible and in flight have grown, over the counts that
// are remembered, of which the last is the look's.
func (m Memory) trend(l Look) (busy, growth float64) {
	for _, count := range m.Counts {
		busy += float64(count.InFlight)
	}
	first := m.Counts[0]
	return busy / float64(len(m.Counts)),
		float64(l.Visible) + float64(l.InFlight) - float64(first.Visible) - float64(first.InFlight)
}

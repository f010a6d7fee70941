package simulation

import "time"

// Elasticity are the metrics of the SPEC research group on cloud computing (Herbst et al., "Ready for Rain? A View
// from SPEC Research on the Future of Cloud Metrics", SPEC-RG-2016-01), for a supply s(t) of running tasks and a
// demand d(t). The demand is the clairvoyant plan's: the tasks with which every message starts within the delay.
type Elasticity struct {
	// UnderAccuracy and OverAccuracy are theta_U and theta_O: how much is missing or too much, in percent of the
	// demand, averaged over time. Where nothing is demanded, a demand of one task stands in.
	UnderAccuracy, OverAccuracy float64
	// UnderTime and OverTime are tau_U and tau_O: the share of time, in percent, in which tasks are missing or too
	// many.
	UnderTime, OverTime float64
	// Instability is upsilon: the share of time, in percent, in which supply and demand do not move the same way, by
	// periods.
	Instability float64
}

// Measure compares supply with demand over a length of time. Both begin at 0 before their first step.
func Measure(demand, supply []Step, length, period time.Duration) Elasticity {
	var e Elasticity
	at := time.Duration(0)
	d, s := cursor{steps: demand}, cursor{steps: supply}
	for at < length {
		d.move(at)
		s.move(at)
		until := min(length, d.until(), s.until())
		share := 100 * float64(until-at) / float64(length)
		missing, base := d.count-s.count, float64(max(1, d.count))
		switch {
		case missing > 0:
			e.UnderAccuracy += share * float64(missing) / base
			e.UnderTime += share
		case missing < 0:
			e.OverAccuracy += share * float64(-missing) / base
			e.OverTime += share
		}
		at = until
	}
	e.Instability = instability(demand, supply, length, period)
	return e
}

func instability(demand, supply []Step, length, period time.Duration) float64 {
	d, s := cursor{steps: demand}, cursor{steps: supply}
	d.move(0)
	s.move(0)
	apart, periods := 0, 0
	for at := period; at < length; at += period {
		demandBefore, supplyBefore := d.count, s.count
		d.move(at)
		s.move(at)
		if sign(d.count-demandBefore) != sign(s.count-supplyBefore) {
			apart++
		}
		periods++
	}
	return 100 * float64(apart) / float64(max(1, periods))
}

func sign(n int) int { return max(-1, min(1, n)) }

// cursor walks along steps.
type cursor struct {
	steps []Step
	next  int
	count int
}

// move goes to a moment, which must not be before the last.
func (c *cursor) move(at time.Duration) {
	for c.next < len(c.steps) && c.steps[c.next].At <= at {
		c.count = c.steps[c.next].Count
		c.next++
	}
}

// until is when the count changes next.
func (c *cursor) until() time.Duration {
	if c.next == len(c.steps) {
		return 1<<63 - 1
	}
	return c.steps[c.next].At
}

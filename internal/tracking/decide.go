package tracking

import (
	"fmt"
	"math"
	"time"
)

// proposal is what one policy asks for because one of its alarms fired.
type proposal struct {
	policy, alarm string
	wanted        int // before bounds; -1 where the policy asks for nothing
	cooldown      time.Duration
}

var noProposal = proposal{wanted: -1}

func (p proposal) cause() string {
	return fmt.Sprintf("monitor alarm %s in state ALARM triggered policy %s", p.alarm, p.policy)
}

// larger returns the proposal for the larger capacity; with several policies, that one wins.
func (p proposal) larger(other proposal) proposal {
	if other.wanted > p.wanted {
		return other
	}
	return p
}

// proportional is the least capacity at which the metric of `capacity` tasks is at most the target. The tolerance keeps
// 10 * 0.3 / 0.1 at 30.
func proportional(capacity int, metric, target float64) int {
	const tolerance = 1e-9
	wanted := math.Ceil(float64(capacity) * metric / target * (1 - tolerance))
	return int(min(wanted, math.MaxInt32))
}

// flaps reports whether removing one task would push the metric over the target.
func flaps(running int, metric, target float64) bool {
	if running <= 1 {
		return metric > 0
	}
	return proportional(running, metric, target) >= running
}

// scaleOut is what target tracking proposes from a capacity while AlarmHigh is in ALARM.
func (p *trackingPolicy) scaleOut(a Assumptions, from int, atZero bool) proposal {
	out := noProposal
	out.policy, out.alarm, out.cooldown = p.Name, p.high.spec.Name, pick(p.ScaleOutCooldown, a.ScaleOutCooldown)
	switch {
	case atZero && p.demandAtZero(a.ZeroDatapoints):
		out.wanted = 1
	case p.high.state == StateAlarm:
		out.wanted = proportional(from, p.high.metric(a.Datapoint), p.Target)
	}
	return out
}

// demandAtZero reports whether the newest datapoints are all above the target: at capacity 0 that adds the minimum unit
// without waiting for the alarm.
func (p *trackingPolicy) demandAtZero(datapoints int) bool {
	above := 0
	for i := len(p.high.values) - 1; i >= 0 && above < datapoints; i-- {
		if v := p.high.values[i]; v > p.Target {
			above++
		} else if v == v {
			return false
		}
	}
	return above == datapoints
}

// ready reports whether the policy agrees to a scale-in.
func (p *trackingPolicy) ready() bool { return p.low.state == StateAlarm }

// scaleIn is what target tracking proposes while AlarmLow is in ALARM; flapping says that it should be nothing.
func (p *trackingPolicy) scaleIn(a Assumptions, running int) (in proposal, flapping bool) {
	in = proposal{policy: p.Name, alarm: p.low.spec.Name, cooldown: pick(p.ScaleInCooldown, a.ScaleInCooldown)}
	metric := p.low.metric(a.Datapoint)
	if flaps(running, metric, p.Target) {
		return in, true
	}
	in.wanted = proportional(running, metric, p.Target)
	if a.ScaleInPace == OneAtATime {
		in.wanted = max(running-1, 0)
	}
	return in, false
}

// metric is the value that enters a proportional decision, out of the M newest datapoints of the alarm.
func (a *Alarm) metric(choice DatapointChoice) float64 {
	first, sum, nearest, n := math.NaN(), 0.0, math.NaN(), 0
	a.newest(func(v float64) {
		if n == 0 {
			first, nearest = v, v
		}
		if math.Abs(v-a.spec.Threshold) < math.Abs(nearest-a.spec.Threshold) {
			nearest = v
		}
		sum += v
		n++
	})
	switch choice {
	case Average:
		return sum / float64(n)
	case Nearest:
		return nearest
	default:
		return first
	}
}

// propose returns what the step policy makes of a capacity because of its first alarm in ALARM.
func (p *stepPolicy) propose(a Assumptions, from int) proposal {
	for _, alarm := range p.alarms {
		if alarm.state != StateAlarm {
			continue
		}
		if step, ok := p.step(alarm.aggregate(p.Aggregation) - alarm.spec.Threshold); ok {
			return proposal{
				policy: p.Name, alarm: alarm.spec.Name, cooldown: pick(p.Cooldown, a.ScaleOutCooldown),
				wanted: max(0, p.adjust(from, step.Adjustment)),
			}
		}
	}
	return noProposal
}

// step finds the step for a breach of that size. Above the threshold lower bounds are inclusive and upper bounds are
// not; below it, the other way round.
func (p *stepPolicy) step(breach float64) (Step, bool) {
	for _, s := range p.Steps {
		lower, upper := s.interval()
		above := breach >= 0 && lower <= breach && breach < upper
		below := breach <= 0 && lower < breach && breach <= upper // a metric at the threshold breaches `<=` too
		if above || below {
			return s, true
		}
	}
	return Step{}, false
}

func (p *stepPolicy) adjust(capacity, adjustment int) int {
	switch p.Adjustment {
	case ExactCapacity:
		return adjustment
	case PercentChangeInCapacity:
		return capacity + percent(capacity, adjustment, p.MinAdjustment)
	default:
		return capacity + adjustment
	}
}

// percent is the change in tasks: towards zero, but at least one task and at least the minimum magnitude.
func percent(capacity, adjustment, minimum int) int {
	change := int(math.Trunc(float64(capacity) * float64(adjustment) / 100))
	least := max(minimum, 1)
	switch {
	case adjustment > 0 && (capacity > 0 || minimum > 0):
		return max(change, least)
	case adjustment < 0 && (capacity > 0 || minimum > 0):
		return min(change, -least)
	default:
		return 0
	}
}

// aggregate applies MetricAggregationType to the M newest datapoints.
func (a *Alarm) aggregate(how string) float64 {
	least, most, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	a.newest(func(v float64) {
		least, most, sum, n = min(least, v), max(most, v), sum+v, n+1
	})
	switch how {
	case "Minimum":
		return least
	case "Maximum":
		return most
	default:
		return sum / float64(n)
	}
}

func pick(own *time.Duration, otherwise time.Duration) time.Duration {
	if own != nil {
		return *own
	}
	return otherwise
}

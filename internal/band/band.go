package band

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// LookInterval is the time between two looks on AWS: three a minute, the schedule's shortest interval.
const LookInterval = 20 * time.Second

// The rule's own times, as multiples of the time between looks.
const (
	minute = 3  // looks a minute
	forget = 15 // looks after which a memory is lost, and the longest that growth is measured over: 300 s
	doubt  = 6  // looks of zero until arrivals disprove them: 120 s
)

// The dead man: one-off scheduled actions that give the bounds back when no look was believed for this long, so that
// target tracking gets its room without any function running. The ceiling first, for it keeps tasks out that may be
// needed; the floor later, for it only costs.
const (
	CeilingAfter = 5 * time.Minute
	FloorAfter   = time.Hour
)

// Settings stay the same from look to look.
type Settings struct {
	// AcceptableDelay D is the longest time that a message may wait. More than 0, at most backlog.LongestDelay.
	AcceptableDelay time.Duration
	// Concurrency c is the number of messages that a task works on at once. From 1 to backlog.MostConcurrency.
	Concurrency int
	// MinTasks and MaxTasks are the template's limits, within which the bounds move. MinTasks at least 0, MaxTasks at
	// least 1 and MinTasks.
	MinTasks, MaxTasks int
	// LookInterval L is the time between two looks. More than 0; LookInterval on AWS.
	LookInterval time.Duration
}

// Validate reports every field that is out of range, as a join of *backlog.ValueError.
func (s Settings) Validate() error {
	number := func(field string, value int, valid bool, allowed string) error {
		return check(valid, field, fmt.Sprint(value), allowed)
	}
	return errors.Join(
		check(s.AcceptableDelay > 0 && s.AcceptableDelay <= backlog.LongestDelay, "acceptable delay",
			s.AcceptableDelay.String(), fmt.Sprintf("more than 0s, at most %v", backlog.LongestDelay)),
		number("concurrency", s.Concurrency, s.Concurrency >= 1 && s.Concurrency <= backlog.MostConcurrency,
			fmt.Sprintf("1 to %d", backlog.MostConcurrency)),
		number("minimum of tasks", s.MinTasks, s.MinTasks >= 0, "0 or more"),
		number("maximum of tasks", s.MaxTasks, s.MaxTasks >= max(1, s.MinTasks), "at least 1 and at least the minimum"),
		check(s.LookInterval > 0, "time between looks", s.LookInterval.String(), "more than 0s"),
	)
}

// looks is the length of a number of looks.
func (s Settings) looks(n float64) time.Duration { return time.Duration(n * float64(s.LookInterval)) }

// Bounds of the task count: MinCapacity and MaxCapacity of the scalable target.
type Bounds struct {
	Floor   int `json:"floor"`
	Ceiling int `json:"ceiling"`
}

// Decision is what a look leads to.
type Decision struct {
	// Summary tells signal, need, floor, ceiling and why in one line.
	Summary string `json:"summary"`
	// Doubted says that the look is not believed. It moves nothing, and counts as none.
	Doubted bool `json:"doubted"`
	// Moves says that the bounds are others than those in force.
	Moves bool `json:"moves"`
	Bounds
	// RateNeed and BacklogNeed are in tasks, rounded to three decimals. 0 when doubted.
	RateNeed    float64 `json:"rateNeed"`
	BacklogNeed float64 `json:"backlogNeed"`
	Why         string  `json:"why"` // what made the floor, or the doubt
}

// Decide works out the bounds after a look, and what to remember for the next. The memory that is given is not changed.
// Errors are joins of *backlog.ValueError, about settings or a look that cannot be; then the memory stays as it was.
func Decide(s Settings, l Look, m Memory) (Decision, Memory, error) {
	if err := errors.Join(s.Validate(), l.validate()); err != nil {
		return Decision{}, m, err
	}
	m = m.known(s, l)
	if why := m.doubts(s, l); why != "" {
		d := Decision{Doubted: true, Bounds: l.InForce, Why: why}
		d.Summary = d.summary(l)
		return d, m.zero(l), nil
	}
	m = m.with(s, l)
	need := s.needs(l, m)
	floor, why := s.floor(l, need)
	m.Ceiling = min(max(m.Ceiling, float64(floor), 1), float64(s.MaxTasks))
	d := Decision{
		Bounds:   Bounds{Floor: floor, Ceiling: up(m.Ceiling)},
		RateNeed: thousandth(need.rate), BacklogNeed: thousandth(need.backlog), Why: why,
	}
	d.Moves = d.Bounds != l.InForce
	d.Summary = d.summary(l)
	return d, m, nil
}

// floor is the whole number of tasks that a need asks for, within the limits, and what made it.
func (s Settings) floor(l Look, n need) (floor int, why string) {
	wanted, why := n.rate, "arrivals"
	if n.backlog > n.rate {
		wanted, why = n.backlog, "backlog"
	}
	if l.Deploying && float64(l.Desired) > wanted {
		wanted, why = float64(l.Desired), "a deployment is in progress"
	}
	switch {
	case wanted > float64(s.MaxTasks):
		return s.MaxTasks, why + ", at MaxTasks"
	case wanted <= float64(s.MinTasks):
		return s.MinTasks, "MinTasks"
	}
	return up(wanted), why
}

// up rounds up, but for what is left of an exact number after a division.
func up(tasks float64) int { return int(math.Ceil(tasks - 1e-9)) }

func thousandth(tasks float64) float64 { return math.Round(tasks*1000) / 1000 }

func (d Decision) summary(l Look) string {
	change := "kept"
	if d.Moves {
		change = fmt.Sprintf("from %d-%d", l.InForce.Floor, l.InForce.Ceiling)
	}
	need := fmt.Sprintf("need %.2f for arrivals, %.2f for the backlog", d.RateNeed, d.BacklogNeed)
	if d.Doubted {
		need = "not believed"
	}
	return fmt.Sprintf(
		"%d visible, %d in flight, %d of %d tasks run, %.3g/s sent, %.3g s each: %s; floor %d, ceiling %d, %s: %s",
		l.Visible, l.InFlight, l.Running, l.Desired, l.sentPerSecond(), l.ProcessingSeconds,
		need, d.Floor, d.Ceiling, change, d.Why)
}

func check(valid bool, field, value, allowed string) error {
	if valid {
		return nil
	}
	return &backlog.ValueError{Field: field, Value: value, Allowed: allowed}
}

package backlog

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Limits of a Promise. They exclude typing errors, not use cases.
const (
	// LongestDelay is the longest that SQS keeps a message (14 days).
	LongestDelay = 14 * 24 * time.Hour
	// LongestPeriod is one day, the longest metric period in common use.
	LongestPeriod = 24 * time.Hour
	// MostHeadroom is far beyond what can be useful: the queue alone would then use up the delay a hundred times.
	MostHeadroom = 100
	// MostConcurrency of one task.
	MostConcurrency = 1000
)

// Promise is what the operator wants of the queue. Nothing in it is measured.
type Promise struct {
	// AcceptableDelay d is the longest time that a message may wait before a worker starts it. More than 0, at most
	// LongestDelay.
	AcceptableDelay time.Duration
	// Headroom h weighs the part of the backlog target that waits: 1 allows a queue that takes the whole acceptable
	// delay to work off, 0.5 half of it, 0 none. From 0 to MostHeadroom.
	Headroom float64
	// Utilization u is the share of a task's capacity that the rate policy plans with. More than 0, less than 1: at 1
	// the queue of any irregular load grows without bound.
	Utilization float64
	// Concurrency c is the number of messages that a task processes at once. From 1 to MostConcurrency.
	Concurrency int
	// Period p is the length of one datapoint of the metrics, 60 s on AWS. More than 0, at most LongestPeriod.
	Period time.Duration
}

// Targets are the values at which the two target-tracking policies hold their metrics.
type Targets struct {
	Backlog float64 // messages per task, at least the concurrency
	Rate    float64 // messages sent per period per task, more than 0
}

// ValueError says which value is out of its range.
type ValueError struct {
	Field   string // what it is, e.g. "utilisation"
	Value   string // as it was given, with its unit
	Allowed string // the range, in words
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s is %s; allowed: %s", e.Field, e.Value, e.Allowed)
}

// Validate reports every field that is out of range, as a join of *ValueError.
func (p Promise) Validate() error {
	return errors.Join(
		checkDuration("acceptable delay", p.AcceptableDelay, LongestDelay),
		checkNumber("headroom", p.Headroom, p.Headroom >= 0 && p.Headroom <= MostHeadroom,
			fmt.Sprintf("0 to %d", MostHeadroom)),
		checkNumber("utilisation", p.Utilization, p.Utilization > 0 && p.Utilization < 1,
			"more than 0 and less than 1"),
		checkNumber("concurrency", float64(p.Concurrency), p.Concurrency >= 1 && p.Concurrency <= MostConcurrency,
			fmt.Sprintf("1 to %d", MostConcurrency)),
		checkDuration("metric period", p.Period, LongestPeriod),
	)
}

// Targets computes both targets for a mean processing duration S, in full precision:
//
//	Backlog = c × (1 + h × d / S)   AWS's acceptable backlog, plus the messages being worked on, with headroom
//	Rate    = p × c × u / S         the utilisation law at the wanted utilisation
//
// Both are defined for every S > 0; S of 0 or less, or a Promise that is not valid, is refused with a *ValueError.
// Jobs longer than the delay need no special case: Backlog approaches c from above.
func (p Promise) Targets(processing time.Duration) (Targets, error) {
	if err := p.Validate(); err != nil {
		return Targets{}, err
	}
	if err := checkDuration("processing duration", processing, math.MaxInt64); err != nil {
		return Targets{}, err
	}
	c, s := float64(p.Concurrency), processing.Seconds()
	return Targets{
		Backlog: c * (1 + p.Headroom*p.AcceptableDelay.Seconds()/s),
		Rate:    p.Period.Seconds() * c * p.Utilization / s,
	}, nil
}

// Rounded returns the targets to four significant digits: what enters a policy, and is read by people. The error is at
// most 0.05 %, far inside any dead band.
func (t Targets) Rounded() Targets {
	return Targets{Backlog: significant(t.Backlog, 4), Rate: significant(t.Rate, 4)}
}

// PerTask divides a number of messages among the running tasks: with visible + in flight it is the backlog per task,
// with the messages sent in a period it is the rate per task.
//
// Zero tasks count as one, as in the policies' metric expressions: the quotient stays defined, and leaving zero is the
// business of the step policy. Negative numbers are refused with a *ValueError.
func PerTask(messages, tasks int) (float64, error) {
	err := errors.Join(
		checkNumber("number of messages", float64(messages), messages >= 0, "0 or more"),
		checkNumber("number of tasks", float64(tasks), tasks >= 0, "0 or more"),
	)
	if err != nil {
		return 0, err
	}
	return float64(messages) / float64(max(tasks, 1)), nil
}

func checkDuration(field string, value, longest time.Duration) error {
	if value > 0 && value <= longest {
		return nil
	}
	allowed := "more than 0s"
	if longest != math.MaxInt64 {
		allowed += fmt.Sprintf(", at most %v", longest)
	}
	return &ValueError{Field: field, Value: value.String(), Allowed: allowed}
}

// checkNumber takes the verdict rather than a range, so that NaN, for which every comparison is false, is refused.
func checkNumber(field string, value float64, valid bool, allowed string) error {
	if valid {
		return nil
	}
	return &ValueError{Field: field, Value: fmt.Sprintf("%g", value), Allowed: allowed}
}

// significant rounds to a number of significant decimal digits.
func significant(value float64, digits int) float64 {
	if value == 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return value
	}
	scale := math.Pow10(digits - 1 - int(math.Floor(math.Log10(math.Abs(value)))))
	if math.IsInf(scale, 0) || scale == 0 {
		return value
	}
	return math.Round(value*scale) / scale
}

package retune

import (
	"fmt"
	"math"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// Window is the time that was measured: [From, To).
type Window struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	PeriodSeconds int       `json:"periodSeconds"` // of the datapoints that were read
	Begins        string    `json:"begins"`        // why it begins there, in words
}

func (w Window) empty() bool { return !w.From.Before(w.To) }

// periods is the number of datapoints that a series without gaps has.
func (w Window) periods() int { return int(w.To.Sub(w.From).Seconds()) / max(1, w.PeriodSeconds) }

// shorten moves the beginning to a later moment, to the next whole period: a period in which something else still was
// belongs to that. An earlier moment changes nothing.
func (w *Window) shorten(to time.Time, why string) {
	period := time.Duration(w.PeriodSeconds) * time.Second
	from := to.UTC().Truncate(period)
	if from.Before(to) {
		from = from.Add(period)
	}
	if !from.After(w.From) {
		return
	}
	w.From, w.Begins = from, why
	if w.From.After(w.To) {
		w.From = w.To
	}
}

// Measurement is the output of the step Measure Duration: what was asked for, what was measured, and what is in force.
// A null means that the window holds no data for it.
type Measurement struct {
	Summary   string `json:"summary"`
	Execution string `json:"execution"` // ARN of the execution that measured
	Request

	Window            Window  `json:"window"`
	Rollout           Rollout `json:"rollout"`
	Basis             string  `json:"basis"`             // what there is to decide on: one of the Bases
	Samples           int     `json:"samples"`           // messages whose processing was measured
	ProcessingSeconds float64 `json:"processingSeconds"` // mean over all samples; 0 without samples
	// ProcessingQuantiles of the duration over all samples, seconds: p10, p25, p50, p75, p90, p95, p99. Empty without.
	ProcessingQuantiles  map[string]float64 `json:"processingQuantiles"`
	WaitSeconds          *float64           `json:"waitSeconds"`          // mean of them
	WaitP95Seconds       *float64           `json:"waitP95Seconds"`       // which 95 % of the messages did not exceed
	PromiseKeptPercent   *float64           `json:"promiseKeptPercent"`   // of messages that waited at most the delay
	ArrivalsPerMinute    *float64           `json:"arrivalsPerMinute"`    // mean over the periods that have data
	ArrivalsP95PerMinute *float64           `json:"arrivalsP95PerMinute"` // of the periods that have data
	PeriodsWithArrivals  int                `json:"periodsWithArrivals"`  // that have data; the others are gaps
	Tasks                *float64           `json:"tasks"`                // mean over the periods that have data
	Drift                Drift              `json:"drift"`

	Current Targets `json:"current"` // targets of the policies
	Bounds  *Bounds `json:"bounds"`  // of the task count, in force
	Record  *Record `json:"record"`  // of the last change by a retune
}

// Bases of a decision.
const (
	BasisSamples = "samples"     // enough of them
	BasisHand    = "by hand"     // a person says what to do
	BasisRecord  = "last retune" // whose targets hold on
	BasisNone    = "none"
)

func (m Measurement) basis() string {
	switch {
	case m.setByHand():
		return BasisHand
	case m.Samples >= m.MinimumSamples:
		return BasisSamples
	case m.Record != nil:
		return BasisRecord
	}
	return BasisNone
}

// Measured is what the step Measure Duration answers. The machine hands the history on to the decision alone, so that
// results stay readable.
type Measured struct {
	Measurement Measurement `json:"measurement"`
	History     *History    `json:"history"`
}

// summary is for people, e.g. "1,234 messages took 4.2 s on average; 97 % started within 60 s".
func (m Measurement) summary(delay time.Duration) string {
	switch {
	case m.Rollout.InProgress:
		return fmt.Sprintf(
			"the rollout of %s is in progress: what is measured now is of two versions",
			m.Rollout.Version,
		)
	case m.Samples == 0:
		return fmt.Sprintf("no message was measured in the %s before %s",
			m.Window.To.Sub(m.Window.From), m.Window.To.Format(time.RFC3339))
	}
	parts := []string{fmt.Sprintf("%d messages took %.4g s on average%s", m.Samples, m.ProcessingSeconds, m.spread())}
	if m.PromiseKeptPercent != nil {
		parts = append(parts, fmt.Sprintf("%.4g %% started within %g s", *m.PromiseKeptPercent, delay.Seconds()))
	}
	if m.ArrivalsPerMinute != nil {
		text := fmt.Sprintf("%.4g arrived a minute", *m.ArrivalsPerMinute)
		if known, all := m.PeriodsWithArrivals, m.Window.periods(); known < all*9/10 {
			text += fmt.Sprintf(" in the %d of %d periods that have data", known, all)
		}
		parts = append(parts, text)
	}
	if m.Tasks != nil {
		parts = append(parts, fmt.Sprintf("%.3g tasks ran", *m.Tasks))
	}
	return strings.Join(parts, "; ")
}

// spread is what there is to say besides the mean.
func (m Measurement) spread() string {
	p50, p95 := m.ProcessingQuantiles["p50"], m.ProcessingQuantiles["p95"]
	if p50 == 0 || p95 == 0 {
		return ""
	}
	return fmt.Sprintf(" (half of them at most %.4g s, 95 %% at most %.4g s)", p50, p95)
}

func (m Measurement) reading() backlog.Reading {
	return backlog.Reading{Samples: m.Samples, Mean: seconds(m.ProcessingSeconds)}
}

func seconds(value float64) time.Duration {
	return time.Duration(math.Round(value * float64(time.Second)))
}

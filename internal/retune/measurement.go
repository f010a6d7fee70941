package retune

import (
	"fmt"
	"math"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// Targets are the values of the two policies, as the steps pass them on.
type Targets struct {
	Backlog float64 `json:"backlogTarget"` // messages per task
	Rate    float64 `json:"rateTarget"`    // messages sent per period per task
}

// Window is the time that was measured: [From, To).
type Window struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	PeriodSeconds int       `json:"periodSeconds"` // of the datapoints that were read
}

// Measurement is the output of the step Measure Duration: what was asked for, what was measured, and what is in force.
// A null means that the window holds no data for it.
type Measurement struct {
	Summary   string `json:"summary"`
	Execution string `json:"execution"` // ARN of the execution that measured
	Request

	Window             Window   `json:"window"`
	Samples            int      `json:"samples"`            // messages whose processing was measured
	ProcessingSeconds  float64  `json:"processingSeconds"`  // mean over all samples; 0 without samples
	WaitSeconds        *float64 `json:"waitSeconds"`        // mean between sending and processing
	PromiseKeptPercent *float64 `json:"promiseKeptPercent"` // of the messages, those that waited at most the delay
	ArrivalsPerMinute  *float64 `json:"arrivalsPerMinute"`  // mean over the periods that have data
	Tasks              *float64 `json:"tasks"`              // running, mean over the periods that have data

	Current Targets `json:"current"` // targets of the policies
	Record  *Record `json:"record"`  // of the last change by a retune
}

// summary is for people, e.g. "1,234 messages took 4.2 s on average; 97 % started within 60 s".
func (m Measurement) summary(delay time.Duration) string {
	if m.Samples == 0 {
		return fmt.Sprintf("no message was measured in the %s before %s",
			m.Window.To.Sub(m.Window.From), m.Window.To.Format(time.RFC3339))
	}
	parts := []string{fmt.Sprintf("%d messages took %.4g s on average", m.Samples, m.ProcessingSeconds)}
	if m.PromiseKeptPercent != nil {
		parts = append(parts, fmt.Sprintf("%.4g %% started within %g s", *m.PromiseKeptPercent, delay.Seconds()))
	}
	if m.ArrivalsPerMinute != nil {
		parts = append(parts, fmt.Sprintf("%.4g arrived a minute", *m.ArrivalsPerMinute))
	}
	if m.Tasks != nil {
		parts = append(parts, fmt.Sprintf("%.3g tasks ran", *m.Tasks))
	}
	return strings.Join(parts, "; ")
}

func (m Measurement) reading() backlog.Reading {
	return backlog.Reading{Samples: m.Samples, Mean: seconds(m.ProcessingSeconds)}
}

func seconds(value float64) time.Duration {
	return time.Duration(math.Round(value * float64(time.Second)))
}

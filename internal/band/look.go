package band

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Look is what was seen of queue, tasks and bounds at one moment.
type Look struct {
	At time.Time `json:"at"`
	// Visible V and InFlight F are the queue's counts, as GetQueueAttributes tells them: up to about a minute old.
	Visible  int `json:"visible"`
	InFlight int `json:"inFlight"`
	// Running and Desired are the tasks of the service. Deploying says that a deployment is in progress; then Running
	// counts old and new tasks.
	Running   int  `json:"running"`
	Desired   int  `json:"desired"`
	Deploying bool `json:"deploying"`
	// Sent are the newest full metric periods that can be read, at most three, oldest first.
	Sent []Sent `json:"sent"`
	// ProcessingSeconds S is the mean processing duration of the last ten minutes, or the last one known. More than 0.
	ProcessingSeconds float64 `json:"processingSeconds"`
	// InForce are the bounds that the look found.
	InForce Bounds `json:"inForce"`
}

// Sent is a metric period and the number of messages that were sent in it.
type Sent struct {
	From          time.Time `json:"from"`
	PeriodSeconds float64   `json:"periodSeconds"`
	Messages      float64   `json:"messages"`
}

// validate reports every value that cannot be.
func (l Look) validate() error {
	number := func(field string, value float64, valid bool, allowed string) error {
		return check(valid && !math.IsInf(value, 0), field, fmt.Sprintf("%g", value), allowed)
	}
	count := func(field string, value int) error {
		return number(field, float64(value), value >= 0, "0 or more")
	}
	err := errors.Join(
		check(!l.At.IsZero(), "moment of the look", "missing", "a moment"),
		count("messages visible", l.Visible),
		count("messages in flight", l.InFlight),
		count("running tasks", l.Running),
		count("desired tasks", l.Desired),
		number("processing duration in seconds", l.ProcessingSeconds, l.ProcessingSeconds > 0, "more than 0"),
	)
	for _, sent := range l.Sent {
		err = errors.Join(err,
			number("messages sent", sent.Messages, sent.Messages >= 0, "0 or more"),
			number("metric period in seconds", sent.PeriodSeconds, sent.PeriodSeconds > 0, "more than 0"))
	}
	return err
}

func (l Look) empty() bool { return l.Visible == 0 && l.InFlight == 0 }

// sentPerSecond is λ, the mean over all periods.
func (l Look) sentPerSecond() float64 {
	messages, length := 0.0, 0.0
	for _, sent := range l.Sent {
		messages, length = messages+sent.Messages, length+sent.PeriodSeconds
	}
	if length == 0 {
		return 0
	}
	return messages / length
}

// inWork is how many messages arrivals keep in work at a time: Little's law.
func (l Look) inWork() float64 { return l.sentPerSecond() * l.ProcessingSeconds }

// starting is for how much of the time left a task works that is only starting.
const starting = 0.4

// tasks is n: those that run, and two fifths of those that start. During a deployment old tasks run beside new ones,
// and only as many as are desired will stay.
func (l Look) tasks() float64 {
	running, desired := float64(l.Running), float64(l.Desired)
	if l.Deploying {
		running = min(running, desired)
	}
	return running + starting*max(0, desired-running)
}

package main

import (
	"context"
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer"
)

// newHandler is what a team replaces, with the rest of this file: it makes the handler (and what that needs: clients,
// settings of its own), and may set Config.MayLast and Config.OnCanary. A handler that does real work is shown by the
// example of package internal/consumer.
func newHandler(c *consumer.Config) (consumer.Handler, error) { //nolint:unparam // others can fail
	c.MayLast = mayLast
	return consumer.JSON(handle), nil
}

// A job is the body of a message: sleep for a number of seconds. It stands in for real work.
type job struct {
	ID       string  `json:"id"`
	Duration float64 `json:"duration"` // seconds
}

// Validate refuses what could never be done. What is refused is set aside.
func (j job) Validate() error {
	const most = 12 * 60 * 60 // a message cannot be kept for longer
	if j.Duration < 0 || j.Duration > most {
		return fmt.Errorf("duration %v is not between 0 and %d seconds", j.Duration, most)
	}
	return nil
}

func (j job) duration() time.Duration { return time.Duration(j.Duration * float64(time.Second)) }

// handle does the job of one message.
func handle(ctx context.Context, _ consumer.Message, j job) error {
	timer := time.NewTimer(j.duration())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// mayLast tells beforehand how long a job takes at most, so that only long ones have the task protected from scale-in.
// Where nobody can tell, leave Config.MayLast nil.
func mayLast(m consumer.Message) time.Duration {
	var j job
	if m.Decode(&j) != nil {
		return 0
	}
	return j.duration()
}

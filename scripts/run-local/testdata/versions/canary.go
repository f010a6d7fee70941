package main

import (
	"context"
	"errors"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer"
)

type job struct {
	ID       string  `json:"id"`
	Duration float64 `json:"duration"` // seconds
}

// newHandler has a check of its own, which a canary runs; and the check fails.
func newHandler(c *consumer.Config) (consumer.Handler, error) {
	c.OnCanary = func(context.Context, consumer.Message) error {
		return errors.New("the table of results has no column total")
	}
	return consumer.JSON(handle), nil
}

func handle(ctx context.Context, _ consumer.Message, j job) error {
	select {
	case <-time.After(time.Duration(j.Duration * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

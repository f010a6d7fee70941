package main

import (
	"context"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer"
)

type job struct {
	ID       string  `json:"id"`
	Duration float64 `json:"duration"` // seconds
}

func newHandler(*consumer.Config) (consumer.Handler, error) { return consumer.JSON(handle), nil }

// handle takes four times as long as before.
func handle(ctx context.Context, _ consumer.Message, j job) error {
	select {
	case <-time.After(time.Duration(4 * j.Duration * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package main

import (
	"context"
	"errors"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer"
)

type job struct {
	ID       string  `json:"id"`
	Customer string  `json:"customer"`
	Duration float64 `json:"duration"` // seconds
}

// Validate wants what no producer sends yet: every message is set aside.
func (j job) Validate() error {
	if j.Customer == "" {
		return errors.New("the customer is missing")
	}
	return nil
}

func newHandler(*consumer.Config) (consumer.Handler, error) { return consumer.JSON(handle), nil }

func handle(ctx context.Context, _ consumer.Message, j job) error {
	select {
	case <-time.After(time.Duration(j.Duration * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

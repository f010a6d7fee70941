package main

import (
	"errors"

	"sqs-dynamic-target-tracking/internal/consumer"
)

// newHandler misses a setting that nobody gave to the task.
func newHandler(*consumer.Config) (consumer.Handler, error) {
	return nil, errors.New("RESULTS_URL is not set")
}

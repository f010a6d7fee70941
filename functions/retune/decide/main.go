// Command decide is the step of the retune machine that works out new targets. It needs no permission at all.
package main

import (
	"context"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.DecideRequest, retune.Decision] {
	promise := backlog.Promise{
		AcceptableDelay: s.Env.Seconds("ACCEPTABLE_DELAY_SECONDS", backlog.LongestDelay),
		Headroom:        s.Env.Number("HEADROOM", 0, backlog.MostHeadroom),
		Utilization:     s.Env.Number("UTILIZATION", 0.01, 0.99),
		Concurrency:     s.Env.Whole("WORKER_CONCURRENCY", 1, backlog.MostConcurrency),
		Period:          s.Env.Seconds("METRIC_PERIOD_SECONDS", backlog.LongestPeriod),
	}
	return func(_ context.Context, request retune.DecideRequest) (retune.Decision, error) {
		return retune.Decide(promise, request.Measurement)
	}
}

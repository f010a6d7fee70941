// Command decide is the step of the band machine that works out the bounds, and logs each look in one line. It needs no
// permission at all.
package main

import (
	"context"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/band"
	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[steps.DecideRequest, steps.Decided] {
	settings := band.Settings{
		AcceptableDelay: s.Env.Seconds("ACCEPTABLE_DELAY_SECONDS", backlog.LongestDelay),
		Concurrency:     s.Env.Whole("WORKER_CONCURRENCY", 1, backlog.MostConcurrency),
		MinTasks:        s.Env.Whole("MIN_TASKS", 0, steps.MostTasks),
		MaxTasks:        s.Env.Whole("MAX_TASKS", 1, steps.MostTasks),
		LookInterval:    s.Env.Seconds("BAND_LOOK_SECONDS", band.LookInterval),
	}
	return func(_ context.Context, request steps.DecideRequest) (steps.Decided, error) {
		decided, err := steps.Decide(settings, request)
		if err == nil {
			s.Log.Info("look: "+decided.Summary, "floor", decided.Floor, "ceiling", decided.Ceiling,
				"rateNeed", decided.RateNeed, "backlogNeed", decided.BacklogNeed, "doubted", decided.Doubted)
		}
		return decided, err
	}
}

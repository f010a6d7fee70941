// Command decide is the step of the retune machine that works out new settings. It needs no permission at all.
package main

import (
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.DecideRequest, retune.Decision] {
	const mostTasks = 1_000_000
	promise := backlog.Promise{
		AcceptableDelay: s.Env.Seconds("ACCEPTABLE_DELAY_SECONDS", backlog.LongestDelay),
		Headroom:        s.Env.Number("HEADROOM", 0, backlog.MostHeadroom),
		Utilization:     s.Env.Number("UTILIZATION", 0.01, 0.99),
		Concurrency:     s.Env.Whole("WORKER_CONCURRENCY", 1, backlog.MostConcurrency),
		Period:          s.Env.Seconds("METRIC_PERIOD_SECONDS", backlog.LongestPeriod),
	}
	limits := retune.Bounds{
		MinTasks: s.Env.Whole("MIN_TASKS", 0, mostTasks),
		MaxTasks: s.Env.Whole("MAX_TASKS", 1, mostTasks),
	}
	owns := s.Env.OneOf("TASK_BOUNDS_OWNER", "retune", "band") == "retune"
	rule := retune.DriftRule{
		Factor:  s.Env.Number("DRIFT_FACTOR", backlog.LeastFactor, backlog.MostFactor),
		Periods: s.Env.Whole("DRIFT_PERIODS", 1, 60),
	}
	return retune.Decider{
		Promise: promise, Limits: limits, OwnsBounds: owns, DriftRule: rule,
		Chooser: retune.Replay{
			Promise: promise, Limits: limits, OwnsBounds: owns, DriftRule: rule,
			ScaleOutCooldown: seconds(s.Env.Number("SCALE_OUT_COOLDOWN_SECONDS", 0, 86400)),
			ScaleInCooldown:  seconds(s.Env.Number("SCALE_IN_COOLDOWN_SECONDS", 0, 86400)),
		},
	}.Decide
}

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }

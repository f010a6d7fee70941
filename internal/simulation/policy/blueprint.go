package policy

import (
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Blueprint is the AWS solution blueprint that this project re-implements: aws-ia/ecs-blueprints,
// terraform/fargate-examples/sqs-dynamic-target-tracking, at commit 9c87b66. One target-tracking policy on messages
// visible / running tasks, cooldowns 240 s, target = acceptable delay / mean processing duration, made anew hourly.
//
// With its bugs, and the hourly rule enabled, the first run points the policy at a service that does not exist: from
// then on it has no data and does nothing. Its worker ignores SIGTERM (shell-form entry point) for the default
// stopTimeout of 30 s, does not protect itself, and does not extend the visibility timeout of 30 s.
type Blueprint struct{ Bugs bool }

// Name implements simulation.Policy.
func (b Blueprint) Name() string {
	if b.Bugs {
		return "blueprint-bugs"
	}
	return "blueprint"
}

// Settle implements simulation.Settler: with its bugs it has its own worker.
func (b Blueprint) Settle(a simulation.Assumptions) simulation.Assumptions {
	if b.Bugs {
		a.Drains, a.Protection, a.Heartbeat = false, false, false
		a.StopTimeout, a.VisibilityTimeout = 30*time.Second, 30*time.Second
	}
	return a
}

// Begin implements simulation.Policy.
func (b Blueprint) Begin(c *simulation.Control) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	put := func(target float64, metrics []tracking.MetricQuery) error {
		c.Note("backlog target", target)
		return engine.PutTargetTracking(c.Now(), tracking.TargetTracking{
			Name: "ecs_sqs_scaling", Target: target, Metrics: metrics,
			ScaleOutCooldown: seconds(240), ScaleInCooldown: seconds(240),
		})
	}
	s := c.Scenario()
	c.Every(time.Hour, 0, func() error {
		measured := c.Measured(24 * time.Hour)
		if measured.Samples == 0 {
			return nil
		}
		target := s.Delay.Seconds() / measured.Mean.Seconds()
		if b.Bugs {
			return put(max(1, math.Floor(target)), pointedElsewhere())
		}
		return put(target, visiblePerTask())
	})
	return put(acceptableBacklog(s), visiblePerTask())
}

// pointedElsewhere is the request with another service's name in it, for which there are no datapoints.
func pointedElsewhere() []tracking.MetricQuery {
	metrics := visiblePerTask()
	elsewhere := *metrics[1].Metric
	elsewhere.Dimensions = []tracking.Dimension{
		{Name: "ClusterName", Value: "other"},
		{Name: "ServiceName", Value: "other"},
	}
	metrics[1].Metric = &elsewhere
	return metrics
}

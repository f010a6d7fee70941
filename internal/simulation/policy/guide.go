package policy

import (
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Guide is what the AWS guides show: one target-tracking policy on messages visible / running tasks by metric math,
// and a static target of acceptable latency / average processing time. Application Auto Scaling User Guide, "Create a
// target tracking scaling policy using metric math"; Amazon EC2 Auto Scaling User Guide, "Scaling policy based on
// Amazon SQS". Cooldowns are the documented default for ECS services, 300 s.
type Guide struct{}

// Name implements simulation.Policy.
func (Guide) Name() string { return "guide" }

// Begin implements simulation.Policy.
func (Guide) Begin(c *simulation.Control) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	target := acceptableBacklog(c.Scenario())
	c.Note("backlog target", target)
	return engine.PutTargetTracking(c.Now(), tracking.TargetTracking{
		Name: "sqs-backlog-target-tracking", Target: target, Metrics: visiblePerTask(),
	})
}

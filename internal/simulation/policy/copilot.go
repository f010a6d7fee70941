package policy

import (
	"math"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Copilot is AWS Copilot's worker service with `queue_delay` (aws/copilot-cli at commit 023afe0,
// templates/workloads/partials/cf/autoscaling.yml and cf-custom-resources/lib/backlog-per-task-calculator.js): a
// function started once a minute publishes ceil(ApproximateNumberOfMessages / running tasks), at least one task; target
// ceil(acceptable_latency / msg_processing_time); cooldowns 60 s out and 120 s in.
type Copilot struct{}

// Name implements simulation.Policy.
func (Copilot) Name() string { return "copilot" }

// Begin implements simulation.Policy.
func (Copilot) Begin(c *simulation.Control) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	metric := tracking.Metric{Namespace: "app-env-worker", Name: "BacklogPerTask", Stat: "Average", Unit: "Count",
		Dimensions: []tracking.Dimension{{Name: "QueueName", Value: "queue"}}}
	c.Every(c.Scenario().Assumptions.Period(), 0, func() error {
		c.Publish(metric, math.Ceil(float64(c.Look().Visible)/float64(max(1, c.Capacity().Running))))
		return nil
	})
	target := wholeBacklog(c.Scenario())
	c.Note("backlog target", target)
	return engine.PutTargetTracking(c.Now(), tracking.TargetTracking{
		Name: "BacklogPerTask", Target: target, Metrics: tracking.SingleMetric(metric),
		ScaleOutCooldown: seconds(60), ScaleInCooldown: seconds(120),
	})
}

package policy

import (
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// CDK is the AWS CDK's QueueProcessingFargateService (aws/aws-cdk, aws-ecs-patterns/lib/base/
// queue-processing-service-base.ts at commit 066ce76, aws-applicationautoscaling/lib/step-scaling-policy.ts): steps on
// the messages visible, -1 at 0, +1 from 100, +5 from 500, and target tracking of 50 % CPU. The queue's metric has the
// CDK's defaults, statistic Maximum over 5 minutes, and the alarms act on one such datapoint. Cooldowns are the
// service's default.
//
// How much the CPU policy does depends on what a job does with the CPU: see the assumption busyCPU.
type CDK struct{ CPU bool }

// Name implements simulation.Policy.
func (p CDK) Name() string {
	if p.CPU {
		return "cdk"
	}
	return "cdk-no-cpu"
}

// Begin implements simulation.Policy.
func (p CDK) Begin(c *simulation.Control) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	if p.CPU {
		err := engine.PutTargetTracking(c.Now(), tracking.TargetTracking{
			Name: "CpuScaling", Target: 50, Metrics: tracking.SingleMetric(simulation.CPU()),
		})
		if err != nil {
			return err
		}
	}
	zero, more := 0.0, 400.0
	visible := alarm(c, tracking.SingleMetric(simulation.Visible("Maximum")), 5*time.Minute, 1)
	err = engine.PutStep(c.Now(), tracking.StepScaling{
		Name: "LowerPolicy", Adjustment: tracking.ChangeInCapacity, Aggregation: "Maximum",
		Steps:  []tracking.Step{{Upper: &zero, Adjustment: -1}},
		Alarms: []tracking.AlarmSpec{visible("LowerAlarm", tracking.LessThanOrEqual, 0)},
	})
	if err != nil {
		return err
	}
	return engine.PutStep(c.Now(), tracking.StepScaling{
		Name: "UpperPolicy", Adjustment: tracking.ChangeInCapacity, Aggregation: "Maximum",
		Steps:  []tracking.Step{{Lower: &zero, Upper: &more, Adjustment: 1}, {Lower: &more, Adjustment: 5}},
		Alarms: []tracking.AlarmSpec{visible("UpperAlarm", tracking.GreaterThanOrEqual, 100)},
	})
}

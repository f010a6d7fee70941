package policy

import (
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Steps is step scaling on messages visible / running tasks, as an operator writes it who wants it to react faster than
// target tracking: alarms on single datapoints of a minute; +25 % above the acceptable backlog per task, +50 % above
// twice, +100 % above three times that; -10 % when it stays below a tenth for 5 minutes. The shape (percentages that
// grow with the breach, slow scale-in) is that of the Application Auto Scaling User Guide, "Step scaling policies";
// cooldown 60 s out, and the default of 300 s in. The numbers are ours, as there is no default.
type Steps struct{}

// Name implements simulation.Policy.
func (Steps) Name() string { return "steps" }

// Begin implements simulation.Policy.
func (Steps) Begin(c *simulation.Control) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	s := c.Scenario()
	zero, once, twice := 0.0, acceptableBacklog(s), 2*acceptableBacklog(s)
	period := s.Assumptions.Period()
	err = engine.PutStep(c.Now(), tracking.StepScaling{
		Name: "out", Adjustment: tracking.PercentChangeInCapacity, MinAdjustment: 1, Cooldown: seconds(60),
		Steps: []tracking.Step{
			{Lower: &zero, Upper: &once, Adjustment: 25},
			{Lower: &once, Upper: &twice, Adjustment: 50},
			{Lower: &twice, Adjustment: 100},
		},
		Alarms: []tracking.AlarmSpec{alarm(c, visiblePerTask(), period, 1)("out", tracking.GreaterThan, once)},
	})
	if err != nil {
		return err
	}
	return engine.PutStep(c.Now(), tracking.StepScaling{
		Name: "in", Adjustment: tracking.PercentChangeInCapacity, MinAdjustment: 1,
		Steps:  []tracking.Step{{Upper: &zero, Adjustment: -10}},
		Alarms: []tracking.AlarmSpec{alarm(c, visiblePerTask(), period, 5)("in", tracking.LessThan, once/10)},
	})
}

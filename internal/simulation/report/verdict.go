package report

import (
	"fmt"

	"sqs-dynamic-target-tracking/internal/simulation/compare"
)

// Verdict says in a few sentences how far the promise can be kept for the load, and by what.
func Verdict(c *compare.Comparison) []string {
	r, goal := c.Reference, 100*c.Goal
	told := []string{fmt.Sprintf(
		"Kept in full, this load costs %.1f task-hours if everything is known beforehand; the work alone is %.1f. "+
			"Of all fixed counts, %d tasks are the least that keep %.4g %% (%.2f times the clairvoyant plan).",
		r.Plan.Billed.Hours(), r.Work.Hours(), r.FixedTasks, goal,
		float64(r.FixedTasks)*c.Scenario.Load.Length.Hours()/r.Plan.Billed.Hours())}
	cheapest, most := -1, 0
	for i, o := range c.Outcomes {
		if o.Kept >= goal && (cheapest < 0 || o.TaskHours < c.Outcomes[cheapest].TaskHours) {
			cheapest = i
		}
		if o.Kept > c.Outcomes[most].Kept {
			most = i
		}
	}
	if cheapest < 0 {
		o := c.Outcomes[most]
		return append(told, fmt.Sprintf("None of these policies keeps the promise: %s comes closest with %s %%. "+
			"Target tracking acts about six minutes after the load rises, and no setting changes that: "+
			"a load that rises faster needs spare tasks (MinTasks), a longer delay, or bounds that follow the queue.",
			label(o, c.Outcomes), kept(o.Kept)))
	}
	o := c.Outcomes[cheapest]
	return append(told, fmt.Sprintf("Of these policies, %s keeps it at the least cost: %s %% for %.1f task-hours, "+
		"%.2f times the clairvoyant plan.", label(o, c.Outcomes), kept(o.Kept), o.TaskHours, o.Ratio))
}

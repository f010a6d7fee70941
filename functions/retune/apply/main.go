// Command apply is the step of the retune machine that writes the targets into the two scaling policies of the stack,
// and takes them back.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.ApplyRequest, retune.Applied] {
	return retune.Applier{
		Scaling: applicationautoscaling.NewFromConfig(s.AWS()),
		Policies: retune.Policies{
			ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID"),
			Backlog:    s.Env.Text("BACKLOG_POLICY_NAME"),
			Rate:       s.Env.Text("RATE_POLICY_NAME"),
		},
		Alarms:     cloudwatch.NewFromConfig(s.AWS()),
		DriftAlarm: s.Env.Text("DRIFT_ALARM_NAME"),
		OwnsBounds: s.Env.OneOf("TASK_BOUNDS_OWNER", "retune", "band") == "retune",
	}.Apply
}

// Command move is the step of the band machine that writes the bounds of the task count.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[steps.MoveRequest, steps.Moved] {
	return steps.Mover{
		Scaling:    applicationautoscaling.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		Target:     steps.Target{ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID")},
		Parameter:  s.Env.Text("BAND_PARAMETER_NAME"),
		MinTasks:   s.Env.Whole("MIN_TASKS", 0, steps.MostTasks),
		MaxTasks:   s.Env.Whole("MAX_TASKS", 1, steps.MostTasks),
	}.Move
}

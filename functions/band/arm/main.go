// Command arm is the step of the band machine that puts off the scheduled actions which give the bounds back.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[steps.ArmRequest, steps.Armed] {
	return steps.Armer{
		Scaling:      applicationautoscaling.NewFromConfig(s.AWS()),
		Parameters:   ssm.NewFromConfig(s.AWS()),
		Target:       steps.Target{ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID")},
		Parameter:    s.Env.Text("BAND_PARAMETER_NAME"),
		MinTasks:     s.Env.Whole("MIN_TASKS", 0, steps.MostTasks),
		MaxTasks:     s.Env.Whole("MAX_TASKS", 1, steps.MostTasks),
		CeilingAfter: s.Env.Seconds("BAND_CEILING_SECONDS", 24*time.Hour),
		FloorAfter:   s.Env.Seconds("BAND_FLOOR_SECONDS", 24*time.Hour),
	}.Arm
}

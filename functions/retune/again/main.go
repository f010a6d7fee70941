// Command again is the step of the retune machine that lets another retune start soon.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.AgainRequest, retune.Again] {
	return retune.Scheduler{
		Schedules: scheduler.NewFromConfig(s.AWS()),
		Name:      s.Env.Text("AGAIN_SCHEDULE_NAME"),
		Role:      s.Env.Text("RETUNE_TIMER_ROLE_ARN"),
		Pause:     s.Env.Seconds("RETUNE_PAUSE_SECONDS", 24*time.Hour),
	}.Schedule
}

// Command remember is the last step of the band machine: it keeps what the next run should know, and ends the claim of
// this one.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[steps.RememberRequest, steps.Remembered] {
	return steps.Keeper{
		Parameters: ssm.NewFromConfig(s.AWS()),
		Parameter:  s.Env.Text("BAND_PARAMETER_NAME"),
	}.Remember
}

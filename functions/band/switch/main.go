// Command switch is the custom resource that hands the bounds of the task count to the band, and takes them back.
package main

import (
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.RunCustomResource(build) }

func build(s *lambdastep.Setup) cfn.CustomResourceFunction {
	return steps.Switch{
		Scaling:    applicationautoscaling.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		Target:     steps.Target{ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID")},
		Parameter:  s.Env.Text("BAND_PARAMETER_NAME"),
	}.Handle
}

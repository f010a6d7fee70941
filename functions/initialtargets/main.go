// Command initialtargets is the custom resource that gives the scaling policies their target values.
package main

import (
	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/initialtargets"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.RunCustomResource(build) }

func build(s *lambdastep.Setup) cfn.CustomResourceFunction {
	return initialtargets.Resource{
		Parameters:      ssm.NewFromConfig(s.AWS()),
		TuningParameter: s.Env.Text("TUNING_PARAMETER_NAME"),
	}.Handle
}

// Command publish is the last step of the retune machine: it writes the tuning record and publishes the metrics.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.PublishRequest, retune.Published] {
	return retune.Publisher{
		Metrics:    cloudwatch.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		Source: retune.MetricSource{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
		},
		TuningParameter: s.Env.Text("TUNING_PARAMETER_NAME"),
	}.Publish
}

// Command look is the first step of each look of the band machine: it counts messages and tasks, and reads bounds and
// metrics.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/band"
	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/lambdastep"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[steps.LookRequest, steps.Seen] {
	return steps.Looker{
		Queues:     sqs.NewFromConfig(s.AWS()),
		Services:   ecs.NewFromConfig(s.AWS()),
		Scaling:    applicationautoscaling.NewFromConfig(s.AWS()),
		Metrics:    cloudwatch.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		QueueURL:   s.Env.Text("QUEUE_URL"),
		Cluster:    s.Env.Text("CLUSTER_NAME"),
		Service:    s.Env.Text("SERVICE_NAME"),
		Target:     steps.Target{ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID")},
		Source: steps.MetricSource{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
			Period:    s.Env.Seconds("METRIC_PERIOD_SECONDS", backlog.LongestPeriod),
		},
		Parameter:    s.Env.Text("BAND_PARAMETER_NAME"),
		LookInterval: s.Env.Seconds("BAND_LOOK_SECONDS", band.LookInterval),
		Initial:      s.Env.Seconds("INITIAL_PROCESSING_SECONDS", backlog.LongestDelay),
	}.Look
}

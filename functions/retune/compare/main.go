// Command compare is the step of the retune machine that looks at what a change brought about.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.CompareRequest, retune.Comparison] {
	return retune.Comparer{Measurer: retune.Measurer{
		Metrics:    cloudwatch.NewFromConfig(s.AWS()),
		Scaling:    applicationautoscaling.NewFromConfig(s.AWS()),
		Services:   ecs.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		Source: retune.MetricSource{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
			Cluster:   s.Env.Text("CLUSTER_NAME"),
			Service:   s.Env.Text("SERVICE_NAME"),
		},
		MetricPeriod: s.Env.Seconds("METRIC_PERIOD_SECONDS", backlog.LongestPeriod),
		Policies: retune.Policies{
			ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID"),
			Backlog:    s.Env.Text("BACKLOG_POLICY_NAME"),
			Rate:       s.Env.Text("RATE_POLICY_NAME"),
		},
		TuningParameter: s.Env.Text("TUNING_PARAMETER_NAME"),
	}}.Compare
}

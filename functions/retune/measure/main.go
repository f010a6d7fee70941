// Command measure is the first step of the retune machine: it reads metrics, policies and the tuning record.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.MeasureRequest, retune.Measurement] {
	return retune.Measurer{
		Metrics:    cloudwatch.NewFromConfig(s.AWS()),
		Scaling:    applicationautoscaling.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		Source: retune.MetricSource{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
			Cluster:   s.Env.Text("CLUSTER_NAME"),
			Service:   s.Env.Text("SERVICE_NAME"),
		},
		MetricPeriod:    s.Env.Seconds("METRIC_PERIOD_SECONDS", backlog.LongestPeriod),
		AcceptableDelay: s.Env.Seconds("ACCEPTABLE_DELAY_SECONDS", backlog.LongestDelay),
		Policies: retune.Policies{
			ResourceID: s.Env.Text("SCALABLE_RESOURCE_ID"),
			Backlog:    s.Env.Text("BACKLOG_POLICY_NAME"),
			Rate:       s.Env.Text("RATE_POLICY_NAME"),
		},
		TuningParameter: s.Env.Text("TUNING_PARAMETER_NAME"),
		Defaults: retune.Request{
			Reason: "by hand",
			WindowMinutes: s.Env.Number(
				"RETUNE_WINDOW_MINUTES",
				retune.LeastWindow.Minutes(),
				retune.LongestWindow.Minutes(),
			),
			MinimumSamples: s.Env.Whole("RETUNE_MINIMUM_SAMPLES", 1, backlog.MostSamples),
			MaximumFactor:  s.Env.Number("RETUNE_MAXIMUM_FACTOR", backlog.LeastFactor, backlog.MostFactor),
		},
	}.Measure
}

// Command publish is the step of the retune machine that makes a run known: the tuning record, the metrics, and the
// line in the log of the runs.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.PublishRequest, retune.Published] {
	return retune.Publisher{
		Metrics:    cloudwatch.NewFromConfig(s.AWS()),
		Parameters: ssm.NewFromConfig(s.AWS()),
		Log:        cloudwatchlogs.NewFromConfig(s.AWS()),
		Source: retune.MetricSource{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
		},
		Alone:           s.Env.OneOf("RETUNE_STATE", "ENABLED", "DISABLED") == "DISABLED",
		TuningParameter: s.Env.Text("TUNING_PARAMETER_NAME"),
		RunLog:          s.Env.Text("RUN_LOG_GROUP"),
		DriftRule: retune.DriftRule{
			Factor:  s.Env.Number("DRIFT_FACTOR", backlog.LeastFactor, backlog.MostFactor),
			Periods: s.Env.Whole("DRIFT_PERIODS", 1, 60),
		},
	}.Publish
}

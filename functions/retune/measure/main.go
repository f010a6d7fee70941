// Command measure is the step of the retune machine that reads metrics, policies, the rollout and the tuning record.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.MeasureRequest, retune.Measured] {
	metrics := cloudwatch.NewFromConfig(s.AWS())
	return retune.Measurer{
		Metrics:    metrics,
		Scaling:    applicationautoscaling.NewFromConfig(s.AWS()),
		Services:   ecs.NewFromConfig(s.AWS()),
		Alarms:     metrics,
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
		DriftAlarm:      s.Env.Text("DRIFT_ALARM_NAME"),
		DriftRule: retune.DriftRule{
			Factor:  s.Env.Number("DRIFT_FACTOR", backlog.LeastFactor, backlog.MostFactor),
			Periods: s.Env.Whole("DRIFT_PERIODS", 1, 60),
		},
		ReplayLength: time.Duration(s.Env.Number("RETUNE_REPLAY_MINUTES", retune.LeastWindow.Minutes(),
			retune.LongestReplay.Minutes()) * float64(time.Minute)),
	}.Measure
}

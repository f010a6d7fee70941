// Command turn is the first step of the retune machine: it checks the input, and whether another execution goes first.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/retune"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[retune.TurnRequest, retune.Turn] {
	return retune.Usher{
		Executions: sfn.NewFromConfig(s.AWS()),
		Metrics:    cloudwatch.NewFromConfig(s.AWS()),
		Source: retune.MetricSource{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
		},
		Pause: s.Env.Seconds("RETUNE_PAUSE_SECONDS", 24*time.Hour),
		Defaults: retune.Request{
			Reason: "by hand",
			OnBusy: retune.BusyWait,
			WindowMinutes: s.Env.Number(
				"RETUNE_WINDOW_MINUTES",
				retune.LeastWindow.Minutes(),
				retune.LongestWindow.Minutes(),
			),
			MinimumSamples: s.Env.Whole("RETUNE_MINIMUM_SAMPLES", 1, backlog.MostSamples),
			MaximumFactor:  s.Env.Number("RETUNE_MAXIMUM_FACTOR", backlog.LeastFactor, backlog.MostFactor),
			WatchMinutes:   s.Env.Number("RETUNE_WATCH_MINUTES", 0, retune.LongestWatch.Minutes()),
			Choice:         s.Env.OneOf("RETUNE_CHOICE", retune.ByFormula, retune.ByReplay),
		},
	}.TakeTurn
}

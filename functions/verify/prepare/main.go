// Command prepare is the first step of the verify machine: it finds what is verified and how things stood before.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/verify"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[verify.PrepareRequest, verify.Plan] {
	dead, _ := s.Env.Lookup("DEAD_LETTER_QUEUE_URL") // may be empty
	return verify.Preparer{
		ECS:        ecs.NewFromConfig(s.AWS()),
		CloudWatch: cloudwatch.NewFromConfig(s.AWS()),
		SQS:        sqs.NewFromConfig(s.AWS()),
		Service: verify.Service{
			Cluster:   s.Env.Text("CLUSTER_NAME"),
			Name:      s.Env.Text("SERVICE_NAME"),
			Container: s.Env.Text("CONTAINER_NAME"),
		},
		Metrics: verify.Metrics{
			Namespace: s.Env.Text("METRIC_NAMESPACE"),
			Type:      s.Env.Text("METRIC_TYPE"),
			Queue:     s.Env.Text("QUEUE_NAME"),
			Period:    s.Env.Seconds("METRIC_PERIOD_SECONDS", time.Hour),
		},
		DeadLetterQueue: dead,
		FIFO:            s.Env.OneOf("QUEUE_TYPE", "standard", "fifo") == "fifo",
		AcceptableDelay: s.Env.Seconds("ACCEPTABLE_DELAY_SECONDS", 14*24*time.Hour),
		Start:           s.Env.Seconds("VERIFY_START_SECONDS", verify.LongestStart),
		Baseline:        s.Env.Seconds("VERIFY_BASELINE_SECONDS", verify.LongestBaseline),
		Rollback:        s.Env.Seconds("VERIFY_ROLLBACK_SECONDS", verify.LongestRollback),
		Defaults: verify.Request{
			Reason:   "by hand",
			Canary:   s.Env.OneOf("WORKER_ANSWERS_CANARIES", "true", "false") == "true",
			RollBack: true,
			Rollout:  s.Env.Seconds("VERIFY_ROLLOUT_SECONDS", verify.LongestRollout),
			Soak:     s.Env.Seconds("VERIFY_SOAK_SECONDS", verify.LongestSoak),
		},
	}.Prepare
}

// Command outcome is a step of the verify machine: it judges what has come of the version until now.
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

func build(s *lambdastep.Setup) lambdastep.Step[verify.OutcomeRequest, verify.Outcome] {
	dead, _ := s.Env.Lookup("DEAD_LETTER_QUEUE_URL") // may be empty
	return verify.OutcomeChecker{
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
		Queue:           s.Env.Text("QUEUE_URL"),
		DeadLetterQueue: dead,
		MaximumSlowdown: s.Env.Number("VERIFY_MAXIMUM_SLOWDOWN", 1, 100),
	}.Look
}

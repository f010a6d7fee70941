// Command rollout is a step of the verify machine: it tells how the rollout of the version stands.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/verify"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[verify.RolloutRequest, verify.Rollout] {
	return verify.RolloutWatcher{
		ECS: ecs.NewFromConfig(s.AWS()),
		Service: verify.Service{
			Cluster:   s.Env.Text("CLUSTER_NAME"),
			Name:      s.Env.Text("SERVICE_NAME"),
			Container: s.Env.Text("CONTAINER_NAME"),
		},
	}.Look
}

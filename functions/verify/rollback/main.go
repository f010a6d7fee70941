// Command rollback is a step of the verify machine: it takes the version back and tells how that stands.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/verify"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[verify.RollbackRequest, verify.Rollback] {
	return verify.Rollbacker{
		ECS: ecs.NewFromConfig(s.AWS()),
		Service: verify.Service{
			Cluster:   s.Env.Text("CLUSTER_NAME"),
			Name:      s.Env.Text("SERVICE_NAME"),
			Container: s.Env.Text("CONTAINER_NAME"),
		},
	}.Look
}

// Restore looks at the service after a rollback of the stack: it must run the image that it ran before the update.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

func main() {
	lambdastep.Run(func(s *lambdastep.Setup) lambdastep.Step[struct{}, workerimage.Restoration] {
		return workerimage.Restorer{
			Name: s.Env.Text("STACK_NAME"),
			Stack: workerimage.Stack{
				CloudFormation: cloudformation.NewFromConfig(s.AWS()),
				ECS:            ecs.NewFromConfig(s.AWS()),
				Service:        s.Env.Text("SERVICE_LOGICAL_ID"),
				Container:      s.Env.Text("CONTAINER_NAME"),
			},
			Records: workerimage.Records{
				Client: ssm.NewFromConfig(s.AWS()), Name: s.Env.Text("RECORD_PARAMETER_NAME"),
			},
			ECS: ecs.NewFromConfig(s.AWS()),
		}.Restore
	})
}

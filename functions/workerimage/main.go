// Workerimage is the custom resource that makes the worker's first image, and that decides at each update of the stack
// which image the service runs. The worker's binary lies beside this function's own in its package; the Makefile puts
// it there.
package main

import (
	"os"
	"path/filepath"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

func main() {
	lambdastep.RunCustomResource(func(s *lambdastep.Setup) cfn.CustomResourceFunction {
		return workerimage.Resource{
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
			Registry: workerimage.Registry{Login: workerimage.ECRLogin(ecr.NewFromConfig(s.AWS()))},
			Worker:   worker,
		}.Handle
	})
}

func worker() ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(filepath.Dir(self), "worker"))
}

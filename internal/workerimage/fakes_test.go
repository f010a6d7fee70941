package workerimage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// world is an account as far as the image of one stack concerns it. Its methods are those of the SDK's clients; fail
// makes one of them fail.
type world struct {
	parameters map[string]string
	status     cfntypes.StackStatus
	service    string            // physical id; empty: there is none
	settled    string            // task definition whose rollout completed
	rolling    string            // task definition that is being rolled out; may be empty
	images     map[string]string // by task definition
	updates    []*ecs.UpdateServiceInput
	fail       map[string]error // by operation
}

func newWorld() *world {
	return &world{
		parameters: map[string]string{}, images: map[string]string{}, status: cfntypes.StackStatusUpdateInProgress,
		fail: map[string]error{},
	}
}

// deploy gives the service a task definition with that image, as the pipeline or CloudFormation would.
func (w *world) deploy(taskDefinition, image string) {
	w.service = "arn:aws:ecs:us-east-1:123456789012:service/cluster/service"
	w.settled = taskDefinition
	w.images[taskDefinition] = image
}

func (w *world) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (
	*ssm.GetParameterOutput, error,
) {
	value, found := w.parameters[*in.Name]
	if err := w.fail["GetParameter"]; err != nil {
		return nil, err
	}
	if !found {
		return nil, &ssmtypes.ParameterNotFound{}
	}
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: &value}}, nil
}

func (w *world) PutParameter(_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (
	*ssm.PutParameterOutput, error,
) {
	if err := w.fail["PutParameter"]; err != nil {
		return nil, err
	}
	w.parameters[*in.Name] = *in.Value
	return &ssm.PutParameterOutput{}, nil
}

func (w *world) DeleteParameter(_ context.Context, in *ssm.DeleteParameterInput, _ ...func(*ssm.Options)) (
	*ssm.DeleteParameterOutput, error,
) {
	if err := w.fail["DeleteParameter"]; err != nil {
		return nil, err
	}
	if _, found := w.parameters[*in.Name]; !found {
		return nil, &ssmtypes.ParameterNotFound{}
	}
	delete(w.parameters, *in.Name)
	return &ssm.DeleteParameterOutput{}, nil
}

func (w *world) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (
	*cloudformation.DescribeStacksOutput, error,
) {
	return &cloudformation.DescribeStacksOutput{Stacks: []cfntypes.Stack{{StackStatus: w.status}}},
		w.fail["DescribeStacks"]
}

func (w *world) DescribeStackResource(
	context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options),
) (*cloudformation.DescribeStackResourceOutput, error) {
	if w.service == "" {
		return nil, &smithy.GenericAPIError{
			Code: "ValidationError", Message: "Resource Service does not exist for stack stack",
		}
	}
	return &cloudformation.DescribeStackResourceOutput{
		StackResourceDetail: &cfntypes.StackResourceDetail{PhysicalResourceId: &w.service},
	}, nil
}

func (w *world) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (
	*ecs.DescribeServicesOutput, error,
) {
	deployment := func(status, definition string, state ecstypes.DeploymentRolloutState) ecstypes.Deployment {
		return ecstypes.Deployment{Status: &status, TaskDefinition: &definition, RolloutState: state}
	}
	service := ecstypes.Service{
		Status: aws.String("ACTIVE"), TaskDefinition: &w.settled,
		Deployments: []ecstypes.Deployment{deployment("PRIMARY", w.settled, ecstypes.DeploymentRolloutStateCompleted)},
	}
	if w.rolling != "" {
		service.TaskDefinition = &w.rolling
		service.Deployments = []ecstypes.Deployment{
			deployment("PRIMARY", w.rolling, ecstypes.DeploymentRolloutStateInProgress),
			deployment("ACTIVE", w.settled, ecstypes.DeploymentRolloutStateCompleted),
		}
	}
	return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{service}}, w.fail["DescribeServices"]
}

func (w *world) DescribeTaskDefinition(
	_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options),
) (*ecs.DescribeTaskDefinitionOutput, error) {
	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &ecstypes.TaskDefinition{
		ContainerDefinitions: []ecstypes.ContainerDefinition{
			{Name: aws.String("sidecar"), Image: aws.String("elsewhere/sidecar@sha256:1")},
			{Name: aws.String("worker"), Image: aws.String(w.images[*in.TaskDefinition])},
		},
	}}, nil
}

func (w *world) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (
	*ecs.UpdateServiceOutput, error,
) {
	w.updates = append(w.updates, in)
	if err := w.fail["UpdateService"]; err != nil {
		return nil, err
	}
	w.settled = *in.TaskDefinition
	return &ecs.UpdateServiceOutput{}, nil
}

func (w *world) stack() Stack {
	return Stack{CloudFormation: w, ECS: w, Service: "Service", Container: "worker"}
}

func (w *world) records() Records { return Records{Client: w, Name: "/stack/worker-image"} }

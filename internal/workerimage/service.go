package workerimage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

type stackReader interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (
		*cloudformation.DescribeStacksOutput, error)
	DescribeStackResource(
		context.Context, *cloudformation.DescribeStackResourceInput, ...func(*cloudformation.Options),
	) (*cloudformation.DescribeStackResourceOutput, error)
}

type serviceReader interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (
		*ecs.DescribeServicesOutput, error)
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (
		*ecs.DescribeTaskDefinitionOutput, error)
}

// Stack finds the service of a stack. It is found by its logical id: the service is made after the image, so its name
// cannot be given to whoever makes the image.
type Stack struct {
	CloudFormation stackReader
	ECS            serviceReader
	Service        string // logical id
	Container      string // name of the worker's container in the task definition
}

// task is what a service runs.
type task struct {
	cluster, service string // names
	taskDefinition   string // ARN
	image            string // of the worker's container, as the task definition names it
}

// rollingBack tells whether the stack is on its way back from an update that failed.
func (s Stack) rollingBack(ctx context.Context, stack string) (bool, error) {
	page, err := s.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return false, fmt.Errorf("describe stack %s: %w", stack, err)
	}
	if len(page.Stacks) != 1 {
		return false, fmt.Errorf("describe stack %s: got %d stacks, want 1", stack, len(page.Stacks))
	}
	return strings.HasPrefix(string(page.Stacks[0].StackStatus), "UPDATE_ROLLBACK_"), nil
}

// running returns what the stack's service runs, or nil when there is no service.
func (s Stack) running(ctx context.Context, stack string) (*task, error) {
	resource, err := s.CloudFormation.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{
		StackName: &stack, LogicalResourceId: &s.Service,
	})
	var refused smithy.APIError
	if errors.As(err, &refused) && strings.Contains(refused.ErrorMessage(), "does not exist") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find %s of stack %s: %w", s.Service, stack, err)
	}
	id := aws.ToString(resource.StackResourceDetail.PhysicalResourceId)
	parts := strings.Split(id, "/") // arn:aws:ecs:<region>:<account>:service/<cluster>/<service>
	if len(parts) != 3 {
		return nil, nil // not made yet
	}
	return s.describe(ctx, parts[1], parts[2])
}

func (s Stack) describe(ctx context.Context, cluster, service string) (*task, error) {
	page, err := s.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{service}})
	if err != nil {
		return nil, fmt.Errorf("describe service %s: %w", service, err)
	}
	if len(page.Services) != 1 || aws.ToString(page.Services[0].Status) != "ACTIVE" {
		return nil, nil
	}
	definition := settled(page.Services[0])
	found, err := s.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &definition})
	if err != nil {
		return nil, fmt.Errorf("describe task definition %s: %w", definition, err)
	}
	running := task{cluster: cluster, service: service, taskDefinition: definition}
	for _, container := range found.TaskDefinition.ContainerDefinitions {
		if aws.ToString(container.Name) == s.Container {
			running.image = aws.ToString(container.Image)
		}
	}
	return &running, nil
}

// settled is the task definition that counts as running: that of the primary deployment, unless its rollout failed or
// is under way beside one that had completed, which then is the last that is known to work.
func settled(service types.Service) string {
	running := aws.ToString(service.TaskDefinition)
	for _, deployment := range service.Deployments {
		if deployment.RolloutState != types.DeploymentRolloutStateCompleted {
			continue
		}
		if aws.ToString(deployment.Status) == "PRIMARY" {
			return aws.ToString(service.TaskDefinition)
		}
		running = aws.ToString(deployment.TaskDefinition)
	}
	return running
}

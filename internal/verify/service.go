package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Snapshot is the state of a service at one moment.
type Snapshot struct {
	Active      bool // false: there is no such service
	Desired     int
	Running     int
	Deployments []Deployment // the primary one first
}

// Deployment is a set of tasks of one version.
type Deployment struct {
	Primary        bool
	TaskDefinition string // ARN
	State          string // IN_PROGRESS, COMPLETED or FAILED
	Reason         string // of the state, in the words of ECS
	Desired        int
	Running        int
	FailedTasks    int
	Created        time.Time
}

// primary returns the deployment that the service moves to, or nil.
func (s Snapshot) primary() *Deployment {
	for i := range s.Deployments {
		if s.Deployments[i].Primary {
			return &s.Deployments[i]
		}
	}
	return nil
}

// of returns the newest deployment of the task definition, or nil.
func (s Snapshot) of(taskDefinition string) *Deployment {
	for i := range s.Deployments {
		if s.Deployments[i].TaskDefinition == taskDefinition {
			return &s.Deployments[i]
		}
	}
	return nil
}

// othersDrain tells whether no deployment but the primary wants tasks any more.
func (s Snapshot) othersDrain() bool {
	for _, d := range s.Deployments {
		if !d.Primary && d.Desired > 0 && d.State != failed {
			return false
		}
	}
	return true
}

// Rollout states of ECS.
const (
	inProgress = string(types.DeploymentRolloutStateInProgress)
	completed  = string(types.DeploymentRolloutStateCompleted)
	failed     = string(types.DeploymentRolloutStateFailed)
)

type serviceClient interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (
		*ecs.DescribeServicesOutput, error)
}

// Service is the service whose versions are verified.
type Service struct {
	Cluster   string
	Name      string
	Container string // name of the worker's container in the task definition
}

func (s Service) snapshot(ctx context.Context, client serviceClient) (Snapshot, error) {
	page, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &s.Cluster, Services: []string{s.Name},
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("describe service %s: %w", s.Name, err)
	}
	if len(page.Services) != 1 || aws.ToString(page.Services[0].Status) != "ACTIVE" {
		return Snapshot{}, nil
	}
	found := page.Services[0]
	out := Snapshot{Active: true, Desired: int(found.DesiredCount), Running: int(found.RunningCount)}
	for _, d := range found.Deployments {
		out.Deployments = append(out.Deployments, Deployment{
			Primary:        aws.ToString(d.Status) == "PRIMARY",
			TaskDefinition: aws.ToString(d.TaskDefinition),
			State:          string(d.RolloutState),
			Reason:         aws.ToString(d.RolloutStateReason),
			Desired:        int(d.DesiredCount), Running: int(d.RunningCount), FailedTasks: int(d.FailedTasks),
			Created: aws.ToTime(d.CreatedAt),
		})
	}
	return out, nil
}

type definitionReader interface {
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (
		*ecs.DescribeTaskDefinitionOutput, error)
}

// version describes a task definition by its ARN.
func (s Service) version(ctx context.Context, client definitionReader, taskDefinition string) (Version, error) {
	found, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &taskDefinition})
	if err != nil {
		return Version{}, fmt.Errorf("describe task definition %s: %w", taskDefinition, err)
	}
	for _, container := range found.TaskDefinition.ContainerDefinitions {
		if aws.ToString(container.Name) == s.Container {
			image := aws.ToString(container.Image)
			_, digest, _ := strings.Cut(image, "@")
			return Version{
				TaskDefinition: short(taskDefinition), TaskDefinitionArn: taskDefinition,
				Image: image, ImageDigest: digest,
			}, nil
		}
	}
	return Version{}, fmt.Errorf("task definition %s has no container %q", taskDefinition, s.Container)
}

// short is the family:revision of a task definition's ARN.
func short(taskDefinition string) string {
	return taskDefinition[strings.LastIndexByte(taskDefinition, '/')+1:]
}

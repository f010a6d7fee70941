package retune

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Rollout says since when all tasks of the service are of one version.
type Rollout struct {
	Version     string     `json:"version"` // family:revision of the task definition; empty without a service
	InProgress  bool       `json:"inProgress"`
	CompletedAt *time.Time `json:"completedAt"` // the rollout of this version; nil while it is in progress
}

type serviceReader interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (
		*ecs.DescribeServicesOutput, error)
	ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput, ...func(*ecs.Options)) (
		*ecs.ListServiceDeploymentsOutput, error)
}

// readRollout looks at the service's present deployment and, for when it was completed, at the last one that ended
// well: ECS remembers those of 90 days ("ListServiceDeployments" in the Amazon ECS API Reference). For an older one the
// deployment's own beginning stands in, which is longer ago than any window reaches.
func (m MetricSource) readRollout(ctx context.Context, client serviceReader) (Rollout, error) {
	page, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &m.Cluster, Services: []string{m.Service},
	})
	if err != nil {
		return Rollout{}, fmt.Errorf("describe the service %s: %w", m.Service, err)
	}
	primary := primaryOf(page.Services)
	if primary == nil {
		return Rollout{}, nil
	}
	definition := aws.ToString(primary.TaskDefinition)
	rollout := Rollout{Version: definition[strings.LastIndexByte(definition, '/')+1:]}
	if primary.RolloutState == types.DeploymentRolloutStateInProgress {
		rollout.InProgress = true
		return rollout, nil
	}
	rollout.CompletedAt = primary.CreatedAt
	request := &ecs.ListServiceDeploymentsInput{
		Cluster: &m.Cluster, Service: &m.Service, Status: []types.ServiceDeploymentStatus{
			types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusRollbackSuccessful,
		},
	}
	for {
		page, err := client.ListServiceDeployments(ctx, request)
		if err != nil {
			return Rollout{}, fmt.Errorf("list the deployments of the service %s: %w", m.Service, err)
		}
		for _, d := range page.ServiceDeployments {
			if d.FinishedAt != nil && (rollout.CompletedAt == nil || d.FinishedAt.After(*rollout.CompletedAt)) {
				rollout.CompletedAt = d.FinishedAt
			}
		}
		if request.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			break
		}
	}
	if rollout.CompletedAt != nil {
		rollout.CompletedAt = aws.Time(rollout.CompletedAt.UTC())
	}
	return rollout, nil
}

func primaryOf(services []types.Service) *types.Deployment {
	for _, service := range services {
		for _, d := range service.Deployments {
			if aws.ToString(d.Status) == "PRIMARY" {
				return &d
			}
		}
	}
	return nil
}

package resources

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

func addCapacityProviders(kinds map[string]kind, config aws.Config) {
	c := capacity{ecs.NewFromConfig(config)}
	kinds["AWS::ECS::ClusterCapacityProviderAssociations"] = kind{
		fixed: []string{"Cluster"}, put: c.put, remove: c.remove,
	}
}

type capacity struct {
	api *ecs.Client
}

func (c capacity) put(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	in := ecs.PutClusterCapacityProvidersInput{ // empty lists, because the API wants both
		CapacityProviders: []string{}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	}
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	_, err := c.api.PutClusterCapacityProviders(ctx, &in)
	return ministack.ResourceResult{PhysicalID: text(r.Properties, "Cluster")}, err
}

func (c capacity) remove(ctx context.Context, r ministack.ResourceRequest) error {
	_, err := c.api.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
		Cluster: &r.PhysicalID, CapacityProviders: []string{},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	})
	var missing *types.ClusterNotFoundException
	if errors.As(err, &missing) {
		return nil
	}
	return err
}

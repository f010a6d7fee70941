package resources

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/wire"
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
	cluster := text(r.Properties, "Cluster")
	in := ecs.PutClusterCapacityProvidersInput{
		Cluster: &cluster, CapacityProviders: []string{}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	}
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	in.Cluster = &cluster
	if err := wire.Assign(&in.DefaultCapacityProviderStrategy, r.Properties["DefaultCapacityProviderStrategy"]); err != nil {
		return ministack.ResourceResult{}, err
	}
	_, err := c.api.PutClusterCapacityProviders(ctx, &in)
	return ministack.ResourceResult{PhysicalID: cluster}, err
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

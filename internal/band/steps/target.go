package steps

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/band"
)

// Target is the scalable target of the service.
type Target struct {
	ResourceID string // service/<cluster>/<service>
}

// MostTasks is more than a service can have (Amazon ECS service quotas: 5000).
const MostTasks = 5000

const (
	namespace        = types.ServiceNamespaceEcs
	dimensionOfTasks = types.ScalableDimensionECSServiceDesiredCount
)

type boundsReader interface {
	DescribeScalableTargets(context.Context, *applicationautoscaling.DescribeScalableTargetsInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalableTargetsOutput, error)
}

type boundsWriter interface {
	RegisterScalableTarget(context.Context, *applicationautoscaling.RegisterScalableTargetInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.RegisterScalableTargetOutput, error)
}

// bounds reads those in force.
func (t Target) bounds(ctx context.Context, client boundsReader) (band.Bounds, error) {
	got, err := client.DescribeScalableTargets(ctx, &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: namespace, ScalableDimension: dimensionOfTasks, ResourceIds: []string{t.ResourceID},
	})
	if err != nil {
		return band.Bounds{}, fmt.Errorf("read the bounds of %s: %w", t.ResourceID, err)
	}
	if len(got.ScalableTargets) == 0 {
		return band.Bounds{}, &NothingToLookAt{What: "the scalable target " + t.ResourceID}
	}
	target := got.ScalableTargets[0]
	return band.Bounds{Floor: int(aws.ToInt32(target.MinCapacity)), Ceiling: int(aws.ToInt32(target.MaxCapacity))}, nil
}

// move writes both bounds, and nothing else of the target: what is not given stays (RegisterScalableTarget in the
// Application Auto Scaling API Reference). The task count follows at once, with a scaling activity of its own.
func (t Target) move(ctx context.Context, client boundsWriter, b band.Bounds) error {
	_, err := client.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: namespace, ScalableDimension: dimensionOfTasks, ResourceId: &t.ResourceID,
		MinCapacity: aws.Int32(int32(b.Floor)), MaxCapacity: aws.Int32(int32(b.Ceiling)),
	})
	if err != nil {
		return fmt.Errorf("set the bounds of %s to %d and %d: %w", t.ResourceID, b.Floor, b.Ceiling, err)
	}
	return nil
}

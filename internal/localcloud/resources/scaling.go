package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

func addScaling(kinds map[string]kind, config aws.Config) {
	s := scaling{applicationautoscaling.NewFromConfig(config)}
	kinds["AWS::ApplicationAutoScaling::ScalableTarget"] = kind{
		fixed: []string{"ServiceNamespace", "ResourceId", "ScalableDimension"},
		put:   s.putTarget, remove: s.removeTarget,
	}
	kinds["AWS::ApplicationAutoScaling::ScalingPolicy"] = kind{
		fixed: []string{"PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension", "ScalingTargetId"},
		put:   s.putPolicy, remove: s.removePolicy,
	}
}

type scaling struct {
	api *applicationautoscaling.Client
}

// A scalable target's physical id is <resource id>|<dimension>|<namespace>; a policy may name its target by it.
func targetID(in *applicationautoscaling.RegisterScalableTargetInput) string {
	return strings.Join([]string{aws.ToString(in.ResourceId), string(in.ScalableDimension),
		string(in.ServiceNamespace)}, "|")
}

func (s scaling) putTarget(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in applicationautoscaling.RegisterScalableTargetInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	if _, ok := r.Properties["ScheduledActions"]; ok {
		return ministack.ResourceResult{}, errors.New("the local engine makes no ScheduledActions of a scalable target")
	}
	if _, err := s.api.RegisterScalableTarget(ctx, &in); err != nil {
		return ministack.ResourceResult{}, err
	}
	id := targetID(&in)
	return ministack.ResourceResult{PhysicalID: id, Attributes: map[string]any{"Id": id}}, nil
}

func (s scaling) removeTarget(ctx context.Context, r ministack.ResourceRequest) error {
	parts := strings.Split(r.PhysicalID, "|")
	if len(parts) != 3 {
		return fmt.Errorf("%q is no physical id of a scalable target", r.PhysicalID)
	}
	_, err := s.api.DeregisterScalableTarget(ctx, &applicationautoscaling.DeregisterScalableTargetInput{
		ResourceId: &parts[0], ScalableDimension: types.ScalableDimension(parts[1]),
		ServiceNamespace: types.ServiceNamespace(parts[2]),
	})
	return ignoreMissing(err)
}

func (s scaling) putPolicy(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in applicationautoscaling.PutScalingPolicyInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	if parts := strings.Split(text(r.Properties, "ScalingTargetId"), "|"); len(parts) == 3 {
		in.ResourceId = &parts[0]
		in.ScalableDimension = types.ScalableDimension(parts[1])
		in.ServiceNamespace = types.ServiceNamespace(parts[2])
	}
	out, err := s.api.PutScalingPolicy(ctx, &in)
	if err != nil {
		return ministack.ResourceResult{}, err
	}
	arn := aws.ToString(out.PolicyARN)
	return ministack.ResourceResult{PhysicalID: arn, Attributes: map[string]any{"Arn": arn}}, nil
}

// removePolicy finds out from the ARN what the policy belongs to:
// arn:aws:autoscaling:<region>:<account>:scalingPolicy:<id>:resource/<namespace>/<resource id>:policyName/<name>.
func (s scaling) removePolicy(ctx context.Context, r ministack.ResourceRequest) error {
	_, rest, found := strings.Cut(r.PhysicalID, ":resource/")
	resource, name, named := strings.Cut(rest, ":policyName/")
	namespace, id, split := strings.Cut(resource, "/")
	if !found || !named || !split {
		return fmt.Errorf("%q is no ARN of a scaling policy", r.PhysicalID)
	}
	name, _, _ = strings.Cut(name, ":") // ":createdBy/<id>" may follow
	_, err := s.api.DeleteScalingPolicy(ctx, &applicationautoscaling.DeleteScalingPolicyInput{
		PolicyName: &name, ResourceId: &id, ServiceNamespace: types.ServiceNamespace(namespace),
		ScalableDimension: types.ScalableDimension(dimensionOf(r, namespace)),
	})
	return ignoreMissing(err)
}

// dimensionOf is the scalable dimension of a policy's properties, which stand in its target's id if not in itself.
func dimensionOf(r ministack.ResourceRequest, namespace string) string {
	if dimension := text(r.Properties, "ScalableDimension"); dimension != "" {
		return dimension
	}
	if parts := strings.Split(text(r.Properties, "ScalingTargetId"), "|"); len(parts) == 3 {
		return parts[1]
	}
	return namespace + ":service:DesiredCount"
}

func ignoreMissing(err error) error {
	var missing *types.ObjectNotFoundException
	if errors.As(err, &missing) {
		return nil
	}
	return err
}

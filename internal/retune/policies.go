package retune

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

// Policies names the two scaling policies of this stack.
type Policies struct {
	ResourceID string // of the scalable target: service/<cluster>/<service>
	Backlog    string // policy name
	Rate       string // policy name
}

// PolicyMissing says that a policy of this stack does not exist.
type PolicyMissing struct{ Name, ResourceID string }

func (e *PolicyMissing) Error() string {
	return fmt.Sprintf(
		"the scaling policy %s of %s does not exist; nothing else is touched in its place: deploy the stack "+
			"again to make it anew",
		e.Name,
		e.ResourceID,
	)
}

// ErrorName is the name under which a state machine sees the error.
func (*PolicyMissing) ErrorName() string { return "PolicyMissing" }

// PolicyUnusable says that a policy of this stack is not one whose target could be moved.
type PolicyUnusable struct{ Name, Reason string }

func (e *PolicyUnusable) Error() string {
	return fmt.Sprintf(
		"the scaling policy %s cannot be tuned: %s; deploy the stack again to restore it",
		e.Name,
		e.Reason,
	)
}

// ErrorName is the name under which a state machine sees the error.
func (*PolicyUnusable) ErrorName() string { return "PolicyUnusable" }

type policyReader interface {
	DescribeScalingPolicies(context.Context, *applicationautoscaling.DescribeScalingPoliciesInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalingPoliciesOutput, error)
}

// read returns both policies whole.
func (p Policies) read(ctx context.Context, client policyReader) (backlog, rate types.ScalingPolicy, err error) {
	found := map[string]types.ScalingPolicy{}
	request := &applicationautoscaling.DescribeScalingPoliciesInput{
		ServiceNamespace:  types.ServiceNamespaceEcs,
		ResourceId:        aws.String(p.ResourceID),
		ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
		PolicyNames:       []string{p.Backlog, p.Rate},
	}
	for {
		answer, err := client.DescribeScalingPolicies(ctx, request)
		if err != nil {
			return backlog, rate, fmt.Errorf("read the scaling policies of %s: %w", p.ResourceID, err)
		}
		for _, policy := range answer.ScalingPolicies {
			// The filters of the request are not relied upon: another service's policy must never be touched.
			if aws.ToString(policy.ResourceId) == p.ResourceID &&
				policy.ServiceNamespace == types.ServiceNamespaceEcs &&
				policy.ScalableDimension == types.ScalableDimensionECSServiceDesiredCount {
				found[aws.ToString(policy.PolicyName)] = policy
			}
		}
		if aws.ToString(answer.NextToken) == "" {
			break
		}
		request.NextToken = answer.NextToken
	}
	if backlog, err = p.pick(found, p.Backlog); err != nil {
		return backlog, rate, err
	}
	rate, err = p.pick(found, p.Rate)
	return backlog, rate, err
}

func (p Policies) pick(found map[string]types.ScalingPolicy, name string) (types.ScalingPolicy, error) {
	policy, ok := found[name]
	switch {
	case !ok:
		return policy, &PolicyMissing{Name: name, ResourceID: p.ResourceID}
	case policy.PolicyType != types.PolicyTypeTargetTrackingScaling ||
		policy.TargetTrackingScalingPolicyConfiguration == nil:
		return policy, &PolicyUnusable{name, fmt.Sprintf("it is of the type %s, not %s",
			policy.PolicyType, types.PolicyTypeTargetTrackingScaling)}
	case policy.TargetTrackingScalingPolicyConfiguration.TargetValue == nil:
		return policy, &PolicyUnusable{name, "it has no target value"}
	}
	return policy, nil
}

func target(policy types.ScalingPolicy) float64 {
	return aws.ToFloat64(policy.TargetTrackingScalingPolicyConfiguration.TargetValue)
}

// settingsReader reads all that a retune may move.
type settingsReader interface {
	policyReader
	DescribeScalableTargets(context.Context, *applicationautoscaling.DescribeScalableTargetsInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalableTargetsOutput, error)
}

// readBounds returns the bounds of the scalable target, or nil if there is none.
func (p Policies) readBounds(ctx context.Context, client settingsReader) (*Bounds, error) {
	answer, err := client.DescribeScalableTargets(ctx, &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ResourceIds: []string{p.ResourceID},
		ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
	})
	if err != nil {
		return nil, fmt.Errorf("read the bounds of %s: %w", p.ResourceID, err)
	}
	for _, t := range answer.ScalableTargets {
		if aws.ToString(t.ResourceId) == p.ResourceID && t.MinCapacity != nil && t.MaxCapacity != nil {
			return &Bounds{MinTasks: int(*t.MinCapacity), MaxTasks: int(*t.MaxCapacity)}, nil
		}
	}
	return nil, nil
}

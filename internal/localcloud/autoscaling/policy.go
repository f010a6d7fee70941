package autoscaling

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// maxPolicies and maxStepAdjustments are AWS quotas.
const (
	maxPolicies        = 50
	maxStepAdjustments = 20
)

// policy is a scaling policy of a target.
type policy struct {
	name     string
	kind     types.PolicyType
	arn      string
	created  time.Time
	step     *types.StepScalingPolicyConfiguration
	tracking *types.TargetTrackingScalingPolicyConfiguration
	alarms   []string             // names of the alarms that the service made for it
	engaged  []tracking.AlarmSpec // of a step policy: the alarms that the engine knows of
	creator  string               // marks the policy's ARN in the actions of its alarms
}

var policyNamePattern = regexp.MustCompile(`^[\pL\pM\pN\pP\pS\pZ]+$`)

func (s *Server) putScalingPolicy(
	ctx context.Context,
	in *aas.PutScalingPolicyInput,
) (*aas.PutScalingPolicyOutput, error) {
	k, err := checkPutPolicy(in)
	if err != nil {
		return nil, err
	}
	if err := s.authorizePolicy(ctx, "PutScalingPolicy", k); err != nil {
		return nil, err
	}
	t, err := s.own(ctx, k, notRegistered)
	if err != nil {
		return nil, err
	}
	defer t.unlock()
	old := t.policy(*in.PolicyName)
	p, err := s.newPolicy(t, old, in)
	if err != nil {
		return nil, err
	}
	if err := s.install(t, p, old); err != nil {
		return nil, err
	}
	return &aas.PutScalingPolicyOutput{PolicyARN: aws.String(p.arn), Alarms: s.shownAlarms(p)}, nil
}

func checkPutPolicy(in *aas.PutScalingPolicyInput) (key, error) {
	var v wire.Violations
	if wire.Required(&v, "policyName", in.PolicyName) {
		v.Length("policyName", in.PolicyName, 1, 256)
		v.Pattern("policyName", in.PolicyName, policyNamePattern, `\p{Print}+`)
	}
	k := members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}.check(&v)
	wire.Enum(&v, "policyType", in.PolicyType, in.PolicyType.Values())
	if c := in.StepScalingPolicyConfiguration; c != nil {
		checkStepMembers(&v, c)
	}
	if c := in.TargetTrackingScalingPolicyConfiguration; c != nil {
		checkTrackingMembers(&v, c)
	}
	if err := violated(&v); err != nil {
		return k, err
	}
	return k, k.matches()
}

// newPolicy merges a request with the policy of that name, if there is one, and checks the meaning of the whole.
func (s *Server) newPolicy(t *target, old *policy, in *aas.PutScalingPolicyInput) (*policy, error) {
	p := &policy{
		name: *in.PolicyName, kind: in.PolicyType, created: time.Now(), creator: wire.UUID(),
		step: in.StepScalingPolicyConfiguration, tracking: in.TargetTrackingScalingPolicyConfiguration,
	}
	p.arn = fmt.Sprintf("arn:aws:autoscaling:%s:%s:scalingPolicy:%s:resource/%s/%s:policyName/%s",
		s.Region, s.Account, wire.UUID(), t.namespace, t.resource, p.name)
	if old != nil {
		p.arn, p.created, p.creator = old.arn, old.created, old.creator
		if p.kind == "" {
			p.kind = old.kind
		}
		if p.kind != old.kind {
			return nil, validation("The policy type of the scaling policy %s cannot be changed from %s to %s.",
				p.name, old.kind, p.kind)
		}
		if p.step == nil && p.tracking == nil {
			p.step, p.tracking = old.step, old.tracking
		}
	} else if len(t.policies) >= maxPolicies {
		return nil, limitExceeded("Maximum number of scaling policies per scalable target exceeded: %d.", maxPolicies)
	}
	if p.kind == "" {
		p.kind = types.PolicyTypeStepScaling // the API's default
	}
	return p, s.checkPolicy(t, p)
}

// trackingOnly are the services that have no step scaling.
var trackingOnly = []string{"dynamodb", "comprehend", "lambda", "cassandra", "kafka", "elasticache", "neptune"}

func (s *Server) checkPolicy(t *target, p *policy) error {
	switch p.kind {
	case types.PolicyTypeStepScaling:
		switch {
		case p.tracking != nil:
			return validation(
				"Scaling policy type StepScaling cannot have a TargetTrackingScalingPolicyConfiguration.",
			)
		case p.step == nil:
			return validation("Scaling policy type StepScaling requires a StepScalingPolicyConfiguration.")
		case slices.Contains(trackingOnly, t.namespace):
			return validation("StepScaling is not supported for the service namespace %s.", t.namespace)
		}
		return checkStep(p.step)
	case types.PolicyTypeTargetTrackingScaling:
		switch {
		case p.step != nil:
			return validation(
				"Scaling policy type TargetTrackingScaling cannot have a StepScalingPolicyConfiguration.",
			)
		case p.tracking == nil:
			return validation(
				"Scaling policy type TargetTrackingScaling requires a TargetTrackingScalingPolicyConfiguration.",
			)
		}
		return checkTracking(t, p)
	default: // PredictiveScaling
		return validation("Scaling policy type %s is not served by the local engine.", p.kind)
	}
}

// install gives a checked policy to the autoscaler and puts it in the place of the old one.
func (s *Server) install(t *target, p, old *policy) error {
	if old != nil {
		p.alarms = old.alarms
	}
	if t.engine != nil {
		if err := s.engage(t, p); err != nil {
			return err
		}
	} else if s.Monitor != nil && p.kind == types.PolicyTypeTargetTrackingScaling {
		s.showInertAlarms(t, p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(t.policies, old); old != nil && i >= 0 {
		t.policies[i] = p
		return nil
	}
	t.policies = append(t.policies, p)
	return nil
}

// policy returns the policy of that name or nil.
func (t *target) policy(name string) *policy {
	for _, p := range t.policies {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (s *Server) describeScalingPolicies(
	ctx context.Context,
	in *aas.DescribeScalingPoliciesInput,
) (*aas.DescribeScalingPoliciesOutput, error) {
	k, err := s.filter(ctx, "DescribeScalingPolicies",
		members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}, "policyNames", in.PolicyNames)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []types.ScalingPolicy{}
	for _, t := range s.selected(k) {
		for _, p := range t.policies {
			if len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, p.name) {
				found = append(found, s.shownPolicy(t, p))
			}
		}
	}
	page, next, err := page(found, in.MaxResults, in.NextToken, 50)
	return &aas.DescribeScalingPoliciesOutput{ScalingPolicies: page, NextToken: next}, err
}

func (s *Server) shownPolicy(t *target, p *policy) types.ScalingPolicy {
	return types.ScalingPolicy{
		PolicyARN: aws.String(p.arn), PolicyName: aws.String(p.name), PolicyType: p.kind,
		ServiceNamespace: types.ServiceNamespace(t.namespace), ResourceId: aws.String(t.resource),
		ScalableDimension:              types.ScalableDimension(t.dimension),
		StepScalingPolicyConfiguration: p.step, TargetTrackingScalingPolicyConfiguration: p.tracking,
		Alarms: s.shownAlarms(p), CreationTime: aws.Time(p.created),
	}
}

func (s *Server) deleteScalingPolicy(
	ctx context.Context,
	in *aas.DeleteScalingPolicyInput,
) (*aas.DeleteScalingPolicyOutput, error) {
	k, err := members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}.named("policyName", in.PolicyName)
	if err != nil {
		return nil, err
	}
	if err := s.authorizePolicy(ctx, "DeleteScalingPolicy", k); err != nil {
		return nil, err
	}
	absent := func(k key) *wire.Fault {
		return notFound("No scaling policy found for %s, policy name: %s", k, *in.PolicyName)
	}
	t, err := s.own(ctx, k, absent)
	if err != nil {
		return nil, err
	}
	defer t.unlock()
	p := t.policy(*in.PolicyName)
	if p == nil {
		return nil, absent(k)
	}
	if t.engine != nil {
		t.engine.DeletePolicy(p.name)
	}
	s.dropAlarms(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.policies = slices.DeleteFunc(t.policies, func(o *policy) bool { return o == p })
	return &aas.DeleteScalingPolicyOutput{}, nil
}

// authorizePolicy asks for what AWS asks of whoever writes a policy: the action itself and, for services of ECS, what
// the policy will do in the caller's name (Amazon ECS: IAM permissions required for service auto scaling).
func (s *Server) authorizePolicy(ctx context.Context, action string, k key) error {
	if err := s.authorizeTarget(ctx, action, k); err != nil {
		return err
	}
	cluster, service, ok := k.service()
	if s.Authorize == nil || !ok {
		return nil
	}
	alarms := s.alarmARN("TargetTracking-" + k.resource + "-*")
	needs := []struct{ action, resource string }{
		{"cloudwatch:DescribeAlarms", alarms},
		{"cloudwatch:DeleteAlarms", alarms},
	}
	if action == "PutScalingPolicy" {
		arn := fmt.Sprintf("arn:aws:ecs:%s:%s:service/%s/%s", s.Region, s.Account, cluster, service)
		needs = append(needs, []struct{ action, resource string }{
			{"cloudwatch:PutMetricAlarm", alarms},
			{"ecs:DescribeServices", arn}, {"ecs:UpdateService", arn},
		}...)
	}
	for _, n := range needs {
		if err := s.Authorize(ctx, n.action, n.resource, nil); err != nil {
			return err
		}
	}
	return nil
}

package autoscaling

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// target is a scalable target. Who changes it holds its turn, also while the change is carried out; the fields are
// written under the server's mutex, so that requests that only read need no turn.
type target struct {
	key
	turn      chan struct{} // holds one token while somebody changes the target
	arn       string
	roleARN   string
	created   time.Time
	bounds    tracking.Bounds
	suspended types.SuspendedState
	tags      map[string]string
	policies  []*policy          // in the order of their creation
	scheduled []*scheduledAction // likewise
	engine    *tracking.Engine   // nil for what is not alive: other services than ECS
	gone      bool               // deregistered
}

// maxWait is how long a request waits for its turn before it is told ConcurrentUpdateException.
const maxWait = 10 * time.Second

// lock takes the target's turn.
func (t *target) lock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return concurrent()
	}
}

func (t *target) unlock() { <-t.turn }

// find returns a target, or nil. It takes the server's mutex.
func (s *Server) find(k key) *target {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.targets {
		if t.key == k {
			return t
		}
	}
	return nil
}

// own finds a target and takes its turn; the caller unlocks it.
func (s *Server) own(ctx context.Context, k key, absent func(key) *wire.Fault) (*target, error) {
	t := s.find(k)
	if t == nil {
		return nil, absent(k)
	}
	if err := t.lock(ctx); err != nil {
		return nil, err
	}
	if t.gone {
		t.unlock()
		return nil, absent(k)
	}
	return t, nil
}

func (s *Server) registerScalableTarget(
	ctx context.Context,
	in *aas.RegisterScalableTargetInput,
) (*aas.RegisterScalableTargetOutput, error) {
	var v wire.Violations
	k := members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}.check(&v)
	checkID(&v, "roleARN", in.RoleARN)
	checkTags(&v, in.Tags)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := k.matches(); err != nil {
		return nil, err
	}
	if err := s.authorizeTarget(ctx, "RegisterScalableTarget", k); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := s.authorize(ctx, "TagResource", s.targetARN("*"), k); err != nil {
			return nil, err
		}
	}
	capacity, err := s.capacity(ctx, k)
	if err != nil {
		return nil, err
	}
	t, err := s.registered(ctx, k, in)
	if err != nil {
		return nil, err
	}
	defer t.unlock()
	if err := s.change(ctx, t, in, capacity); err != nil {
		return nil, err
	}
	return &aas.RegisterScalableTargetOutput{ScalableTargetARN: aws.String(t.arn)}, nil
}

// registered returns the target of that key, made if need be, with its turn taken.
func (s *Server) registered(ctx context.Context, k key, in *aas.RegisterScalableTargetInput) (*target, error) {
	if t := s.find(k); t != nil {
		if err := t.lock(ctx); err != nil {
			return nil, err
		}
		if !t.gone {
			least, most := cmpOr(in.MinCapacity, t.bounds.Min), cmpOr(in.MaxCapacity, t.bounds.Max)
			if err := checkBounds(least, most); err != nil {
				t.unlock()
				return nil, err
			}
			if len(in.Tags) > 0 {
				t.unlock()
				return nil, validation(
					"Tags can be given only when a scalable target is registered for the first time."+
						" Use TagResource for the scalable target with %s.",
					k,
				)
			}
			return t, nil
		}
		t.unlock()
	}
	if in.MinCapacity == nil || in.MaxCapacity == nil {
		return nil, validation(
			"Both minimum capacity and maximum capacity are required to register a new scalable target.",
		)
	}
	if err := checkBounds(int(*in.MinCapacity), int(*in.MaxCapacity)); err != nil {
		return nil, err
	}
	return s.newTarget(k, in)
}

func (s *Server) newTarget(k key, in *aas.RegisterScalableTargetInput) (*target, error) {
	t := &target{
		key: k, turn: make(chan struct{}, 1), created: time.Now(), tags: in.Tags,
		arn:    s.targetARN("0ec5" + strings.ReplaceAll(wire.UUID(), "-", "")),
		bounds: tracking.Bounds{Min: int(*in.MinCapacity), Max: int(*in.MaxCapacity)},
		suspended: types.SuspendedState{
			DynamicScalingInSuspended: aws.Bool(false), DynamicScalingOutSuspended: aws.Bool(false),
			ScheduledScalingSuspended: aws.Bool(false),
		},
		roleARN: s.serviceLinkedRole(k.namespace),
	}
	if k.namespace == ecsNamespace && s.Monitor != nil {
		engine, err := tracking.New(tracking.Config{
			ResourceID: k.resource, Bounds: t.bounds, Assumptions: s.assumptions, Metrics: s.Monitor,
			NewID: wire.UUID,
		})
		if err != nil {
			return nil, fmt.Errorf("the autoscaler of %s: %w", k.resource, err)
		}
		t.engine = engine
	}
	t.turn <- struct{}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets = append(s.targets, t)
	return t, nil
}

// change applies what a registration asks for; the new bounds move the service at once.
func (s *Server) change(
	ctx context.Context,
	t *target,
	in *aas.RegisterScalableTargetInput,
	c tracking.Capacity,
) error {
	bounds := tracking.Bounds{Min: cmpOr(in.MinCapacity, t.bounds.Min), Max: cmpOr(in.MaxCapacity, t.bounds.Max)}
	s.mu.Lock()
	t.bounds = bounds
	if in.RoleARN != nil {
		t.roleARN = *in.RoleARN
	}
	merge(&t.suspended, in.SuspendedState)
	s.mu.Unlock()
	if t.engine == nil {
		return nil
	}
	t.engine.Suspend(suspension(t.suspended))
	decision, err := t.engine.SetBounds(time.Now(), bounds, c)
	if err != nil {
		return validation("%v", err)
	}
	s.carryOut(ctx, t, decision)
	return nil
}

// merge overwrites the flags that are given.
func merge(to *types.SuspendedState, from *types.SuspendedState) {
	if from == nil {
		return
	}
	for _, flag := range []struct{ to, from **bool }{
		{&to.DynamicScalingInSuspended, &from.DynamicScalingInSuspended},
		{&to.DynamicScalingOutSuspended, &from.DynamicScalingOutSuspended},
		{&to.ScheduledScalingSuspended, &from.ScheduledScalingSuspended},
	} {
		if *flag.from != nil {
			*flag.to = aws.Bool(**flag.from)
		}
	}
}

func suspension(s types.SuspendedState) tracking.Suspended {
	return tracking.Suspended{
		In: aws.ToBool(s.DynamicScalingInSuspended), Out: aws.ToBool(s.DynamicScalingOutSuspended),
		Scheduled: aws.ToBool(s.ScheduledScalingSuspended),
	}
}

// checkBounds refuses what AWS refuses.
func checkBounds(least, most int) error {
	switch {
	case least < 0:
		return validation("Minimum capacity cannot be less than 0: %d.", least)
	case most < 0:
		return validation("Maximum capacity cannot be less than 0: %d.", most)
	case least > most:
		return validation("Maximum capacity cannot be less than minimum capacity: %d < %d.", most, least)
	}
	return nil
}

func cmpOr(given *int32, otherwise int) int {
	if given == nil {
		return otherwise
	}
	return int(*given)
}

func (s *Server) describeScalableTargets(
	ctx context.Context,
	in *aas.DescribeScalableTargetsInput,
) (*aas.DescribeScalableTargetsOutput, error) {
	var v wire.Violations
	k := members{in.ServiceNamespace, nil, in.ScalableDimension}.checkPresent(&v)
	if in.ServiceNamespace == "" {
		v.Missing("serviceNamespace")
	}
	checkIDs(&v, "resourceIds", in.ResourceIds)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "DescribeScalableTargets", "*", k); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []types.ScalableTarget{}
	for _, t := range s.targets {
		if t.namespace == k.namespace && (k.dimension == "" || t.dimension == k.dimension) &&
			(len(in.ResourceIds) == 0 || slices.Contains(in.ResourceIds, t.resource)) {
			found = append(found, t.shown())
		}
	}
	page, next, err := page(found, in.MaxResults, in.NextToken, 50)
	return &aas.DescribeScalableTargetsOutput{ScalableTargets: page, NextToken: next}, err
}

func (t *target) shown() types.ScalableTarget {
	suspended := t.suspended
	return types.ScalableTarget{
		ServiceNamespace: types.ServiceNamespace(t.namespace), ResourceId: aws.String(t.resource),
		ScalableDimension: types.ScalableDimension(t.dimension), ScalableTargetARN: aws.String(t.arn),
		MinCapacity: aws.Int32(int32(t.bounds.Min)), MaxCapacity: aws.Int32(int32(t.bounds.Max)),
		RoleARN: aws.String(t.roleARN), CreationTime: aws.Time(t.created), SuspendedState: &suspended,
	}
}

func (s *Server) deregisterScalableTarget(
	ctx context.Context,
	in *aas.DeregisterScalableTargetInput,
) (*aas.DeregisterScalableTargetOutput, error) {
	var v wire.Violations
	k := members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}.check(&v)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := k.matches(); err != nil {
		return nil, err
	}
	if err := s.authorizeTarget(ctx, "DeregisterScalableTarget", k); err != nil {
		return nil, err
	}
	t, err := s.own(ctx, k, func(k key) *wire.Fault { return notFound("No scalable target found for %s", k) })
	if err != nil {
		return nil, err
	}
	defer t.unlock()
	s.forget(t)
	return &aas.DeregisterScalableTargetOutput{}, nil
}

// forget removes a target with its policies, their alarms and its scheduled actions. Needs the target's turn.
func (s *Server) forget(t *target) {
	for _, p := range t.policies {
		s.dropAlarms(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.gone = true
	s.targets = slices.DeleteFunc(s.targets, func(o *target) bool { return o == t })
}

func (s *Server) targetARN(id string) string {
	return fmt.Sprintf("arn:aws:application-autoscaling:%s:%s:scalable-target/%s", s.Region, s.Account, id)
}

// authorizeTarget asks for a permission on a target, which may not be registered yet.
func (s *Server) authorizeTarget(ctx context.Context, action string, k key) error {
	arn := s.targetARN("*")
	if t := s.find(k); t != nil {
		arn = t.arn
	}
	return s.authorize(ctx, action, arn, k)
}

// serviceLinkedRole is the role under which AWS scales a service's resources.
func (s *Server) serviceLinkedRole(namespace string) string {
	names := map[string]string{
		"ecs": "ECSService", "ec2": "EC2SpotFleetRequest", "appstream": "AppStreamFleet", "dynamodb": "DynamoDBTable",
		"rds": "RDSCluster", "sagemaker": "SageMakerEndpoint", "custom-resource": "CustomResource",
		"comprehend": "ComprehendEndpoint", "lambda": "LambdaConcurrency", "cassandra": "CassandraTable",
		"kafka": "KafkaCluster", "elasticache": "ElastiCacheRG", "neptune": "NeptuneCluster",
		"workspaces": "WorkSpacesPool", "elasticmapreduce": "EMRContainers",
	}
	return fmt.Sprintf("arn:aws:iam::%s:role/aws-service-role/%s.application-autoscaling.amazonaws.com/"+
		"AWSServiceRoleForApplicationAutoScaling_%s", s.Account, namespace, names[namespace])
}

package autoscaling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// engage gives a policy to the target's engine and shows its alarms. Needs the target's turn.
func (s *Server) engage(t *target, p *policy) error {
	if p.kind == types.PolicyTypeStepScaling {
		return s.engageStep(t, p)
	}
	metrics, err := trackedMetrics(t.resource, p.tracking)
	if err != nil {
		return validation("%v", err)
	}
	s.Monitor.Track(metrics)
	err = t.engine.PutTargetTracking(time.Now(), tracking.TargetTracking{
		Name: p.name, Target: *p.tracking.TargetValue, Metrics: metrics,
		ScaleOutCooldown: seconds(p.tracking.ScaleOutCooldown), ScaleInCooldown: seconds(p.tracking.ScaleInCooldown),
		DisableScaleIn: aws.ToBool(p.tracking.DisableScaleIn),
	})
	if err != nil {
		return validation("%v", err)
	}
	var names []string
	for _, status := range t.engine.Alarms() {
		if status.Policy == p.name {
			names = append(names, status.Spec.Name)
			s.showAlarm(p, status)
		}
	}
	s.replaceAlarms(p, names)
	return nil
}

func (s *Server) engageStep(t *target, p *policy) error {
	steps := make([]tracking.Step, len(p.step.StepAdjustments))
	for i, a := range p.step.StepAdjustments {
		steps[i] = tracking.Step{
			Lower: a.MetricIntervalLowerBound, Upper: a.MetricIntervalUpperBound,
			Adjustment: int(*a.ScalingAdjustment),
		}
	}
	alarms := s.Monitor.AlarmsNaming(p.arn)
	for _, a := range alarms {
		s.Monitor.Track(a.Metrics)
	}
	err := t.engine.PutStep(time.Now(), tracking.StepScaling{
		Name: p.name, Adjustment: tracking.AdjustmentType(p.step.AdjustmentType), Steps: steps,
		MinAdjustment: int(aws.ToInt32(p.step.MinAdjustmentMagnitude)), Cooldown: seconds(p.step.Cooldown),
		Aggregation: string(p.step.MetricAggregationType), Alarms: alarms,
	})
	if err != nil {
		return validation("%v", err)
	}
	p.engaged = alarms
	return nil
}

func seconds(n *int32) *time.Duration {
	if n == nil {
		return nil
	}
	d := time.Duration(*n) * time.Second
	return &d
}

// trackedMetrics is the metric math request behind a policy.
func trackedMetrics(
	resource string,
	c *types.TargetTrackingScalingPolicyConfiguration,
) ([]tracking.MetricQuery, error) {
	if p := c.PredefinedMetricSpecification; p != nil {
		return tracking.PredefinedMetric(string(p.PredefinedMetricType), resource)
	}
	m := c.CustomizedMetricSpecification
	if len(m.Metrics) == 0 {
		dimensions := make([]tracking.Dimension, len(m.Dimensions))
		for i, d := range m.Dimensions {
			dimensions[i] = tracking.Dimension{Name: *d.Name, Value: *d.Value}
		}
		return tracking.SingleMetric(tracking.Metric{
			Namespace: *m.Namespace, Name: *m.MetricName, Dimensions: dimensions, Stat: string(m.Statistic),
			Unit: aws.ToString(m.Unit),
		}), nil
	}
	queries := make([]tracking.MetricQuery, len(m.Metrics))
	for i, q := range m.Metrics {
		queries[i] = trackedQuery(q)
	}
	return queries, nil
}

func trackedQuery(q types.TargetTrackingMetricDataQuery) tracking.MetricQuery {
	out := tracking.MetricQuery{ID: *q.Id, Expression: aws.ToString(q.Expression), Label: aws.ToString(q.Label),
		ReturnData: q.ReturnData == nil || *q.ReturnData}
	if q.MetricStat == nil {
		return out
	}
	m := q.MetricStat
	out.Metric = &tracking.Metric{
		Namespace: aws.ToString(m.Metric.Namespace),
		Name:      aws.ToString(m.Metric.MetricName),
		Stat:      aws.ToString(m.Stat),
		Unit:      aws.ToString(m.Unit),
	}
	for _, d := range m.Metric.Dimensions {
		out.Metric.Dimensions = append(out.Metric.Dimensions,
			tracking.Dimension{Name: aws.ToString(d.Name), Value: aws.ToString(d.Value)})
	}
	return out
}

// capacity reads the state of the service behind a target. For what is not a service of ECS it is empty.
func (s *Server) capacity(ctx context.Context, k key) (tracking.Capacity, error) {
	cluster, service, ok := k.service()
	if !ok || s.ECS == nil {
		return tracking.Capacity{}, nil
	}
	missing := validation("ECS service doesn't exist: %s", k.resource)
	out, err := s.ECS.DescribeServices(ctx,
		&ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{service}})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && strings.Contains(api.ErrorCode(), "NotFound"):
		return tracking.Capacity{}, missing
	case err != nil:
		return tracking.Capacity{}, fmt.Errorf("reading the service %s: %w", k.resource, err)
	case len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE":
		return tracking.Capacity{}, missing
	}
	one := out.Services[0]
	c := tracking.Capacity{
		Desired: int(one.DesiredCount),
		Running: int(one.RunningCount),
		Pending: int(one.PendingCount),
	}
	for _, d := range one.Deployments {
		c.Deploying = c.Deploying || len(one.Deployments) > 1 || d.RolloutState == "IN_PROGRESS"
	}
	return c, nil
}

// setDesired sets the service's desired count.
func (s *Server) setDesired(ctx context.Context, k key, count int) error {
	cluster, service, ok := k.service()
	if !ok || s.ECS == nil {
		return nil
	}
	_, err := s.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: &cluster, Service: &service, DesiredCount: aws.Int32(int32(count)),
	})
	return err
}

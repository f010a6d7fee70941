package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	scaling "github.com/awslabs/goformation/v7/cloudformation/applicationautoscaling"
)

const scaleFromZero = "ScaleFromZero" // condition: no task may be left running

func addScaling(s *stack) {
	s.condition(scaleFromZero, cfn.Equals(cfn.Ref("MinTasks"), "0"))

	s.heading("How many tasks: two targets, of which either adds tasks and both must agree to remove one.")
	s.resource("ScalableTarget", with(&scaling.ScalableTarget{
		ServiceNamespace:  "ecs",
		ScalableDimension: "ecs:service:DesiredCount",
		ResourceId:        scalableResourceID(),
	}, properties{
		"MinCapacity": cfn.Ref("MinTasks"),
		"MaxCapacity": cfn.Ref("MaxTasks"),
	}))
	for _, p := range trackingPolicies() {
		s.resource(p.id, p.resource())
	}

	s.heading("The step from zero tasks to one, when zero are allowed.")
	s.resource("FromZeroScalingPolicy", with(&scaling.ScalingPolicy{
		PolicyName:      policyName("from-zero"),
		PolicyType:      "StepScaling",
		ScalingTargetId: new(cfn.Ref("ScalableTarget")),
		StepScalingPolicyConfiguration: &scaling.ScalingPolicy_StepScalingPolicyConfiguration{
			AdjustmentType:        new("ChangeInCapacity"),
			MetricAggregationType: new("Maximum"),
			StepAdjustments: []scaling.ScalingPolicy_StepAdjustment{
				{MetricIntervalLowerBound: new(0.0), ScalingAdjustment: 1},
			},
		},
		AWSCloudFormationCondition: scaleFromZero,
	}, properties{
		// The alarm goes on while the task starts; until this is over it adds no second one.
		"StepScalingPolicyConfiguration.Cooldown": cfn.Ref("ScaleOutCooldownSeconds"),
	}))
	s.resource("FromZeroAlarm", alarm{
		description: "Messages are visible and no task runs: the step policy starts one.",
		// A count that is late is the newest known; one that was never published
		// is none. Messages that are not counted yet are no datapoint, which the
		// alarm waits for.
		metrics: []metric{visible(), running(),
			{id: "waiting", label: "Waiting for a first task",
				expression: "IF(visible > 0, IF(FILL(FILL(running, REPEAT), 0) < 1, 1, 0), 0)"}},
		comparison: atLeast, threshold: 1, periods: 2, datapoints: 2,
		actions: []string{cfn.Ref("FromZeroScalingPolicy")}, condition: scaleFromZero,
	}.resource())
}

// trackingPolicy holds a metric at a target that InitialTargets answers.
type trackingPolicy struct {
	id, name string
	target   string   // attribute of InitialTargets
	metrics  []metric // the last one is tracked
}

func trackingPolicies() []trackingPolicy {
	return []trackingPolicy{
		{"BacklogScalingPolicy", "backlog", "BacklogTarget", backlogPerTask()},
		{"RateScalingPolicy", "rate", "RateTarget", sentPerTask()},
	}
}

func policyName(kind string) string { return cfn.Sub("${AWS::StackName}-" + kind) }

func (p trackingPolicy) resource() cfn.Resource {
	var queries []scaling.ScalingPolicy_TargetTrackingMetricDataQuery
	for i, m := range p.metrics {
		queries = append(queries, m.trackingQuery(i == len(p.metrics)-1))
	}
	return with(&scaling.ScalingPolicy{
		PolicyName:      policyName(p.name),
		PolicyType:      "TargetTrackingScaling",
		ScalingTargetId: new(cfn.Ref("ScalableTarget")),
		TargetTrackingScalingPolicyConfiguration: &scaling.ScalingPolicy_TargetTrackingScalingPolicyConfiguration{
			CustomizedMetricSpecification: &scaling.ScalingPolicy_CustomizedMetricSpecification{Metrics: queries},
		},
	}, properties{
		"TargetTrackingScalingPolicyConfiguration.TargetValue":      cfn.GetAtt(initialTargets, p.target),
		"TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown": cfn.Ref("ScaleOutCooldownSeconds"),
		"TargetTrackingScalingPolicyConfiguration.ScaleInCooldown":  cfn.Ref("ScaleInCooldownSeconds"),
	})
}

func (m metric) trackingQuery(tracked bool) scaling.ScalingPolicy_TargetTrackingMetricDataQuery {
	query := scaling.ScalingPolicy_TargetTrackingMetricDataQuery{Id: &m.id, ReturnData: &tracked}
	if m.label != "" {
		query.Label = &m.label
	}
	if m.expression != "" {
		query.Expression = &m.expression
		return query
	}
	var dimensions []scaling.ScalingPolicy_TargetTrackingMetricDimension
	for _, d := range m.dimensions {
		dimensions = append(dimensions,
			scaling.ScalingPolicy_TargetTrackingMetricDimension{Name: new(d.name), Value: new(d.value)})
	}
	query.MetricStat = &scaling.ScalingPolicy_TargetTrackingMetricStat{
		Stat: &m.stat,
		Metric: &scaling.ScalingPolicy_TargetTrackingMetric{
			Namespace: &m.namespace, MetricName: &m.name, Dimensions: dimensions,
		},
	}
	return query
}

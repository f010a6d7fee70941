package autoscaling

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// maxMetricRequest is the size of a metric math request, in bytes (API reference: 50 KB).
const maxMetricRequest = 50 << 10

const trackingAt = "targetTrackingScalingPolicyConfiguration."

func checkTrackingMembers(v *wire.Violations, c *types.TargetTrackingScalingPolicyConfiguration) {
	wire.Required(v, trackingAt+"targetValue", c.TargetValue)
	if p := c.PredefinedMetricSpecification; p != nil {
		at := trackingAt + "predefinedMetricSpecification."
		if p.PredefinedMetricType == "" {
			v.Missing(at + "predefinedMetricType")
		}
		wire.Enum(v, at+"predefinedMetricType", p.PredefinedMetricType, p.PredefinedMetricType.Values())
		v.Length(at+"resourceLabel", p.ResourceLabel, 1, 1023)
	}
	if m := c.CustomizedMetricSpecification; m != nil {
		checkCustomizedMembers(v, m)
	}
}

func checkCustomizedMembers(v *wire.Violations, m *types.CustomizedMetricSpecification) {
	at := trackingAt + "customizedMetricSpecification."
	wire.Enum(v, at+"statistic", m.Statistic, m.Statistic.Values())
	for i, d := range m.Dimensions {
		wire.Required(v, fmt.Sprintf("%sdimensions.%d.member.name", at, i+1), d.Name)
		wire.Required(v, fmt.Sprintf("%sdimensions.%d.member.value", at, i+1), d.Value)
	}
	for i, q := range m.Metrics {
		one := fmt.Sprintf("%smetrics.%d.member.", at, i+1)
		if wire.Required(v, one+"id", q.Id) {
			v.Length(one+"id", q.Id, 1, 255)
		}
		v.Length(one+"expression", q.Expression, 1, 2048)
		if q.MetricStat == nil {
			continue
		}
		wire.Required(v, one+"metricStat.stat", q.MetricStat.Stat)
		if q.MetricStat.Metric == nil {
			v.Missing(one + "metricStat.metric")
			continue
		}
		v.Length(one+"metricStat.metric.metricName", q.MetricStat.Metric.MetricName, 1, 255)
		v.Length(one+"metricStat.metric.namespace", q.MetricStat.Metric.Namespace, 1, 255)
	}
}

// checkTracking checks the meaning of a target tracking policy.
func checkTracking(t *target, p *policy) error {
	c := p.tracking
	if err := checkFigures(c); err != nil {
		return err
	}
	switch predefined, customized := c.PredefinedMetricSpecification, c.CustomizedMetricSpecification; {
	case predefined != nil && customized != nil:
		return validation("Only one of PredefinedMetricSpecification and CustomizedMetricSpecification" +
			" can be specified.")
	case predefined != nil:
		if err := checkPredefined(t.key, predefined); err != nil {
			return err
		}
	case customized != nil:
		if err := checkCustomized(customized); err != nil {
			return err
		}
	default:
		return validation("One of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.")
	}
	for _, other := range t.policies {
		if other.name != p.name && other.tracking != nil && sameMetric(other.tracking, c) {
			return validation("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
		}
	}
	return nil
}

// Range of a target value, by the API reference.
const leastTarget, greatestTarget = 8.515920e-109, 1.174271e+108

func checkFigures(c *types.TargetTrackingScalingPolicyConfiguration) error {
	if value := *c.TargetValue; !(value >= leastTarget && value <= greatestTarget) { // also refuses NaN
		return validation("TargetValue must be between %e and %e, not %v.", leastTarget, greatestTarget, value)
	}
	if n := aws.ToInt32(c.ScaleInCooldown); n < 0 {
		return validation("ScaleInCooldown must not be negative: %d.", n)
	}
	if n := aws.ToInt32(c.ScaleOutCooldown); n < 0 {
		return validation("ScaleOutCooldown must not be negative: %d.", n)
	}
	return nil
}

func sameMetric(a, b *types.TargetTrackingScalingPolicyConfiguration) bool {
	if a.PredefinedMetricSpecification != nil {
		return reflect.DeepEqual(a.PredefinedMetricSpecification, b.PredefinedMetricSpecification)
	}
	return reflect.DeepEqual(a.CustomizedMetricSpecification, b.CustomizedMetricSpecification)
}

func checkCustomized(m *types.CustomizedMetricSpecification) error {
	single := m.MetricName != nil || m.Namespace != nil || m.Statistic != "" || m.Unit != nil || len(m.Dimensions) > 0
	switch {
	case len(m.Metrics) > 0 && single:
		return validation("A CustomizedMetricSpecification with Metrics cannot have MetricName, Namespace," +
			" Dimensions, Statistic or Unit.")
	case len(m.Metrics) > 0:
		return checkMetricMath(m.Metrics)
	case aws.ToString(m.MetricName) == "" || aws.ToString(m.Namespace) == "" || m.Statistic == "":
		return validation("A CustomizedMetricSpecification must have MetricName, Namespace and Statistic, or Metrics.")
	}
	return nil
}

func checkMetricMath(metrics []types.TargetTrackingMetricDataQuery) error {
	if text, err := json.Marshal(metrics); err == nil && len(text) > maxMetricRequest {
		return validation("Metrics of %d bytes exceed the limit of %d bytes.", len(text), maxMetricRequest)
	}
	seen, returning := map[string]bool{}, 0
	for _, q := range metrics {
		switch id := aws.ToString(q.Id); {
		case seen[id]:
			return validation("The Id %s is used more than once in Metrics.", id)
		case (q.Expression == nil) == (q.MetricStat == nil):
			return validation("Exactly one of Expression and MetricStat must be specified for the metric %s.", id)
		default:
			seen[id] = true
		}
		if q.ReturnData == nil || *q.ReturnData {
			returning++
		}
	}
	if returning != 1 {
		return validation("Exactly one element of Metrics must have ReturnData true, not %d.", returning)
	}
	return nil
}

// checkPredefined checks that a predefined metric is one of the target's service.
func checkPredefined(k key, p *types.PredefinedMetricSpecification) error {
	prefixes := map[string][]string{
		"ecs": {"ECSService", "ALBRequestCountPerTarget"}, "ec2": {"EC2SpotFleet", "ALBRequestCountPerTarget"},
		"dynamodb": {"DynamoDB"}, "rds": {"RDSReader"}, "sagemaker": {"SageMaker"}, "appstream": {"AppStream"},
		"comprehend": {"Comprehend"}, "lambda": {"Lambda"}, "cassandra": {"Cassandra"}, "kafka": {"Kafka"},
		"elasticache": {"ElastiCache"}, "neptune": {"Neptune"}, "workspaces": {"WorkSpaces"},
	}
	name := string(p.PredefinedMetricType)
	for _, prefix := range prefixes[k.namespace] {
		if strings.HasPrefix(name, prefix) {
			if prefix == "ALBRequestCountPerTarget" && aws.ToString(p.ResourceLabel) == "" {
				return validation("ResourceLabel must be specified for ALBRequestCountPerTarget.")
			}
			return nil
		}
	}
	return validation("The predefined metric type %s is not supported for the service namespace %s.", name,
		k.namespace)
}

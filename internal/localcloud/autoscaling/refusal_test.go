package autoscaling

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// call sends a request as it looks on the wire, so that nothing is checked by a client before.
func call(t *testing.T, h http.Handler, operation, body string) (status int, answer map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AnyScaleFrontendService."+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	raw, _ := io.ReadAll(w.Result().Body)
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s answers %q: %v", operation, raw, err)
	}
	return w.Code, answer
}

func TestRefusals(t *testing.T) {
	const (
		id     = `"ServiceNamespace":"ecs","ResourceId":"service/jobs/worker","ScalableDimension":"ecs:service:DesiredCount"`
		absent = `"ServiceNamespace":"ecs","ResourceId":"service/jobs/absent","ScalableDimension":"ecs:service:DesiredCount"`
		table  = `"ServiceNamespace":"dynamodb","ResourceId":"table/t","ScalableDimension":"dynamodb:table:ReadCapacityUnits"`
		cpu    = `"PredefinedMetricSpecification":{"PredefinedMetricType":"ECSServiceAverageCPUUtilization"}`
		custom = `"CustomizedMetricSpecification":{"Namespace":"N","MetricName":"M","Statistic":"Average"}`
		policy = `"PolicyName":"p",` + id
		track  = policy + `,"PolicyType":"TargetTrackingScaling","TargetTrackingScalingPolicyConfiguration":`
		step   = policy + `,"PolicyType":"StepScaling","StepScalingPolicyConfiguration":`
		action = `"ScheduledActionName":"a",` + id
	)
	for _, c := range []struct{ name, operation, body, code, message string }{
		{"nothing given", "RegisterScalableTarget", `{}`, "ValidationException",
			"3 validation errors detected: Value null at 'serviceNamespace' failed to satisfy constraint: Member must not be null; " +
				"Value null at 'resourceId' failed to satisfy constraint: Member must not be null; " +
				"Value null at 'scalableDimension' failed to satisfy constraint: Member must not be null"},
		{"unknown namespace and dimension", "DescribeScalableTargets", `{"ServiceNamespace":"foo","ScalableDimension":"bar"}`, "ValidationException",
			"2 validation errors detected: Value 'bar' at 'scalableDimension' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{"empty resource", "RegisterScalableTarget", `{"ServiceNamespace":"ecs","ResourceId":"","ScalableDimension":"ecs:service:DesiredCount"}`,
			"ValidationException", "1 validation error detected: Value '' at 'resourceId' failed to satisfy constraint: " +
				"Member must have length greater than or equal to 1"},
		{"wrong kind of member", "RegisterScalableTarget", `{` + id + `,"MinCapacity":"1x"}`, "SerializationException",
			"STRING_VALUE can not be converted to an Integer (at MinCapacity)"},
		{"no JSON", "RegisterScalableTarget", `{`, "SerializationException", "not JSON"},
		{"resource of another service", "RegisterScalableTarget",
			`{"ServiceNamespace":"rds","ResourceId":"service/jobs/worker","ScalableDimension":"ecs:service:DesiredCount","MinCapacity":1,"MaxCapacity":1}`,
			"ValidationException", "Unsupported service namespace, resource type or scalable dimension"},
		{"resource of the wrong form", "RegisterScalableTarget",
			`{"ServiceNamespace":"ecs","ResourceId":"banana/jobs/worker","ScalableDimension":"ecs:service:DesiredCount","MinCapacity":1,"MaxCapacity":1}`,
			"ValidationException", "Unsupported service namespace, resource type or scalable dimension"},
		{"service that does not exist", "RegisterScalableTarget", `{` + absent + `,"MinCapacity":1,"MaxCapacity":1}`, "ValidationException",
			"ECS service doesn't exist: service/jobs/absent"},
		{"no capacity for a new target", "RegisterScalableTarget", `{` + table + `}`, "ValidationException",
			"Both minimum capacity and maximum capacity are required"},
		{"minimum above maximum", "RegisterScalableTarget", `{` + id + `,"MinCapacity":5,"MaxCapacity":2}`, "ValidationException",
			"Maximum capacity cannot be less than minimum capacity: 2 < 5."},
		{"minimum above the maximum known", "RegisterScalableTarget", `{` + id + `,"MinCapacity":11}`, "ValidationException", "10 < 11"},
		{"negative capacity", "RegisterScalableTarget", `{` + id + `,"MinCapacity":-1}`, "ValidationException", "less than 0: -1"},
		{"deregistered twice", "DeregisterScalableTarget", `{` + table + `}`, "ObjectNotFoundException",
			"No scalable target found for service namespace: dynamodb, resource ID: table/t, scalable dimension: dynamodb:table:ReadCapacityUnits"},
		{"policy for an unregistered target", "PutScalingPolicy",
			`{"PolicyName":"p",` + absent + `,"PolicyType":"TargetTrackingScaling","TargetTrackingScalingPolicyConfiguration":{"TargetValue":1,` + cpu + `}}`,
			"ObjectNotFoundException", "No scalable target registered for service namespace: ecs, resource ID: service/jobs/absent, " +
				"scalable dimension: ecs:service:DesiredCount"},
		{"unknown policy type", "PutScalingPolicy", `{` + policy + `,"PolicyType":"ABCDEFG"}`, "ValidationException",
			"1 validation error detected: Value 'ABCDEFG' at 'policyType' failed to satisfy constraint: " +
				"Member must satisfy enum value set: [PredictiveScaling, StepScaling, TargetTrackingScaling]"},
		{"no target value", "PutScalingPolicy", `{` + track + `{` + cpu + `}}`, "ValidationException",
			"Value null at 'targetTrackingScalingPolicyConfiguration.targetValue'"},
		{"target value 0", "PutScalingPolicy", `{` + track + `{"TargetValue":0,` + cpu + `}}`, "ValidationException", "TargetValue must be between"},
		{"no metric", "PutScalingPolicy", `{` + track + `{"TargetValue":1}}`, "ValidationException", "One of PredefinedMetricSpecification"},
		{"two kinds of metric", "PutScalingPolicy", `{` + track + `{"TargetValue":1,` + cpu + `,` + custom + `}}`, "ValidationException", "Only one of"},
		{"metric of another service", "PutScalingPolicy",
			`{` + track + `{"TargetValue":1,"PredefinedMetricSpecification":{"PredefinedMetricType":"RDSReaderAverageCPUUtilization"}}}`,
			"ValidationException", "not supported for the service namespace ecs"},
		{"negative cooldown", "PutScalingPolicy", `{` + track + `{"TargetValue":1,"ScaleInCooldown":-1,` + cpu + `}}`, "ValidationException", "ScaleInCooldown"},
		{"step configuration for target tracking", "PutScalingPolicy",
			`{` + policy + `,"PolicyType":"TargetTrackingScaling","StepScalingPolicyConfiguration":{}}`, "ValidationException",
			"cannot have a StepScalingPolicyConfiguration"},
		{"two expressions that return data", "PutScalingPolicy", `{` + track + `{"TargetValue":1,"CustomizedMetricSpecification":{"Metrics":[` +
			`{"Id":"m","MetricStat":{"Metric":{"Namespace":"N","MetricName":"M"},"Stat":"Sum"}},{"Id":"e","Expression":"m+1"}]}}}`,
			"ValidationException", "ReturnData true, not 2"},
		{"wrong expression", "PutScalingPolicy", `{` + track + `{"TargetValue":1,"CustomizedMetricSpecification":{"Metrics":[` +
			`{"Id":"e","Expression":"nope + 1"}]}}}`, "ValidationException", "nope"},
		{"no steps", "PutScalingPolicy", `{` + step + `{"AdjustmentType":"ChangeInCapacity"}}`, "ValidationException", "At least one step adjustment"},
		{"unknown adjustment", "PutScalingPolicy", `{` + step + `{"AdjustmentType":"Guess"}}`, "ValidationException",
			"Value 'Guess' at 'stepScalingPolicyConfiguration.adjustmentType'"},
		{"steps that overlap", "PutScalingPolicy", `{` + step + `{"AdjustmentType":"ChangeInCapacity","StepAdjustments":[` +
			`{"MetricIntervalLowerBound":0,"MetricIntervalUpperBound":10,"ScalingAdjustment":1},{"MetricIntervalLowerBound":5,"ScalingAdjustment":2}]}}`,
			"ValidationException", "overlap"},
		{"a gap between steps", "PutScalingPolicy", `{` + step + `{"AdjustmentType":"ChangeInCapacity","StepAdjustments":[` +
			`{"MetricIntervalLowerBound":0,"MetricIntervalUpperBound":10,"ScalingAdjustment":1},{"MetricIntervalLowerBound":15,"ScalingAdjustment":2}]}}`,
			"ValidationException", "gap"},
		{"policy that does not exist", "DeleteScalingPolicy", `{` + policy + `}`, "ObjectNotFoundException",
			"No scaling policy found for service namespace: ecs, resource ID: service/jobs/worker, scalable dimension: ecs:service:DesiredCount, policy name: p"},
		{"dimension without a resource", "DescribeScalingPolicies", `{"ServiceNamespace":"ecs","ScalableDimension":"ecs:service:DesiredCount"}`,
			"ValidationException", "must also specify a resource ID"},
		{"schedule without capacity", "PutScheduledAction", `{` + action + `,"Schedule":"rate(1 hour)"}`, "ValidationException",
			"At least one of minimum capacity and maximum capacity should be provided"},
		{"schedule of no form", "PutScheduledAction", `{` + action + `,"Schedule":"soon","ScalableTargetAction":{"MinCapacity":1}}`,
			"ValidationException", `"soon"`},
		{"schedule in the past", "PutScheduledAction", `{` + action + `,"Schedule":"at(2001-01-01T00:00:00)","ScalableTargetAction":{"MinCapacity":1}}`,
			"ValidationException", "in the past"},
		{"unknown time zone", "PutScheduledAction",
			`{` + action + `,"Schedule":"rate(1 hour)","Timezone":"Moon/Sea","ScalableTargetAction":{"MinCapacity":1}}`, "ValidationException", "Moon/Sea"},
		{"scheduled action that does not exist", "DeleteScheduledAction", `{` + action + `}`, "ObjectNotFoundException", "No scheduled action found"},
		{"unknown operation", "Dance", `{}`, "UnknownOperationException", "Dance"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t, nil)
			w.register(t, 1, 10)
			status, answer := call(t, w.server, c.operation, c.body)
			message, _ := answer["Message"].(string)
			if status != 400 || answer["__type"] != c.code || !strings.Contains(message, c.message) {
				t.Errorf("answer %d %v\nwant 400 %s: %s", status, answer, c.code, c.message)
			}
		})
	}
}

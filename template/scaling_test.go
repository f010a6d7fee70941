package main

import (
	"math"
	"reflect"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking/metricmath"
)

const policyMetrics = "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics"

// calculate evaluates the metric math of a resource as CloudWatch would, with
// one series for each metric; nan is a datapoint that is missing.
func calculate(t *testing.T, queries []any, series map[string][]float64) []float64 {
	t.Helper()
	var lines []metricmath.Query
	result := ""
	for _, q := range queries {
		id := at(q, "Id").(string)
		expression, _ := at(q, "Expression").(string)
		lines = append(lines, metricmath.Query{ID: id, Expression: expression})
		if at(q, "ReturnData") == true {
			result = id
		}
	}
	program, err := metricmath.Compile(lines, result)
	if err != nil {
		t.Fatal(err)
	}
	if !program.Single() {
		t.Fatalf("%s is not one series", result)
	}
	var inputs [][]float64
	length := 0
	for _, id := range program.Inputs() {
		values, ok := series[id]
		if !ok {
			t.Fatalf("the test gives no series for %s", id)
		}
		inputs, length = append(inputs, values), len(values)
	}
	grid := metricmath.Grid{Start: time.Unix(0, 0), Period: time.Minute, Length: length}
	return program.Eval(grid, inputs)[0]
}

var nan = math.NaN()

func sameSeries(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

func TestPolicyMetricsAreSharedAndOne(t *testing.T) {
	d := committed(t)
	for _, id := range []string{"BacklogScalingPolicy", "RateScalingPolicy"} {
		queries := d.property(t, id, policyMetrics).([]any)
		for i, q := range queries {
			if last := i == len(queries)-1; at(q, "ReturnData") != last {
				t.Errorf("%s: line %v has ReturnData %v", id, at(q, "Id"), at(q, "ReturnData"))
			}
		}
		if n := len(show(t, queries)); n > 50_000 {
			t.Errorf("%s: %d bytes of metric math, 50 KB are allowed", id, n)
		}
	}
}

func TestRatePolicyMetric(t *testing.T) {
	queries := committed(t).property(t, "RateScalingPolicy", policyMetrics).([]any)
	for _, tt := range []struct {
		name                string
		sent, running, want []float64
	}{
		{"shared among tasks", []float64{50, 60}, []float64{2, 3}, []float64{25, 20}},
		{"no task is one", []float64{50}, []float64{0}, []float64{50}},
		{"late count is repeated", []float64{50, 50}, []float64{5, nan}, []float64{10, 10}},
		{"late sum is no value", []float64{50, nan}, []float64{5, 5}, []float64{10, nan}},
		{"quiet", []float64{0}, []float64{5}, []float64{0}},
	} {
		got := calculate(t, queries, map[string][]float64{"sent": tt.sent, "running": tt.running})
		if !sameSeries(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Both targets come from InitialTargets, and CloudFormation asks it whenever it
// is about to write a policy: all that enters one is a property of it.
func TestWhatEntersAPolicyEntersInitialTargets(t *testing.T) {
	d := committed(t)
	asked, _ := d.resource(t, initialTargets)["Properties"].(map[string]any)
	isAsked := func(v any) bool {
		for _, known := range asked {
			if reflect.DeepEqual(known, v) {
				return true
			}
		}
		return false
	}
	var check func(id string, v any)
	check = func(id string, v any) {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				check(id, inner)
			}
		case map[string]any:
			if isAsked(v) {
				return
			}
			if _, isRef := v["Ref"]; isRef || v["Fn::GetAtt"] != nil || v["Fn::If"] != nil {
				if of := references(v); len(of) != 1 || of[0] != "ScalableTarget" && of[0] != initialTargets {
					t.Errorf("%s: %v is not a property of %s", id, v, initialTargets)
				}
				return
			}
			for _, inner := range v {
				check(id, inner)
			}
		}
	}
	for _, id := range d.ofType("AWS::ApplicationAutoScaling::ScalingPolicy") {
		check(id, d.resource(t, id)["Properties"])
	}
	want(t, "digest", asked["PolicyDigest"], policyDigest(trackingPolicies()))
}

func TestDigestChangesWithThePolicies(t *testing.T) {
	changed := trackingPolicies()
	changed[1].metrics[len(changed[1].metrics)-1].expression += " + 0"
	if policyDigest(changed) == policyDigest(trackingPolicies()) {
		t.Error("another expression has the same digest: CloudFormation would write it with an old target")
	}
}

func TestBothPoliciesAreTracked(t *testing.T) {
	d := committed(t)
	for id, target := range map[string]string{
		"BacklogScalingPolicy": "BacklogTarget", "RateScalingPolicy": "RateTarget",
	} {
		const configuration = "TargetTrackingScalingPolicyConfiguration."
		want(t, id+" type", d.property(t, id, "PolicyType"), "TargetTrackingScaling")
		want(t, id+" target", d.property(t, id, configuration+"TargetValue"), attribute(initialTargets, target))
		want(t, id+" out", d.property(t, id, configuration+"ScaleOutCooldown"), ref("ScaleOutCooldownSeconds"))
		want(t, id+" in", d.property(t, id, configuration+"ScaleInCooldown"), ref("ScaleInCooldownSeconds"))
		want(t, id+" scale-in", d.property(t, id, configuration+"DisableScaleIn"), nil)
	}
}

func TestFromZeroOnlyWithMinTasksZero(t *testing.T) {
	d := committed(t)
	want(t, "condition", d.section("Conditions")[scaleFromZero],
		map[string]any{"Fn::Equals": []any{ref("MinTasks"), "0"}})
	for _, id := range []string{"FromZeroScalingPolicy", "FromZeroAlarm"} {
		want(t, id+" condition", d.resource(t, id)["Condition"], scaleFromZero)
	}
	want(t, "adjustment", d.property(t, "FromZeroScalingPolicy", "StepScalingPolicyConfiguration.AdjustmentType"),
		"ChangeInCapacity")
	want(t, "steps", d.property(t, "FromZeroScalingPolicy", "StepScalingPolicyConfiguration.StepAdjustments"),
		[]any{map[string]any{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}})
	want(t, "periods", d.property(t, "FromZeroAlarm", "EvaluationPeriods"), 2)
	want(t, "datapoints", d.property(t, "FromZeroAlarm", "DatapointsToAlarm"), 2)
	want(t, "action", d.property(t, "FromZeroAlarm", "AlarmActions"), []any{ref("FromZeroScalingPolicy")})
}

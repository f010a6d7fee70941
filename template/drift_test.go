package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/retune"
	"sqs-dynamic-target-tracking/internal/tracking/metricmath"
)

// The alarm's reference comes from InitialTargets, so whatever else enters the
// alarm is a property of it: when CloudFormation writes the alarm anew, it has
// just asked what the targets are right for.
func TestWhatEntersTheDriftAlarmEntersInitialTargets(t *testing.T) {
	d := committed(t)
	asked := references(d.resource(t, initialTargets)["Properties"])
	for _, name := range references(d.resource(t, "DriftAlarm")["Properties"]) {
		if name != initialTargets && name != "AWS::StackName" && !slices.Contains(asked, name) {
			t.Errorf("%s enters the alarm, and %s is not asked when it changes", name, initialTargets)
		}
	}
	text, _ := subText(d.property(t, "DriftAlarm", "Metrics.2.Expression").(map[string]any))
	want(t, "the line that a retune rewrites", text, "duration / ${InitialTargets.ReferenceSeconds}")
	want(t, "digest of the alarm", d.property(t, initialTargets, "DriftAlarmDigest"), digest(driftAlarm()))
}

// The alarm computes what the retune does when it looks for the stretch that is
// outside.
func TestDriftAlarmGoesByTheRule(t *testing.T) {
	const reference, factor = 5.0, 1.5
	d := committed(t)
	var lines []metricmath.Query
	for _, m := range list(d.property(t, "DriftAlarm", "Metrics")) {
		expression, literal := at(m, "Expression").(string)
		if sub, ok := at(m, "Expression").(map[string]any); ok && !literal {
			expression, _ = subText(sub)
		}
		expression = strings.NewReplacer("${InitialTargets.ReferenceSeconds}", fmt.Sprint(reference),
			"${DriftFactor}", fmt.Sprint(factor)).Replace(expression)
		lines = append(lines, metricmath.Query{ID: at(m, "Id").(string), Expression: expression})
	}
	program, err := metricmath.Compile(lines, "drift")
	if err != nil {
		t.Fatal(err)
	}
	rule := retune.DriftRule{Factor: factor, Periods: 5}
	for _, count := range []float64{1, 1.5, 4, 10, 100, 10_000} {
		for seconds := 1.0; seconds < 20; seconds += 0.0917 {
			var series [][]float64
			for _, input := range program.Inputs() {
				series = append(series, []float64{map[string]float64{"duration": seconds, "count": count}[input]})
			}
			value := program.Eval(metricmath.Grid{Period: time.Minute, Length: 1}, series)[0][0]
			if outside := rule.Outside(seconds, count, reference) != 0; (value > 1) != outside {
				t.Errorf("%g s, %g samples: the alarm computes %g, the rule says outside: %v", seconds, count, value,
					outside)
			}
		}
	}
}

// The alarm tells nobody but the machine, and that only when it goes off.
func TestDriftStartsARetune(t *testing.T) {
	d := committed(t)
	properties := d.resource(t, "DriftAlarm")["Properties"].(map[string]any)
	for _, field := range []string{"AlarmActions", "OKActions"} {
		if properties[field] != nil {
			t.Errorf("the alarm has %s", field)
		}
	}
	for _, field := range []string{"EvaluationPeriods", "DatapointsToAlarm"} {
		want(t, field, properties[field], ref("DriftPeriods"))
	}
	want(t, "threshold", properties["Threshold"], 1)

	pattern := d.property(t, "DriftRule", "EventPattern")
	want(t, "source", at(pattern, "source"), []any{"aws.cloudwatch"})
	want(t, "state", at(pattern, "detail.state.value"), []any{"ALARM"})
	alarms := list(at(pattern, "resources"))
	if len(alarms) != 1 || brief(t, alarms[0]) != driftAlarmByName {
		t.Errorf("the rule is for %v", alarms)
	}
	name, _ := subText(properties["AlarmName"].(map[string]any))
	want(t, "name", "cloudwatch"+here+"alarm:"+name, driftAlarmByName)
	for _, id := range []string{"RetuneMeasureFunction", "RetuneApplyFunction"} {
		want(t, id+" finds it", d.property(t, id, "Environment.Variables.DRIFT_ALARM_NAME"), properties["AlarmName"])
	}
}

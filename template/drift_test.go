package main

import (
	"slices"
	"testing"
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
	text, _ := subText(d.property(t, "DriftAlarm", "Metrics.1.Expression").(map[string]any))
	want(t, "the line that a retune rewrites", text, "duration / ${InitialTargets.ReferenceSeconds}")
	want(t, "digest of the alarm", d.property(t, initialTargets, "DriftAlarmDigest"), digest(driftAlarm()))
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
	want(t, "threshold", properties["Threshold"], ref("DriftFactor"))

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

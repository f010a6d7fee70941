package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The task role has to know the machine, which needs the service, which needs the task role.
func TestWorkerAnswersTheVerifyMachine(t *testing.T) {
	d := committed(t)
	want(t, "name", d.property(t, machineID(verifyMachine), "Name"),
		map[string]any{"Fn::Sub": "${AWS::StackName}-verify"})
	for _, action := range []string{"states:SendTaskSuccess", "states:SendTaskFailure"} {
		if !slices.Contains(grants(t, d, "TaskRole"), grant{action, verifier}) {
			t.Errorf("the worker may not %s", action)
		}
	}
}

// One notification a verification: the machine's own. What a bad version sets off is held back while it is verified,
// and for a while after it was found bad; and a failed execution sets off no alarm that tells.
func TestVerificationIsToldOnce(t *testing.T) {
	d := committed(t)
	for _, id := range []string{
		"DeadLetterQueueNotification", "OldestMessageNotification", "PromiseNotification", "MaxTasksNotification",
	} {
		want(t, id+" is held back by", d.property(t, id, "ActionsSuppressor"), attribute(verifying, "Arn"))
		for _, wait := range []string{"ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"} {
			want(t, id+" "+wait, d.property(t, id, wait), ref("MetricPeriodSeconds"))
		}
	}
	held := references(d.property(t, verifying, "AlarmRule"))
	want(t, "held back by", held, []string{"DeploymentAlarm", "VerificationFailedAlarm", "VerificationStartedAlarm"})
	for _, id := range append(held, verifying) {
		want(t, id+" tells", d.property(t, id, "AlarmActions"), nil)
	}

	machine := ref(machineID(verifyMachine))
	told := []any{}
	for _, id := range d.ofType("AWS::CloudWatch::Alarm") {
		if d.property(t, id, "AlarmActions") == nil || !refersTo(d.resource(t, id), machine) {
			continue
		}
		told = append(told, d.property(t, id, "MetricName"))
	}
	// The machine ends before it can tell.
	want(t, "told by an alarm", told, []any{"ExecutionsTimedOut"})

	// A metric alarm looks back a day at most.
	for _, id := range []string{"VerificationStartedAlarm", "VerificationFailedAlarm"} {
		want(t, id+": metric of", d.property(t, id, "Dimensions.0.Value"), machine)
		want(t, id+": datapoints", d.property(t, id, "DatapointsToAlarm"), 1)
	}
}

func refersTo(v, wanted any) bool {
	found := false
	walk(v, func(v any) { found = found || reflect.DeepEqual(v, wanted) })
	return found
}

// docs/deployment.md says the numbers of the template.
func TestDeploymentPageIsTrue(t *testing.T) {
	raw, err := os.ReadFile("../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	page, d := string(raw), committed(t)
	says := []string{
		fmt.Sprintf("newest %d images", imagesKept),
		fmt.Sprintf("for %v minutes after a verification began",
			d.property(t, "VerificationStartedAlarm", "EvaluationPeriods")),
		fmt.Sprintf("%v min |", pipelineSteps(t, d, true)[2].configuration["DeploymentTimeout"]),
		fmt.Sprintf("within %v days",
			d.property(t, "ArtifactBucket", "LifecycleConfiguration.Rules.0.ExpirationInDays")),
	}
	for name, p := range d.section("Parameters") {
		if strings.HasPrefix(name, "Verify") {
			says = append(says, fmt.Sprintf("| `%s` | %v |", name, at(p, "Default")))
		}
	}
	for _, text := range says {
		if !strings.Contains(page, text) {
			t.Errorf("docs/deployment.md does not say %q", text)
		}
	}
}

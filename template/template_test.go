package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

func rendered(t *testing.T, arch string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run([]string{"-arch", arch}, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCommittedTemplateIsNotStale(t *testing.T) {
	raw, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != rendered(t, archX86) {
		t.Error("template.yaml is older than its program: go run ./template > template.yaml")
	}
}

func TestRenderingIsStable(t *testing.T) {
	first := rendered(t, archX86)
	for range 5 {
		if rendered(t, archX86) != first {
			t.Fatal("two renderings differ")
		}
	}
}

func TestArchitectureReachesFunctionsAndTasks(t *testing.T) {
	for arch, platform := range map[string]string{archX86: "X86_64", archARM: "ARM64"} {
		d := parse(t, []byte(rendered(t, arch)))
		want(t, "architecture", at(map[string]any(d), "Globals.Function.Architectures"), []any{arch})
		want(t, "platform", d.property(t, "TaskDefinition", "RuntimePlatform.CpuArchitecture"), platform)
		for _, id := range d.ofType("AWS::Serverless::Function") {
			// SAM would join it to the one in Globals.
			want(t, id+" architecture", d.property(t, id, "Architectures"), nil)
		}
	}
}

func TestRunRefusesBadArguments(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-arch", "mips"}, `"mips"`},
		{[]string{"out.yaml"}, `"out.yaml"`},
	} {
		var out bytes.Buffer
		err := run(tt.args, &out)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("run(%q) = %v, want an error with %s", tt.args, err, tt.want)
		}
		if out.Len() > 0 {
			t.Errorf("run(%q) wrote a template", tt.args)
		}
	}
}

func TestSectionsAreInReadingOrder(t *testing.T) {
	last := -1
	for _, section := range sections {
		i := strings.Index(rendered(t, archX86), "\n"+section+":")
		if i < last {
			t.Errorf("section %s is missing or too early", section)
		}
		last = i
	}
}

// Everything that is referred to exists, and everything that exists is used.
func TestReferencesAreSound(t *testing.T) {
	d := committed(t)
	known := map[string]bool{}
	for _, section := range []string{"Parameters", "Resources"} {
		for name := range d.section(section) {
			if known[name] {
				t.Errorf("%s is a parameter and a resource", name)
			}
			known[name] = true
		}
	}
	used := references(map[string]any(d))
	for _, name := range used {
		// A function that publishes versions has its last one as <id>.Version.
		if id, isVersion := strings.CutSuffix(name, ".Version"); isVersion {
			if d.property(t, id, "AutoPublishAlias") == nil {
				t.Errorf("%s has no versions", id)
			}
			continue
		}
		if !known[name] && !strings.HasPrefix(name, "AWS::") {
			t.Errorf("%s is referred to but not there", name)
		}
	}
	for name := range d.section("Parameters") {
		if !slices.Contains(used, name) {
			t.Errorf("parameter %s is of no effect", name)
		}
	}
}

func TestConditionsAreUsed(t *testing.T) {
	d := committed(t)
	used := map[string]bool{}
	walk(map[string]any(d), func(v any) {
		m, _ := v.(map[string]any)
		if name, ok := m["Condition"].(string); ok {
			used[name] = true
		}
		if branch, ok := m["Fn::If"].([]any); ok {
			used[branch[0].(string)] = true
		}
	})
	for name := range used {
		if d.section("Conditions")[name] == nil {
			t.Errorf("condition %s is used but not there", name)
		}
	}
	for name := range d.section("Conditions") {
		if !used[name] {
			t.Errorf("condition %s is there but not used", name)
		}
	}
}

// What the README and the scripts look for.
func TestOutputs(t *testing.T) {
	d := committed(t)
	wanted := []string{
		"ProduceStateMachineArn", "RetuneStateMachineArn", "TestMessageProducerRuleArn", "NotificationTopicArn",
		"ScalableTargetId", "MinTasks", "MaxTasks", "BacklogPolicyArn", "RatePolicyArn", "QueueUrl", "QueueName",
		"DeadLetterQueueUrl", "ClusterName", "ServiceName", "StartLoadCommand", "StopLoadCommand", "StartRetuneCommand",
		"AcceptableDelaySeconds", "VerifyStateMachineArn", "StartVerifyCommand", "WorkerRepositoryUri",
		"WorkerImageUri", "WorkerImageReason", "PipelineName", "RetuneRunLogGroup", "DriftAlarmName",
		"BandStateMachineArn", "BandLogGroup",
	}
	for _, id := range d.ofType("AWS::Serverless::Function") {
		wanted = append(wanted, id+"Arn")
	}
	for _, name := range wanted {
		if at(d.section("Outputs")[name], "Value") == nil {
			t.Errorf("output %s is missing", name)
		}
	}
	if len(wanted) != len(d.section("Outputs")) {
		t.Errorf("%d outputs, want %d", len(d.section("Outputs")), len(wanted))
	}
}

// What sam delete leaves behind is what is kept on purpose.
func TestWhatOutlivesTheStack(t *testing.T) {
	d := committed(t)
	// Those to roll back to, and a bucket that empties itself.
	kept := []string{"TaskDefinition", "ArtifactBucket", "ArtifactBucketPolicy"}
	for id, r := range d.section("Resources") {
		policy := at(r, "DeletionPolicy")
		if slices.Contains(kept, id) {
			want(t, id+" DeletionPolicy", policy, "Retain")
			want(t, id+" UpdateReplacePolicy", at(r, "UpdateReplacePolicy"), "Retain")
		} else if policy != nil && policy != "Delete" {
			t.Errorf("%s has the DeletionPolicy %v", id, policy)
		}
	}
}

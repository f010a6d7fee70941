package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/verify"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]map[string]any{
		"": {"reason": "by hand"},
		"-report-only -no-canary -soak 15m -rollout 1h": {
			"reason": "by hand", "rollBack": false, "canary": false, "soakSeconds": 900.0, "rolloutSeconds": 3600.0,
		},
		"-image sha256:1 -change 4f2c -reason why": {"reason": "why", "change": "4f2c", "imageDigest": "sha256:1"},
	} {
		got, err := parse(strings.Fields(line))
		if err != nil || !reflect.DeepEqual(got.input, want) {
			t.Errorf("%q gives %v (%v), want %v", line, got.input, err, want)
		}
	}
	for _, line := range []string{"-soak 5", "worker", "-unknown"} {
		if _, err := parse(strings.Fields(line)); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}

// TestInputIsAccepted: the machine knows every field that the flags set.
func TestInputIsAccepted(t *testing.T) {
	const flags = "-report-only -no-canary -soak 15m -rollout 1h -change c -image sha256:"
	o, err := parse(strings.Fields(flags + strings.Repeat("0", 64)))
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(o.input)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.ParseRequest(document, verify.Request{}); err != nil {
		t.Error(err)
	}
}

func TestTellerSaysWhatIsNew(t *testing.T) {
	var told teller
	var lines []string
	for _, step := range []execution.Step{
		{Name: "Look At Rollout", Output: json.RawMessage(`{"summary":"1 of 2 tasks run worker:8"}`)},
		{Name: "Rollout Settled?"}, {Name: "Wait For Rollout"},
		{Name: "Look At Rollout", Output: json.RawMessage(`{"summary":"1 of 2 tasks run worker:8"}`)},
		{Name: "Send Canary", Output: json.RawMessage(`"nonsense"`)},
		{Name: "Check Outcome", Output: json.RawMessage(
			`{"verdict":"unhealthy","after":{"processed":7},"problems":["it is slow"]}`,
		)},
	} {
		if line := told.line(step); line != "" {
			lines = append(lines, line)
		}
	}
	want := []string{
		"Look At Rollout        1 of 2 tasks run worker:8", "Send Canary",
		"Check Outcome          unhealthy, 7 messages processed; it is slow",
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("told %q, want %q", lines, want)
	}
}

func TestReadReport(t *testing.T) {
	p95 := 5.0
	document, err := json.Marshal(verify.Report{
		OK: true, Summary: "worker:8: verified", Version: verify.Version{TaskDefinition: "worker:8"},
		Measured: &verify.MeasuredChange{Before: verify.Measured{Processed: 600, P95Duration: &p95},
			After: verify.Measured{Processed: 40}},
		Notes: []string{"a note"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := readReport(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"worker:8: verified\n", "duration p95", "5 s", "- a note\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if _, err := readReport(json.RawMessage(`"x"`)); err == nil {
		t.Error("nonsense is a report")
	}
}

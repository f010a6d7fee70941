package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/verify"
)

func TestParse(t *testing.T) {
	image := "sha256:" + strings.Repeat("1", 64)
	for line, want := range map[string]map[string]any{
		"": {"reason": "by hand"},
		"-report-only -no-canary -soak 15m -rollout 1h": {
			"reason": "by hand", "rollBack": false, "canary": false, "soakSeconds": 900.0, "rolloutSeconds": 3600.0,
		},
		"-image " + image + " -change 4f2c -reason why": {"reason": "why", "change": "4f2c", "imageDigest": image},
	} {
		got, err := parse(strings.Fields(line))
		if err != nil || !reflect.DeepEqual(got.input, want) {
			t.Errorf("%q gives %v (%v), want %v", line, got.input, err, want)
		}
	}
	for _, line := range []string{"-soak 5", "-soak 3h", "-soak 0s", "-image sha256:1", "worker", "-unknown"} {
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

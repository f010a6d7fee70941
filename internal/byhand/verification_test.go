package byhand

import (
	"encoding/json"
	"reflect"
	"testing"

	"sqs-dynamic-target-tracking/internal/execution"
)

func TestVerificationSaysWhatIsNew(t *testing.T) {
	var told Verification
	var lines []string
	for _, step := range []execution.Step{
		{Name: "Look At Rollout", Output: json.RawMessage(`{"summary":"1 of 2 tasks run worker:8"}`)},
		{Name: "Rollout Settled?"}, {Name: "Wait For Rollout"},
		{Name: "Look At Rollout", Output: json.RawMessage(`{"summary":"1 of 2 tasks run worker:8"}`)},
		{Name: "Send Canary", Output: json.RawMessage(`"nonsense"`)},
		{Name: "Send Canary", Output: json.RawMessage(`{"version":"","taskDefinition":"worker:8"}`)},
		{Name: "Send Canary", Output: json.RawMessage(
			`{"Error":"CanaryFailed","Cause":"{\"taskDefinition\":\"worker:8\",\"message\":\"no table\"}"}`,
		)},
		{Name: "Send Canary", Output: json.RawMessage(`{"Error":"States.Timeout"}`)},
		{Name: "Check Outcome", Output: json.RawMessage(
			`{"verdict":"unhealthy","after":{"processed":7},"problems":["it is slow"]}`,
		)},
	} {
		if line := told.Line(step); line != "" {
			lines = append(lines, line)
		}
	}
	want := []string{
		"Look At Rollout        1 of 2 tasks run worker:8", "Send Canary",
		"Send Canary            answered by worker:8", "Send Canary            CanaryFailed: worker:8: no table",
		"Send Canary            States.Timeout",
		"Check Outcome          unhealthy, 7 messages processed; it is slow",
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("told %q, want %q", lines, want)
	}
}

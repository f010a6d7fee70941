package retune

import (
	"encoding/json"
	"testing"
)

func TestReadOutcome(t *testing.T) {
	m := measurement(1000, 4)
	m.Reason = "schedule"
	decision := decide(t, m)
	for name, document := range map[string]any{
		"applied": map[string]any{
			"outcome": "applied", "summary": decision.Summary, "reason": m.Reason, "measured": m, "decided": decision,
			"applied":   Applied{Before: Settings{Targets: m.Current}, After: Settings{Targets: decision.Targets}},
			"published": Published{Parameter: parameter},
		},
		"kept": map[string]any{"outcome": "kept: too few samples", "reason": m.Reason, "measured": m},
	} {
		output, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadOutcome(output)
		if err != nil {
			t.Fatal(err)
		}
		if changed := name == "applied"; (got.Decided != nil) != changed || (got.Applied != nil) != changed ||
			(got.Published != nil) != changed {
			t.Errorf("%s: %+v", name, got)
		}
		if got.Measured.Samples != 1000 || got.Measured.Reason != "schedule" || got.Reason != "schedule" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := ReadOutcome(json.RawMessage("[")); err == nil {
		t.Error("what is not JSON is read")
	}
}

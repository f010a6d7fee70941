package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// TestRetunesAreListedWhoeverStartedThem: also those of the schedule and of an update of the stack.
func TestRetunesAreListedWhoeverStartedThem(t *testing.T) {
	given := func(seconds int, status types.ExecutionStatus, input, output string) executed {
		return executed{machine: "retune", started: began.Add(time.Duration(seconds) * time.Second), status: status,
			input: json.RawMessage(input), output: json.RawMessage(output)}
	}
	failed := given(9, types.ExecutionStatusFailed, `{}`, "")
	failed.err, failed.cause = "MetricsIncomplete", "half a span"
	retunes := []executed{
		given(0, types.ExecutionStatusSucceeded, `{"reason":"schedule"}`, `{"outcome":"kept: too few samples"}`),
		given(3, types.ExecutionStatusSucceeded, `{"reason":"longer messages"}`, `{"outcome":"applied","decided":{`+
			`"current":{"backlogTarget":13,"rateTarget":9.6},"targets":{"backlogTarget":7,"rateTarget":4.8}}}`),
		given(6, types.ExecutionStatusRunning, `{"reason":"stack update"}`, ``),
		failed,
	}
	got := retuneTable(retunes, func(at time.Time) string { return clock(20 * at.Sub(began)) })
	want := strings.Join([]string{
		"retunes   started for       backlog per task   sent per task   outcome",
		"  00:00   schedule                                             kept: too few samples",
		"  01:00   longer messages   13.00 → 7.00       9.60 → 4.80     applied",
		"  02:00   stack update                                         running",
		"  03:00   –                                                    MetricsIncomplete: half a span",
		"",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := countTable(retunes, nil), "executions\n  retune   failed      1\n"; !strings.HasPrefix(got, want) {
		t.Errorf("counted\n%s", got)
	}
}

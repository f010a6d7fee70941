package produce

import (
	"errors"
	"strings"
	"testing"
)

func result(first, count, sent int) RangeResult {
	return RangeResult{
		Range: Range{
			First: first,
			Count: count,
		},
		Outcome:     Outcome{Sent: sent, Retried: 1},
		WorkSeconds: float64(count) * 5,
	}
}

func TestReport(t *testing.T) {
	spec := plan(t, `{"messages":2500}`).Spec
	got, err := NewReport(ReportRequest{Spec: spec, Ranges: []RangeResult{
		result(1000, 1000, 1000), result(0, 1000, 1000), result(2000, 500, 500),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Summary: "sent 2500 messages of 5 s: 12500 s of work", Messages: 2500, Sent: 2500, Retried: 3, Ranges: 3,
		WorkSeconds: 12500, Spec: spec,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReportOfNothing(t *testing.T) {
	spec := plan(t, `{"trace":{"name":"x","arrivals":0}}`).Spec
	if got, err := NewReport(ReportRequest{Spec: spec}); err != nil || got.Sent != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReportRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		ranges []RangeResult
		want   string
	}{
		"nothing":  {nil, "results for 0 of 2500 messages"},
		"too few":  {[]RangeResult{result(0, 1000, 1000)}, "results for 1000 of 2500 messages"},
		"too many": {[]RangeResult{result(0, 2500, 2500), result(2500, 1, 1)}, "results for 2501 of 2500 messages"},
		"gap": {[]RangeResult{result(0, 1000, 1000), result(1500, 1000, 1000)}, "no result for the messages " +
			"1000 to 1499"},
		"overlap": {[]RangeResult{result(0, 1000, 1000), result(500, 2000, 2000)}, "two results for message 500"},
		"not all sent": {
			[]RangeResult{result(0, 1000, 999), result(1000, 1500, 1500)}, "999 of the 1000 messages from 0 were sent",
		},
	} {
		_, err := NewReport(ReportRequest{Spec: plan(t, `{"messages":2500}`).Spec, Ranges: test.ranges})
		var incomplete *IncompleteSend
		if !errors.As(err, &incomplete) || !strings.Contains(err.Error(), test.want) ||
			incomplete.ErrorName() != "IncompleteSend" {
			t.Errorf("%s: got %v, want *IncompleteSend that says %q", name, err, test.want)
		}
	}
}

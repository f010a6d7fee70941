package produce

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// ReportRequest is the input of the step Report.
type ReportRequest struct {
	Spec   Spec          `json:"spec"`
	Ranges []RangeResult `json:"ranges"`
}

// Report is the output of the machine.
type Report struct {
	Summary     string  `json:"summary"`
	Messages    int     `json:"messages"`
	Sent        int     `json:"sent"`
	Retried     int     `json:"retried"` // repetitions that were needed for refused messages
	Ranges      int     `json:"ranges"`
	WorkSeconds float64 `json:"workSeconds"` // sum of the durations of the messages
	Spec        Spec    `json:"spec"`
}

// IncompleteSend says that the results of the ranges do not add up to the plan.
type IncompleteSend struct{ Reason string }

func (e *IncompleteSend) Error() string { return "the plan was not sent as it is: " + e.Reason }

// ErrorName is the name under which a state machine sees the error.
func (*IncompleteSend) ErrorName() string { return "IncompleteSend" }

// NewReport adds up the results of the ranges. Results that leave a gap, overlap, or sent less than their range are
// refused with *IncompleteSend.
func NewReport(request ReportRequest) (Report, error) {
	report := Report{Spec: request.Spec, Messages: request.Spec.Messages, Ranges: len(request.Ranges)}
	ranges := slices.Clone(request.Ranges)
	slices.SortFunc(ranges, func(a, b RangeResult) int { return cmp.Compare(a.First, b.First) })
	next := 0
	for _, r := range ranges {
		switch {
		case r.First > next:
			return Report{}, &IncompleteSend{fmt.Sprintf("no result for the messages %d to %d", next, r.First-1)}
		case r.First < next:
			return Report{}, &IncompleteSend{fmt.Sprintf("two results for message %d", r.First)}
		case r.Sent != r.Count:
			return Report{}, &IncompleteSend{
				fmt.Sprintf("%d of the %d messages from %d were sent", r.Sent, r.Count, r.First),
			}
		}
		next += r.Count
		report.Sent += r.Sent
		report.Retried += r.Retried
		report.WorkSeconds += r.WorkSeconds
	}
	if next != report.Messages {
		return Report{}, &IncompleteSend{fmt.Sprintf("results for %d of %d messages", next, report.Messages)}
	}
	report.WorkSeconds = math.Round(report.WorkSeconds*1e6) / 1e6
	report.Summary = fmt.Sprintf("sent %s: %.6g s of work", report.Spec.summary(), report.WorkSeconds)
	return report, nil
}

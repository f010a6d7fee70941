package retune

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// Record is the tuning record: what the last retune that changed something measured and applied. It lives in an SSM
// parameter, so that a deployment, which writes the policies anew, can ask for the tuned targets.
type Record struct {
	ProcessingSeconds float64 `json:"processingSeconds"`
	// ReferenceSeconds is the duration that Targets are right for, where that is not ProcessingSeconds because they
	// went only part of the way; else 0.
	ReferenceSeconds float64   `json:"referenceSeconds,omitempty"`
	Samples          int       `json:"samples"`
	MeasuredAt       time.Time `json:"measuredAt"`
	Targets
	// Promise that the targets were made for. A deployment that leaves it alone gets exactly these targets back; one
	// that changes it gets new ones for ProcessingSeconds.
	Promise Promise `json:"promise"`
	// Tuning that the targets were made with, if it was not the promise's: chosen by replay.
	Tuning *Tuning `json:"tuning,omitempty"`
	// HoldUntil is the time, RFC 3339, until which the targets were set by hand and are to be kept, or UntilReleased;
	// else empty.
	HoldUntil string `json:"holdUntil"`
	// Since is when the duration last drifted: what was measured before is of another load. Nil if it never did.
	Since *time.Time `json:"since,omitempty"`
	// Refused are settings that made things worse and were taken back. Nil if none were.
	Refused   *Refused `json:"refused,omitempty"`
	Execution string   `json:"execution"` // ARN of the execution that wrote the record
}

// Refused are settings that were tried.
type Refused struct {
	Settings
	At time.Time `json:"at"`
}

// refusedFor is how long targets that were taken back are not tried again: until the same hours of the next day.
const refusedFor = 24 * time.Hour

// refuses tells whether settings leave the tasks at least as much to do as those that were taken back less than a day
// ago did. Bounds that allow more tasks than those did leave them less.
func (r *Record) refuses(s Settings, at time.Time) bool {
	if r == nil || r.Refused == nil || at.Sub(r.Refused.At) >= refusedFor {
		return false
	}
	if b, refused := s.Bounds, r.Refused.Bounds; b != nil && refused != nil &&
		(b.MinTasks > refused.MinTasks || b.MaxTasks > refused.MaxTasks) {
		return false
	}
	const about = 1 - DeadBand
	return s.Backlog >= about*r.Refused.Backlog && s.Rate >= about*r.Refused.Rate
}

// Promise is a backlog.Promise as it is written in records and outputs.
type Promise struct {
	AcceptableDelaySeconds float64 `json:"acceptableDelaySeconds"`
	Headroom               float64 `json:"headroom"`
	Utilization            float64 `json:"utilization"`
	WorkerConcurrency      int     `json:"workerConcurrency"`
	MetricPeriodSeconds    float64 `json:"metricPeriodSeconds"`
}

// PromiseOf writes a promise in seconds.
func PromiseOf(p backlog.Promise) Promise {
	return Promise{
		AcceptableDelaySeconds: p.AcceptableDelay.Seconds(), Headroom: p.Headroom, Utilization: p.Utilization,
		WorkerConcurrency: p.Concurrency, MetricPeriodSeconds: p.Period.Seconds(),
	}
}

// Holds tells whether the targets are to be kept at that time, and until when; the zero time is until they are
// released.
func (r Record) Holds(at time.Time) (until time.Time, holds bool) {
	if r.HoldUntil == UntilReleased {
		return time.Time{}, true
	}
	until, err := time.Parse(time.RFC3339, r.HoldUntil)
	return until, err == nil && at.Before(until)
}

// Reference is the duration that the targets are right for: what the drift alarm compares with.
func (r Record) Reference() time.Duration {
	return seconds(cmp.Or(r.ReferenceSeconds, r.ProcessingSeconds))
}

// Processing is the duration that was measured for the targets.
func (r Record) Processing() time.Duration { return seconds(r.ProcessingSeconds) }

func (r Record) validate() error {
	var problems []error
	for name, value := range map[string]float64{
		"processingSeconds": r.ProcessingSeconds, "backlogTarget": r.Backlog, "rateTarget": r.Rate,
	} {
		if !(value > 0) {
			problems = append(problems, fmt.Errorf("%s is %g; it must be more than 0", name, value))
		}
	}
	if r.HoldUntil != "" && r.HoldUntil != UntilReleased {
		if _, err := time.Parse(time.RFC3339, r.HoldUntil); err != nil {
			problems = append(
				problems,
				fmt.Errorf("holdUntil is %q; it must be empty, %q or a time like 2026-01-31T18:00:00Z",
					r.HoldUntil, UntilReleased),
			)
		}
	}
	return errors.Join(problems...)
}

// RecordUnreadable says that the parameter holds something else than a tuning record, probably edited by hand.
type RecordUnreadable struct {
	Parameter string
	Reason    string
}

func (e *RecordUnreadable) Error() string {
	return fmt.Sprintf(
		"the tuning record in the SSM parameter %s is not readable: %s; correct it, or delete the parameter "+
			"to start from the initial processing duration",
		e.Parameter,
		e.Reason,
	)
}

// ErrorName is the name under which a state machine sees the error.
func (*RecordUnreadable) ErrorName() string { return "RecordUnreadable" }

type parameterReader interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// ReadRecord reads the tuning record. It returns nil if there is none yet.
func ReadRecord(ctx context.Context, client parameterReader, parameter string) (*Record, error) {
	answer, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(parameter)})
	var missing *types.ParameterNotFound
	switch {
	case errors.As(err, &missing):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the tuning record %s: %w", parameter, err)
	}
	var record Record
	if err := json.Unmarshal([]byte(aws.ToString(answer.Parameter.Value)), &record); err != nil {
		return nil, &RecordUnreadable{parameter, err.Error()}
	}
	if err := record.validate(); err != nil {
		return nil, &RecordUnreadable{parameter, err.Error()}
	}
	return &record, nil
}

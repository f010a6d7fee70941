// Package initialtargets answers CloudFormation which target values the scaling policies shall be given.
//
// CloudFormation has no arithmetic, so both values come from a custom resource. Everything that enters the policies is
// a property of it too: whenever CloudFormation is about to write a policy it has just asked, and gets what the last
// retune made of the measurements. So a deployment never resets tuned targets.
package initialtargets

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/retune"
)

// Source says where the targets come from.
type Source string

// Sources.
const (
	Initial  Source = "initial"  // computed from the property InitialProcessingSeconds
	Measured Source = "measured" // the last retune's targets, or computed from its duration for a changed promise
	Hold     Source = "hold"     // set by hand, and to be kept
)

// Properties of the resource that are used. CloudFormation passes all values as strings; the resource has more
// properties, which only make CloudFormation ask.
var properties = struct {
	delay, processing, headroom, utilization, concurrency, period string
}{
	"AcceptableDelaySeconds", "InitialProcessingSeconds", "Headroom", "Utilization", "WorkerConcurrency",
	"MetricPeriodSeconds",
}

type parameters interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	DeleteParameter(
		context.Context,
		*ssm.DeleteParameterInput,
		...func(*ssm.Options),
	) (*ssm.DeleteParameterOutput, error)
}

// Resource is the custom resource.
type Resource struct {
	Parameters      parameters
	TuningParameter string // name of the SSM parameter with the tuning record
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Answer is what the resource is asked for.
type Answer struct {
	Targets    backlog.Targets
	Processing time.Duration // that was measured for the targets, or is assumed
	Reference  time.Duration // that the targets are right for: the drift alarm compares with it
	Source     Source
}

// Handle serves CloudFormation's requests. Create and Update answer the attributes BacklogTarget, RateTarget,
// ProcessingSeconds, ReferenceSeconds and Source; Delete removes the tuning record.
//
// The physical id is the parameter's name in every answer: with another one, CloudFormation would take an update for a
// replacement and have the old one deleted, and the record with it.
func (r Resource) Handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	if event.RequestType == cfn.RequestDelete {
		return r.TuningParameter, nil, r.forget(ctx)
	}
	answer, err := r.answer(ctx, event.ResourceProperties)
	if err != nil {
		return r.TuningParameter, nil, err
	}
	return r.TuningParameter, map[string]any{
		"BacklogTarget":     decimal(answer.Targets.Backlog),
		"RateTarget":        decimal(answer.Targets.Rate),
		"ProcessingSeconds": decimal(answer.Processing.Seconds()),
		"ReferenceSeconds":  decimal(answer.Reference.Seconds()),
		"Source":            string(answer.Source),
	}, nil
}

func (r Resource) answer(ctx context.Context, given map[string]any) (Answer, error) {
	promise, initial, err := parse(given)
	if err != nil {
		return Answer{}, err
	}
	record, err := retune.ReadRecord(ctx, r.Parameters, r.TuningParameter)
	if err != nil {
		return Answer{}, err
	}
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	return choose(promise, initial, record, now())
}

// choose decides between the record and the initial duration. It is pure.
func choose(promise backlog.Promise, initial time.Duration, record *retune.Record, now time.Time) (Answer, error) {
	answer := Answer{Source: Initial, Processing: initial}
	if record != nil {
		answer = Answer{
			Source: Measured, Processing: record.Processing(), Reference: record.Reference(),
			Targets: backlog.Targets(record.Targets),
		}
		if _, holds := record.Holds(now); holds {
			answer.Source = Hold
			return answer, nil
		}
		if record.Promise == retune.PromiseOf(promise) {
			return answer, nil // the targets in force, which guard rails may have kept off what the arithmetic says
		}
	}
	targets, err := promise.Targets(answer.Processing)
	answer.Targets, answer.Reference = targets.Rounded(), answer.Processing
	return answer, err
}

// forget removes the tuning record. That there is none is fine.
func (r Resource) forget(ctx context.Context) error {
	_, err := r.Parameters.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String(r.TuningParameter)})
	var missing *types.ParameterNotFound
	if err == nil || errors.As(err, &missing) {
		return nil
	}
	return fmt.Errorf("delete the tuning record %s: %w", r.TuningParameter, err)
}

// parse reads the properties and reports every problem with them.
func parse(given map[string]any) (promise backlog.Promise, initial time.Duration, err error) {
	in := reader{given: given}
	initial = in.seconds(properties.processing)
	promise = backlog.Promise{
		AcceptableDelay: in.seconds(properties.delay),
		Headroom:        in.number(properties.headroom),
		Utilization:     in.number(properties.utilization),
		Concurrency:     in.whole(properties.concurrency),
		Period:          in.seconds(properties.period),
	}
	if err := errors.Join(in.problems...); err != nil {
		return promise, initial, err
	}
	_, err = promise.Targets(initial) // checks the promise and the duration
	return promise, initial, err
}

type reader struct {
	given    map[string]any
	problems []error
}

func (r *reader) number(property string) float64 {
	raw, ok := r.given[property]
	if !ok {
		r.problems = append(r.problems, fmt.Errorf("the property %s is missing", property))
		return 0
	}
	value, err := strconv.ParseFloat(fmt.Sprint(raw), 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		r.problems = append(
			r.problems,
			fmt.Errorf("the property %s is %q; it must be a number", property, fmt.Sprint(raw)),
		)
		return 0
	}
	return value
}

func (r *reader) whole(property string) int {
	value := r.number(property)
	if value != math.Trunc(value) || math.Abs(value) > math.MaxInt32 {
		r.problems = append(r.problems, fmt.Errorf("the property %s is %q; it must be a whole number", property,
			fmt.Sprint(r.given[property])))
		return 0
	}
	return int(value)
}

func (r *reader) seconds(property string) time.Duration {
	const most = 1e9 // keeps the conversion from overflowing; ranges are checked by the arithmetic
	value := r.number(property)
	return time.Duration(math.Round(min(max(value, -most), most) * float64(time.Second)))
}

// decimal writes a number as people do: no exponent.
func decimal(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

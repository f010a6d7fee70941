package initialtargets

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/retune"
)

const parameter = "/orders/tuning"

// fakeParameters is a parameter store with one parameter, that records what was deleted.
type fakeParameters struct {
	value   *string
	err     error
	deleted []string
	reads   int
}

func (f *fakeParameters) GetParameter(
	context.Context, *ssm.GetParameterInput, ...func(*ssm.Options),
) (*ssm.GetParameterOutput, error) {
	f.reads++
	switch {
	case f.err != nil:
		return nil, f.err
	case f.value == nil:
		return nil, &types.ParameterNotFound{}
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: f.value}}, nil
}

func (f *fakeParameters) DeleteParameter(
	_ context.Context, in *ssm.DeleteParameterInput, _ ...func(*ssm.Options),
) (*ssm.DeleteParameterOutput, error) {
	f.deleted = append(f.deleted, aws.ToString(in.Name))
	switch {
	case f.err != nil:
		return nil, f.err
	case f.value == nil:
		return nil, &types.ParameterNotFound{}
	}
	f.value = nil
	return &ssm.DeleteParameterOutput{}, nil
}

// given is what CloudFormation passes for the template's defaults: strings, and more than what is used.
func given(changes map[string]any) map[string]any {
	properties := map[string]any{
		"ServiceToken":           "arn:aws:lambda:eu-west-1:111122223333:function:orders-initial-targets",
		"AcceptableDelaySeconds": "60", "InitialProcessingSeconds": "5", "Headroom": "1", "Utilization": "0.8",
		"WorkerConcurrency": "1", "MetricPeriodSeconds": "60",
		"ScaleOutCooldownSeconds": "300", "QueueName": "orders", "MinTasks": "1",
	}
	for name, value := range changes {
		if value == nil {
			delete(properties, name)
		} else {
			properties[name] = value
		}
	}
	return properties
}

// record is what a retune left for the template's defaults. The rate target is not what the arithmetic says: a guard
// rail kept it.
func record(change func(*retune.Record)) *string {
	r := retune.Record{
		ProcessingSeconds: 2, Samples: 900, MeasuredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Targets: retune.Targets{Backlog: 31, Rate: 19.2},
		Promise: retune.Promise{
			AcceptableDelaySeconds: 60, Headroom: 1, Utilization: 0.8, WorkerConcurrency: 1, MetricPeriodSeconds: 60,
		},
		Execution: "arn",
	}
	if change != nil {
		change(&r)
	}
	document, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return aws.String(string(document))
}

func handle(t *testing.T, store *fakeParameters, request cfn.RequestType, properties map[string]any) (
	string, map[string]any, error,
) {
	t.Helper()
	resource := Resource{
		Parameters: store, TuningParameter: parameter,
		Now: func() time.Time { return time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC) },
	}
	return resource.Handle(t.Context(), cfn.Event{RequestType: request, ResourceProperties: properties})
}

func answer(backlog, rate, processing, source string) map[string]any {
	return map[string]any{
		"BacklogTarget": backlog, "RateTarget": rate, "ProcessingSeconds": processing, "Source": source,
		"ReferenceSeconds": processing,
	}
}

func TestInitialTargets(t *testing.T) {
	for name, test := range map[string]struct {
		properties map[string]any
		want       map[string]any
	}{
		"template defaults": {nil, answer("13", "9.6", "5", "initial")},
		"short messages": {
			map[string]any{"AcceptableDelaySeconds": "10", "InitialProcessingSeconds": "0.3"},
			answer("34.33", "160", "0.3", "initial"),
		},
		"defect 4: jobs longer than the delay": {
			map[string]any{"InitialProcessingSeconds": "900"}, answer("1.067", "0.05333", "900", "initial"),
		},
		"four at once": {map[string]any{"WorkerConcurrency": "4"}, answer("52", "38.4", "5", "initial")},
		"no exponent": {
			map[string]any{"AcceptableDelaySeconds": "1209600", "InitialProcessingSeconds": "0.001", "Headroom": "100"},
			answer("121000000000", "48000", "0.001", "initial"),
		},
		"numbers rather than texts": {map[string]any{"WorkerConcurrency": 4.0}, answer("52", "38.4", "5", "initial")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, request := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
				id, got, err := handle(t, &fakeParameters{}, request, given(test.properties))
				if err != nil || !reflect.DeepEqual(got, test.want) || id != parameter {
					t.Errorf("%s: got %v with the id %s, %v; want %v", request, got, id, err, test.want)
				}
			}
		})
	}
}

// TestDefect6RedeployKeepsTunedTargets: redeploying the blueprint reset the tuned target to a constant.
func TestDefect6RedeployKeepsTunedTargets(t *testing.T) {
	for name, test := range map[string]struct {
		record     *string
		properties map[string]any
		want       map[string]any
	}{
		"nothing of the promise changes": {record(nil), nil, answer("31", "19.2", "2", "measured")},
		"another cooldown and first duration": {
			record(nil), map[string]any{"ScaleOutCooldownSeconds": "60", "InitialProcessingSeconds": "50"},
			answer("31", "19.2", "2", "measured"),
		},
		"another delay, same duration": {
			record(nil), map[string]any{"AcceptableDelaySeconds": "30"}, answer("16", "24", "2", "measured"),
		},
		"held": {
			record(func(r *retune.Record) { r.Backlog, r.HoldUntil = 99, "2026-03-01T15:00:00Z" }),
			map[string]any{"AcceptableDelaySeconds": "30"}, answer("99", "19.2", "2", "hold"),
		},
		"held until released": {
			record(func(r *retune.Record) { r.Backlog, r.HoldUntil = 99, retune.UntilReleased }),
			map[string]any{"AcceptableDelaySeconds": "30"}, answer("99", "19.2", "2", "hold"),
		},
		"a delay set by hand, whose hold is over": {
			record(func(r *retune.Record) {
				r.Backlog, r.HoldUntil, r.Promise.AcceptableDelaySeconds = 16, "2026-03-01T13:00:00Z", 30
			}),
			nil, answer("31", "24", "2", "measured"),
		},
		"hold is over": {
			record(func(r *retune.Record) { r.Backlog, r.HoldUntil = 99, "2026-03-01T13:00:00Z" }),
			map[string]any{"AcceptableDelaySeconds": "30"}, answer("16", "24", "2", "measured"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, err := handle(t, &fakeParameters{value: test.record}, cfn.RequestUpdate, given(test.properties))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestDeleteForgetsTheTuning(t *testing.T) {
	for _, value := range []*string{record(nil), nil, aws.String("{")} {
		store := &fakeParameters{value: value}
		// A resource whose properties were refused must be deletable.
		id, _, err := handle(t, store, cfn.RequestDelete, map[string]any{"Headroom": "much"})
		if err != nil || id != parameter || len(store.deleted) != 1 || store.deleted[0] != parameter ||
			store.reads != 0 {
			t.Errorf("deleted %v, %v", store.deleted, err)
		}
	}
}

func TestReasonsOfFailures(t *testing.T) {
	denied := errors.New("AccessDenied")
	for name, test := range map[string]struct {
		request    cfn.RequestType
		store      *fakeParameters
		properties map[string]any
		want       string
	}{
		"missing": {
			cfn.RequestCreate, &fakeParameters{}, map[string]any{"Headroom": nil, "Utilization": nil},
			"the property Headroom is missing\nthe property Utilization is missing",
		},
		"not a number": {
			cfn.RequestCreate, &fakeParameters{}, map[string]any{"Headroom": "much", "WorkerConcurrency": "NaN"},
			"the property Headroom is \"much\"; it must be a number\nthe property WorkerConcurrency is \"NaN\"",
		},
		"out of range": {
			cfn.RequestUpdate, &fakeParameters{}, map[string]any{"Utilization": "1", "AcceptableDelaySeconds": "1e300"},
			"acceptable delay is 277777h46m40s; allowed: more than 0s, at most 336h0m0s\nutilisation is 1; " +
				"allowed: more than 0",
		},
		"no duration": {
			cfn.RequestCreate, &fakeParameters{}, map[string]any{"InitialProcessingSeconds": "0"},
			"processing duration is 0s; allowed: more than 0s",
		},
		"half a message at once": {
			cfn.RequestCreate, &fakeParameters{}, map[string]any{"WorkerConcurrency": "1.5"},
			"the property WorkerConcurrency is \"1.5\"; it must be a whole number",
		},
		"record not readable": {
			cfn.RequestUpdate, &fakeParameters{value: aws.String("{")}, nil,
			"the tuning record in the SSM parameter /orders/tuning is not readable: unexpected end of JSON input; " +
				"correct it",
		},
		"store not readable": {
			cfn.RequestCreate, &fakeParameters{err: denied}, nil, "read the tuning record /orders/tuning: AccessDenied",
		},
		"record not deletable": {
			cfn.RequestDelete, &fakeParameters{err: denied}, nil, "delete the tuning record /orders/tuning: " +
				"AccessDenied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			id, _, err := handle(t, test.store, test.request, given(test.properties))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want it to say %q", err, test.want)
			}
			if id != parameter {
				t.Errorf("the physical id is %q: CloudFormation would take this for a replacement", id)
			}
		})
	}
}

func TestClockOfTheSystem(t *testing.T) {
	resource := Resource{
		TuningParameter: parameter,
		Parameters: &fakeParameters{value: record(func(r *retune.Record) {
			r.HoldUntil = time.Now().Add(time.Hour).Format(time.RFC3339)
		})},
	}
	_, got, err := resource.Handle(
		t.Context(),
		cfn.Event{RequestType: cfn.RequestCreate, ResourceProperties: given(nil)},
	)
	if err != nil || got["Source"] != "hold" {
		t.Errorf("got %v, %v", got, err)
	}
}

// FuzzProperties checks that whatever CloudFormation passes, the answer is two usable targets or a reason.
func FuzzProperties(f *testing.F) {
	f.Add("60", "5", "1", "0.8", "1", "60")
	f.Add("1e300", "-5", "NaN", "Inf", "1.5", "")
	f.Fuzz(func(t *testing.T, delay, processing, headroom, utilization, concurrency, period string) {
		_, got, err := handle(t, &fakeParameters{}, cfn.RequestCreate, map[string]any{
			"AcceptableDelaySeconds": delay, "InitialProcessingSeconds": processing, "Headroom": headroom,
			"Utilization": utilization, "WorkerConcurrency": concurrency, "MetricPeriodSeconds": period,
		})
		if err != nil {
			return
		}
		for _, name := range []string{"BacklogTarget", "RateTarget"} {
			var value float64
			if json.Unmarshal([]byte(got[name].(string)), &value) != nil || !(value > 0) {
				t.Errorf("%s is %v", name, got[name])
			}
		}
	})
}

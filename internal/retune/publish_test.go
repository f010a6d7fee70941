package retune

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func publishRequest(t *testing.T) PublishRequest {
	t.Helper()
	m := measurement(1234, 4)
	m.Record = &Record{ProcessingSeconds: 5, Targets: m.Current, HoldUntil: "2026-02-01T00:00:00Z"} // over
	m.ProcessingQuantiles = map[string]float64{"p50": 3, "p95": 9}
	decision := decide(t, m)
	return PublishRequest{
		Measurement: m,
		Outcome:     "applied",
		Summary:     decision.Summary,
		Decision:    &decision,
		Applied: &Applied{
			At: noon, Before: Settings{Targets: m.Current}, After: Settings{Targets: decision.Targets},
		},
	}
}

func TestPublish(t *testing.T) {
	metrics, parameters, logs := &fakeMetrics{}, &fakeParameters{}, &fakeLogs{}
	publisher := Publisher{
		Metrics: metrics, Parameters: parameters, TuningParameter: parameter, Log: logs, RunLog: "/orders/retunes",
		Now:    func() time.Time { return noon },
		Source: MetricSource{Namespace: "ECS-SQS-BPI", Type: "Single-Queue", Queue: "orders"},
	}
	request := publishRequest(t)
	got, err := publisher.Publish(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	want := Record{
		ProcessingSeconds: 4, Samples: 1234, MeasuredAt: noon, Targets: Targets{Backlog: 16, Rate: 12},
		Promise: PromiseOf(promise), Execution: arn, // the hold is over
	}
	if *got.Record != want || got.Parameter != parameter {
		t.Errorf("got %+v, want %+v", got, want)
	}
	read, err := ReadRecord(t.Context(), parameters, parameter)
	if err != nil || *read != want {
		t.Errorf("read again %+v, %v", read, err)
	}
	if put := parameters.puts[0]; !aws.ToBool(put.Overwrite) || aws.ToString(put.Name) != parameter ||
		put.Type != "String" {
		t.Errorf("put %+v", put)
	}

	values, units := map[string]float64{}, map[string]cwtypes.StandardUnit{}
	for _, datum := range metrics.put[0].MetricData {
		values[*datum.MetricName], units[*datum.MetricName] = *datum.Value, datum.Unit
		if d := datum.Dimensions; *d[0].Name != "Type" || *d[0].Value != "Single-Queue" || *d[1].Name != "QueueName" ||
			*d[1].Value != "orders" || len(d) != 2 {
			t.Errorf("%s has the dimensions %+v", *datum.MetricName, d)
		}
	}
	if want := map[string]float64{
		"ecsTargetBPI": 16, "ecsTargetRPI": 12, "MeasuredProcessingDuration": 4, "MeasuredProcessingP95": 9,
		"PromiseKept": 96.5,
	}; !reflect.DeepEqual(values, want) {
		t.Errorf("published %v, want %v", values, want)
	}
	if units["PromiseKept"] != "Percent" || units["MeasuredProcessingDuration"] != "Seconds" {
		t.Errorf("units %v", units)
	}
	if *metrics.put[0].Namespace != "ECS-SQS-BPI" {
		t.Errorf("namespace %s", *metrics.put[0].Namespace)
	}
}

func TestPublishWithoutPromise(t *testing.T) {
	metrics := &fakeMetrics{}
	request := publishRequest(t)
	request.Measurement.PromiseKeptPercent = nil
	publisher := Publisher{Metrics: metrics, Parameters: &fakeParameters{}, Log: &fakeLogs{}}
	if _, err := publisher.Publish(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if n := len(metrics.put[0].MetricData); n != 4 {
		t.Errorf("%d metrics, want 4: what was not measured is not published", n)
	}
}

func TestPublishHandsErrorsDown(t *testing.T) {
	denied := errors.New("AccessDenied")
	for want, publisher := range map[string]Publisher{
		"write the tuning record /orders/tuning": {
			Metrics: &fakeMetrics{}, Parameters: &fakeParameters{err: denied}, TuningParameter: parameter,
		},
		"write the run to the log group /orders/retunes": {
			Metrics: &fakeMetrics{}, Parameters: &fakeParameters{}, Log: &fakeLogs{err: denied}, RunLog: "/orders/retunes",
		},
		"publish the metrics of the queue orders": {
			Metrics: &fakeMetrics{err: denied}, Parameters: &fakeParameters{}, Source: MetricSource{Queue: "orders"},
		},
	} {
		if _, err := publisher.Publish(t.Context(), publishRequest(t)); !errors.Is(err, denied) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestHolds(t *testing.T) {
	for hold, want := range map[string]bool{
		"": false, "2026-03-01T12:00:00Z": false, "2026-03-01T12:00:01Z": true,
		"2026-03-01T13:30:00+02:00": false, "x": false, UntilReleased: true,
	} {
		if until, got := (Record{HoldUntil: hold}).Holds(noon); got != want || (got && hold != UntilReleased && !until.After(noon)) {
			t.Errorf("%q holds: %v until %v", hold, got, until)
		}
	}
	if got := (Record{ProcessingSeconds: 0.3}).Processing(); got != 300*time.Millisecond {
		t.Errorf("got %v", got)
	}
}

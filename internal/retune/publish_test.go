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
			Metrics: &fakeMetrics{}, Parameters: &fakeParameters{}, Log: &fakeLogs{err: denied},
			RunLog: "/orders/retunes",
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
		if until, got := (Record{HoldUntil: hold}).Holds(noon); got != want ||
			(got && hold != UntilReleased && !until.After(noon)) {
			t.Errorf("%q holds: %v until %v", hold, got, until)
		}
	}
	if got := (Record{ProcessingSeconds: 0.3}).Processing(); got != 300*time.Millisecond {
		t.Errorf("got %v", got)
	}
}

func published(t *testing.T, request PublishRequest) (Published, *fakeMetrics, *fakeParameters, Run) {
	t.Helper()
	metrics, parameters, logs := &fakeMetrics{}, &fakeParameters{}, &fakeLogs{}
	got, err := Publisher{
		Metrics: metrics, Parameters: parameters, Log: logs, TuningParameter: parameter,
		DriftRule: DriftRule{Factor: 1.5, Periods: 5}, Now: func() time.Time { return noon },
	}.Publish(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := ReadRuns(t.Context(), logs, "", 10)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	return got, metrics, parameters, runs[0]
}

// TestEveryRunIsMadeKnown: also one that keeps the targets, and one that only tries, publishes those in force and
// leaves
// a line; only one that changes something writes the record.
func TestEveryRunIsMadeKnown(t *testing.T) {
	few := measurement(3, 4)
	idle := measurement(0, 0)
	idle.PromiseKeptPercent = nil
	dry := publishRequest(t)
	dry.Measurement.DryRun, dry.Applied, dry.Outcome = true, nil, "dry run: nothing changed"
	moved := publishRequest(t)
	moved.Applied = &Applied{Moved: true, After: Settings{Targets: Targets{Backlog: 77, Rate: 9.6}}}
	for name, test := range map[string]struct {
		request PublishRequest
		target  float64
		metrics int
		why     string
	}{
		"too few samples": {
			PublishRequest{Measurement: few, Outcome: "kept: too few samples", Summary: "3 samples are few"}, 13, 4,
			"3 samples are few",
		},
		"an idle queue": {PublishRequest{Measurement: idle, Outcome: "kept: too few samples"},
			13, 2, ""},
		"a dry run":                          {dry, 13, 5, ""},
		"changed by somebody else meanwhile": {moved, 77, 5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, metrics, parameters, run := published(t, test.request)
			if got.Record != nil || len(parameters.puts) != 0 {
				t.Errorf("it wrote the record %+v", got.Record)
			}
			data := metrics.put[0].MetricData
			if aws.ToString(data[0].MetricName) != "ecsTargetBPI" || *data[0].Value != test.target ||
				len(data) != test.metrics {
				t.Errorf("%d metrics, %s is %g; want %d and %g", len(data), *data[0].MetricName, *data[0].Value,
					test.metrics, test.target)
			}
			if run.Outcome != test.request.Outcome || run.Execution != "1" || run.After.Backlog != test.target ||
				test.why != "" && run.Why[0] != test.why {
				t.Errorf("the line is %+v", run)
			}
		})
	}
}

// TestWhatIsTakenBackIsRemembered, so that the next run does not try it again.
func TestWhatIsTakenBackIsRemembered(t *testing.T) {
	request := publishRequest(t)
	request.Outcome = "taken back"
	request.Comparison = &Comparison{Summary: "worse", Worse: true}
	request.Restored = &Applied{At: noon, Before: request.Applied.After, After: request.Applied.Before}
	got, metrics, _, run := published(t, request)
	if got.Record == nil || got.Record.Targets != request.Measurement.Current ||
		got.Record.Refused.Targets != request.Applied.After.Targets || !got.Record.Refused.At.Equal(noon) || got.Again {
		t.Errorf("%+v", got)
	}
	if run.Why[0] != "worse" || run.Before.Backlog != 16 || run.After.Backlog != 13 {
		t.Errorf("the line is %+v", run)
	}
	names := map[string]float64{}
	for _, datum := range metrics.put[0].MetricData {
		names[*datum.MetricName] = *datum.Value
	}
	if !reflect.DeepEqual(names, map[string]float64{"ecsTargetBPI": 13, "ecsTargetRPI": 9.6, "RetunesTakenBack": 1}) {
		t.Errorf("published %v", names)
	}
	next := measurement(1000, 4)
	next.Record, next.Window.To = got.Record, noon.Add(time.Hour)
	if decision := decide(t, next); decision.Outcome != outcomeRefused {
		t.Errorf("the next run decides %q", decision.Outcome)
	}

	request.Restored = &Applied{Moved: true}
	if got, _, _, _ := published(t, request); got.Record != nil {
		t.Errorf("nothing was taken back, but %+v recorded", got.Record)
	}
}

// TestDriftIsFollowedUp: another retune is due when the duration is still far off, and nothing else keeps the targets.
func TestDriftIsFollowedUp(t *testing.T) {
	limited := measurement(1000, 50)
	limited.Drift.RecentSeconds = 50
	for name, test := range map[string]struct {
		change func(*Measurement)
		want   bool
	}{
		"only part of the way":      {nil, true},
		"all of the way":            {func(m *Measurement) { m.MaximumFactor = 1000 }, false},
		"a dry run":                 {func(m *Measurement) { m.DryRun = true }, false},
		"held":                      {func(m *Measurement) { m.Record.HoldUntil = UntilReleased }, false},
		"few samples, in a stretch": {func(m *Measurement) { m.Samples, m.Drift.Since = 3, &noon }, true},
		"few samples, no stretch":   {func(m *Measurement) { m.Samples = 3 }, false},
		"a rollout in progress, on drift": {
			func(m *Measurement) { m.Samples, m.Rollout.InProgress, m.Reason = 0, true, ReasonDrift }, true,
		},
		"a rollout in progress": {func(m *Measurement) { m.Samples, m.Rollout.InProgress = 0, true }, false},
		"set by hand":           {func(m *Measurement) { m.Backlog = 20 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := limited
			record := *limited.Record
			m.Record = &record
			if test.change != nil {
				test.change(&m)
			}
			decision := decide(t, m)
			request := PublishRequest{Measurement: m, Decision: &decision}
			if decision.WorthChanging && !m.DryRun {
				request.Applied = &Applied{After: Settings{Targets: decision.Targets}}
			}
			if got, _, _, _ := published(t, request); got.Again != test.want {
				t.Errorf("another is due: %v, want %v", got.Again, test.want)
			}
		})
	}
	m := measurement(1000, 4)
	m.Reason = ReasonDrift
	_, metrics, _, _ := published(t, PublishRequest{Measurement: m})
	if last := metrics.put[0].MetricData; *last[len(last)-1].MetricName != "RetunesOnDrift" {
		t.Error("a retune on drift is not counted")
	}
}

func TestRunsAreRead(t *testing.T) {
	logs := &fakeLogs{}
	if runs, err := ReadRuns(t.Context(), logs, "g", 5); err != nil || len(runs) != 0 {
		t.Errorf("%v, %v before the first run", runs, err)
	}
	for i := range 7 {
		run := Run{At: noon, Execution: string(rune('a' + i)), Outcome: "applied"}
		if err := writeRun(t.Context(), logs, "g", run); err != nil {
			t.Fatal(err)
		}
		if i == 5 { // a step that was repeated, and something else
			if err := writeRun(t.Context(), logs, "g", run); err != nil {
				t.Fatal(err)
			}
			logs.lines = append(logs.lines, "hello", "{}")
		}
	}
	for most, want := range map[int]string{1: "g", 3: "efg", 100: "abcdefg"} {
		runs, err := ReadRuns(t.Context(), logs, "g", most)
		var got strings.Builder
		for _, run := range runs {
			got.WriteString(run.Execution)
		}
		if err != nil || got.String() != want {
			t.Errorf("the last %d: %q, %v; want %q", most, got.String(), err, want)
		}
	}
}

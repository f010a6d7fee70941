package retune

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

type measuring struct {
	metrics    *fakeMetrics
	scaling    *fakeScaling
	parameters *fakeParameters
	services   *fakeServices
	alarms     *fakeAlarms
}

func setup(t *testing.T, values map[string][]float64) (Measurer, measuring) {
	t.Helper()
	bundle := measuring{
		metrics:    &fakeMetrics{pages: [][]cwtypes.MetricDataResult{answered(values)}},
		scaling:    &fakeScaling{policies: bothPolicies()},
		parameters: &fakeParameters{},
		services:   &fakeServices{},
		alarms:     &fakeAlarms{alarm: driftAlarm()},
	}
	return Measurer{
		Metrics: bundle.metrics, Scaling: bundle.scaling, Parameters: bundle.parameters,
		Services: bundle.services, Alarms: bundle.alarms,
		Source: MetricSource{
			Namespace: "ECS-SQS-BPI", Type: "Single-Queue", Queue: "orders", Cluster: "main", Service: "orders-worker",
		},
		MetricPeriod: time.Minute, AcceptableDelay: time.Minute, Policies: names, TuningParameter: parameter,
		DriftAlarm: driftAlarmName, DriftRule: DriftRule{Factor: 1.5, Periods: 5},
		Now: func() time.Time { return noon.Add(17 * time.Second) },
	}, bundle
}

// defaults are what the template gives.
var defaults = Request{
	Reason: "by hand", WindowMinutes: 1440, MinimumSamples: 30, MaximumFactor: 4, OnBusy: BusyWait, WatchMinutes: 30,
	Choice: ByFormula,
}

func measure(t *testing.T, m Measurer, input string) (Measurement, error) {
	t.Helper()
	request, err := ParseRequest(json.RawMessage(input), defaults, noon)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Measure(t.Context(), MeasureRequest{Execution: arn, Request: request})
	return got.Measurement, err
}

func TestMeasure(t *testing.T) {
	m, _ := setup(t, map[string][]float64{
		durationSum: {100, 320}, durationCount: {20, 80},
		waitSum: {50, 150}, waitCount: {20, 80},
		keptSum: {20, 76}, keptCount: {20, 80},
		arrivals: {30, 90}, tasks: {2, 3},
	})
	got, err := measure(t, m, `{"reason":"schedule","windowMinutes":60}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples != 100 || got.ProcessingSeconds != 4.2 || *got.WaitSeconds != 2 || *got.PromiseKeptPercent != 96 ||
		*got.ArrivalsPerMinute != 60 || *got.Tasks != 2.5 {
		t.Errorf("got %+v", got)
	}
	if got.Current != (Targets{Backlog: 13, Rate: 9.6}) || got.Record != nil || got.Execution != arn {
		t.Errorf("got %+v", got)
	}
	want := defaults
	want.Reason, want.WindowMinutes = "schedule", 60
	if got.Request != want {
		t.Errorf("request %+v, want %+v", got.Request, want)
	}
	summary := "100 messages took 4.2 s on average; 96 % started within 60 s; 60 arrived a minute " +
		"in the 2 of 61 periods that have data; 2.5 tasks ran"
	if got.Summary != summary {
		t.Errorf("summary %q, want %q", got.Summary, summary)
	}
}

// TestDefect1NoMetricIsRetyped: the blueprint's first run pointed the policy at another service. What is read is this
// stack's, and names come from the configuration alone.
func TestDefect1NoMetricIsRetyped(t *testing.T) {
	m, bundle := setup(t, nil)
	if _, err := measure(t, m, `{}`); err != nil {
		t.Fatal(err)
	}
	for _, query := range bundle.metrics.requests[0].MetricDataQueries {
		for _, d := range query.MetricStat.Metric.Dimensions {
			want := map[string]string{
				"QueueName": "orders", "Type": "Single-Queue", "ClusterName": "main", "ServiceName": "orders-worker",
			}[aws.ToString(d.Name)]
			if aws.ToString(d.Value) != want || want == "" {
				t.Errorf(
					"%s has the dimension %s=%s",
					aws.ToString(query.Id),
					aws.ToString(d.Name),
					aws.ToString(d.Value),
				)
			}
		}
	}
}

// TestDefect2MeanIsWeightedBySamples: the blueprint computed a mean and then used the newest bucket. One slow message
// in a quiet minute must not count as much as a busy minute, and the newest minute not more than others.
func TestDefect2MeanIsWeightedBySamples(t *testing.T) {
	m, _ := setup(t, map[string][]float64{
		durationSum:   {1, 990, 60},
		durationCount: {10, 989, 1},
	})
	got, err := measure(t, m, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1051.0 / 1000; got.ProcessingSeconds != want || got.Samples != 1000 {
		t.Errorf("a mean of %g over %d samples, want %g over 1000", got.ProcessingSeconds, got.Samples, want)
	}
	// The order of the datapoints makes no difference.
	m, _ = setup(t, map[string][]float64{durationSum: {60, 990, 1}, durationCount: {1, 989, 10}})
	if again, err := measure(t, m, `{}`); err != nil || again.ProcessingSeconds != got.ProcessingSeconds {
		t.Errorf("%g, %v", again.ProcessingSeconds, err)
	}
}

// TestDefect3PeriodsThatCloudWatchHas: sub-minute periods over 24 h answer nothing that is older than 3 h.
func TestDefect3PeriodsThatCloudWatchHas(t *testing.T) {
	for _, test := range []struct {
		metric, window time.Duration
		want           int
	}{
		{time.Minute, 24 * time.Hour, 60},
		{time.Second, 24 * time.Hour, 60},
		{time.Second, 3 * time.Hour, 60},
		{time.Second, 2 * time.Hour, 1},
		{2 * time.Second, time.Hour, 5},
		{500 * time.Millisecond, time.Minute, 1},
		{15 * time.Second, time.Hour, 20},
		{30 * time.Second, 24 * time.Hour, 60},
		{45 * time.Second, time.Hour, 60},
		{90 * time.Second, time.Hour, 120},
		{time.Minute, time.Second, 60},
	} {
		m, bundle := setup(t, nil)
		m.MetricPeriod = test.metric
		got, err := measure(t, m, fmt.Sprintf(`{"windowMinutes":%v}`, test.window.Minutes()))
		if err != nil {
			t.Fatal(err)
		}
		if got.Window.PeriodSeconds != test.want {
			t.Errorf(
				"%v of datapoints of %v: period %d, want %d",
				test.window,
				test.metric,
				got.Window.PeriodSeconds,
				test.want,
			)
		}
		period := time.Duration(test.want) * time.Second
		if from, to := got.Window.From, got.Window.To; from != from.Truncate(period) || to != to.Truncate(period) ||
			to.Sub(from) < test.window || to.Sub(from) > test.window+2*period || to.Before(noon) {
			t.Errorf("window %v to %v", from, to)
		}
		for _, query := range bundle.metrics.requests[0].MetricDataQueries {
			if int(aws.ToInt32(query.MetricStat.Period)) != test.want {
				t.Errorf("%s has the period %d", aws.ToString(query.Id), aws.ToInt32(query.MetricStat.Period))
			}
		}
	}
}

// TestDefect5PagesAndStatusCodes: NextToken and StatusCode were ignored.
func TestDefect5PagesAndStatusCodes(t *testing.T) {
	complete := answered(map[string][]float64{durationSum: {50}, durationCount: {10}})
	part := func(code cwtypes.StatusCode, sum, count float64) []cwtypes.MetricDataResult {
		return []cwtypes.MetricDataResult{
			{Id: aws.String(durationSum), StatusCode: code, Values: []float64{sum}, Timestamps: minutesBefore(noon, 1)},
			{
				Id:         aws.String(durationCount),
				StatusCode: code,
				Values:     []float64{count},
				Timestamps: minutesBefore(noon, 1),
				Messages:   []cwtypes.MessageData{{Code: aws.String("Why"), Value: aws.String("because")}},
			},
		}
	}
	for name, test := range map[string]struct {
		pages   [][]cwtypes.MetricDataResult
		samples int
		refused string
	}{
		"one page":    {[][]cwtypes.MetricDataResult{complete}, 10, ""},
		"three pages": {[][]cwtypes.MetricDataResult{part("PartialData", 10, 2), {}, complete}, 12, ""},
		"partial at the end": {
			[][]cwtypes.MetricDataResult{complete, part("PartialData", 10, 2)}, 0, "after the last page",
		},
		"internal error": {
			[][]cwtypes.MetricDataResult{part("InternalError", 10, 2), complete}, 0, "InternalError",
		},
		"forbidden": {[][]cwtypes.MetricDataResult{part("Forbidden", 10, 2)}, 0, "durationSum is " +
			"Forbidden"},
		"a series is not answered": {[][]cwtypes.MetricDataResult{complete[1:]}, 0, "durationSum was not answered"},
		"nothing at all":           {nil, 0, "was not answered"},
		"the reason is handed down": {
			[][]cwtypes.MetricDataResult{part("InternalError", 1, 1)[1:]}, 0, "; Why: because",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, bundle := setup(t, nil)
			bundle.metrics.pages = test.pages
			got, err := measure(t, m, `{}`)
			if test.refused == "" {
				if err != nil || got.Samples != test.samples || len(bundle.metrics.requests) != len(test.pages) {
					t.Errorf("%d samples after %d requests, %v", got.Samples, len(bundle.metrics.requests), err)
				}
				return
			}
			var incomplete *MetricsIncomplete
			if !errors.As(err, &incomplete) || !strings.Contains(err.Error(), test.refused) ||
				incomplete.ErrorName() != "MetricsIncomplete" {
				t.Errorf("got %v, want *MetricsIncomplete that says %q", err, test.refused)
			}
		})
	}
}

// TestDefect5PoliciesAreFoundByName: the first of the list was taken unchecked, and none was an index error.
func TestDefect5PoliciesAreFoundByName(t *testing.T) {
	m, bundle := setup(t, nil)
	bundle.scaling.policies = append([]aastypes.ScalingPolicy{
		policy("other", resource, 1), policy(names.Backlog, "service/main/another", 2),
	}, bundle.scaling.policies...)
	bundle.scaling.paged = true
	got, err := measure(t, m, `{}`)
	if err != nil || got.Current != (Targets{Backlog: 13, Rate: 9.6}) {
		t.Errorf("%v, %v", got.Current, err)
	}
	if read := bundle.scaling.reads[0]; aws.ToString(read.ResourceId) != resource || len(read.PolicyNames) != 2 {
		t.Errorf("asked for %+v", read)
	}
	for _, missing := range []string{names.Backlog, names.Rate} {
		m, bundle := setup(t, nil)
		bundle.scaling.policies = []aastypes.ScalingPolicy{policy(names.Backlog, resource, 13)}
		if missing == names.Backlog {
			bundle.scaling.policies = []aastypes.ScalingPolicy{policy(names.Rate, resource, 9.6)}
		}
		_, err := measure(t, m, `{}`)
		var gone *PolicyMissing
		if !errors.As(err, &gone) || gone.Name != missing || gone.ErrorName() != "PolicyMissing" {
			t.Errorf("got %v, want *PolicyMissing of %s", err, missing)
		}
	}
}

func TestMeasureOfAQuietQueue(t *testing.T) {
	m, _ := setup(t, nil)
	got, err := measure(t, m, `{"windowMinutes":30}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples != 0 || got.ProcessingSeconds != 0 || got.WaitSeconds != nil || got.PromiseKeptPercent != nil ||
		got.ArrivalsPerMinute != nil || got.Tasks != nil {
		t.Errorf("got %+v", got)
	}
	if want := "no message was measured in the 31m0s before 2026-03-01T12:01:00Z"; got.Summary != want {
		t.Errorf("summary %q, want %q", got.Summary, want)
	}
	document, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(document), `"promiseKeptPercent":null`) {
		t.Errorf("%s, %v", document, err)
	}
}

func TestMeasureReadsTheRecord(t *testing.T) {
	m, bundle := setup(t, nil)
	bundle.parameters.value = aws.String(`{"processingSeconds":4.2,"samples":9,"measuredAt":"2026-03-01T11:00:00Z",` +
		`"backlogTarget":15,"rateTarget":11,"holdUntil":"2026-03-02T00:00:00Z","execution":"e"}`)
	got, err := measure(t, m, `{}`)
	if err != nil || got.Record == nil || got.Record.Backlog != 15 || got.Record.HoldUntil != "2026-03-02T00:00:00Z" {
		t.Errorf("%+v, %v", got.Record, err)
	}
}

func TestMeasureHandsErrorsDown(t *testing.T) {
	denied := errors.New("AccessDenied")
	for name, breakIt := range map[string]func(measuring){
		"metrics":    func(m measuring) { m.metrics.err = denied },
		"scaling":    func(m measuring) { m.scaling.readErr = denied },
		"parameters": func(m measuring) { m.parameters.err = denied },
		"service":    func(m measuring) { m.services.err = denied },
		"alarm":      func(m measuring) { m.alarms.err = denied },
	} {
		m, bundle := setup(t, nil)
		breakIt(bundle)
		if _, err := measure(t, m, `{}`); !errors.Is(err, denied) || err.Error() == denied.Error() {
			t.Errorf("%s: got %v; want it to say what was read", name, err)
		}
	}
}

func TestClockOfTheSystem(t *testing.T) {
	m, _ := setup(t, nil)
	m.Now = nil
	if got, err := measure(t, m, `{}`); err != nil || math.Abs(time.Until(got.Window.To).Minutes()) > 1 {
		t.Errorf("window until %v, %v", got.Window.To, err)
	}
}

func TestRecordUnreadable(t *testing.T) {
	for content, want := range map[string]string{
		`{`:  "unexpected end",
		`{}`: "must be more than 0",
		`{"processingSeconds":4,"backlogTarget":15,"rateTarget":0}`:                       "rateTarget is 0",
		`{"processingSeconds":-4,"backlogTarget":15,"rateTarget":1}`:                      "processingSeconds is -4",
		`{"processingSeconds":4,"backlogTarget":15,"rateTarget":1,"holdUntil":"tonight"}`: `holdUntil is "tonight"`,
	} {
		_, err := ReadRecord(t.Context(), &fakeParameters{value: &content}, parameter)
		var unreadable *RecordUnreadable
		if !errors.As(err, &unreadable) || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), parameter) ||
			unreadable.ErrorName() != "RecordUnreadable" {
			t.Errorf("%s: got %v, want *RecordUnreadable that says %q", content, err, want)
		}
	}
}

// TestMeasureTheWholeDistribution: quantiles are of the window as a whole, arrivals of its minutes.
func TestMeasureTheWholeDistribution(t *testing.T) {
	var sent []float64
	for i := range 20 {
		sent = append(sent, float64(i+1))
	}
	m, bundle := setup(t, map[string][]float64{durationSum: {100}, durationCount: {20}, arrivals: sent})
	bundle.metrics.whole = map[string]float64{"p50": 4, "p95": 11, "p99": 20, waitP95: 33}
	bundle.scaling.bounds = &Bounds{MinTasks: 2, MaxTasks: 12}
	got, err := measure(t, m, `{"windowMinutes":60}`)
	if err != nil {
		t.Fatal(err)
	}
	if q := got.ProcessingQuantiles; q["p50"] != 4 || q["p95"] != 11 || q["p99"] != 20 || len(q) != 3 {
		t.Errorf("quantiles %v", q)
	}
	if *got.WaitP95Seconds != 33 || *got.ArrivalsPerMinute != 10.5 || *got.ArrivalsP95PerMinute != 19 ||
		got.PeriodsWithArrivals != 20 || *got.Bounds != (Bounds{2, 12}) || got.Drift.ReferenceSeconds != 5 {
		t.Errorf("got %+v", got)
	}
	if want := "20 messages took 5 s on average (half of them at most 4 s, 95 % at most 11 s); 10.5 arrived a minute " +
		"in the 20 of 61 periods that have data"; got.Summary != want {
		t.Errorf("summary %q, want %q", got.Summary, want)
	}
	whole := bundle.metrics.wholes[0]
	if period := aws.ToInt32(whole.MetricDataQueries[0].MetricStat.Period); int(period) != 61*60 ||
		!whole.StartTime.Equal(got.Window.From) || !whole.EndTime.Equal(got.Window.To) {
		t.Errorf("one datapoint of %d s from %v to %v", period, whole.StartTime, whole.EndTime)
	}
}

// TestMeasureOnlyTheRunningVersion: what an old version measured is no measurement of the new one.
func TestMeasureOnlyTheRunningVersion(t *testing.T) {
	primary := func(state ecstypes.DeploymentRolloutState, created time.Duration) []ecstypes.Deployment {
		return []ecstypes.Deployment{
			{Status: aws.String("ACTIVE"), TaskDefinition: aws.String("arn:aws:ecs:r:1:task-definition/worker:7")},
			{
				Status: aws.String("PRIMARY"), TaskDefinition: aws.String("arn:aws:ecs:r:1:task-definition/worker:8"),
				RolloutState: state, CreatedAt: aws.Time(noon.Add(-created)),
			},
		}
	}
	finished := func(ago time.Duration) ecstypes.ServiceDeploymentBrief {
		return ecstypes.ServiceDeploymentBrief{FinishedAt: aws.Time(noon.Add(-ago))}
	}
	completed := ecstypes.DeploymentRolloutStateCompleted
	for name, test := range map[string]struct {
		deployments []ecstypes.Deployment
		past        []ecstypes.ServiceDeploymentBrief
		from        time.Time
		begins      string
	}{
		"no service": {nil, nil, noon.Add(-time.Hour), "1h0m0s before"},
		"long ago":   {primary(completed, 9*time.Hour), nil, noon.Add(-time.Hour), "1h0m0s before"},
		"within": {
			primary(completed, 50*time.Minute),
			[]ecstypes.ServiceDeploymentBrief{finished(20 * time.Hour), finished(30*time.Minute + time.Second), {}},
			noon.Add(-30 * time.Minute), "the rollout of worker:8 was completed",
		},
		"only known to have begun": {
			primary(completed, 10*time.Minute), nil, noon.Add(-10 * time.Minute), "the rollout of worker:8 was " +
				"completed",
		},
		"in progress": {
			primary(ecstypes.DeploymentRolloutStateInProgress, time.Minute), nil, noon.Add(time.Minute),
			"nothing is measured until the rollout of worker:8 is completed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, bundle := setup(t, nil)
			bundle.services.deployments, bundle.services.past = test.deployments, test.past
			got, err := measure(t, m, `{"windowMinutes":60}`)
			if err != nil || !got.Window.From.Equal(test.from) || got.Window.Begins != test.begins {
				t.Errorf("from %v because %q, %v; want %v because %q", got.Window.From, got.Window.Begins, err,
					test.from, test.begins)
			}
			if got.Window.empty() != (len(bundle.metrics.requests) == 0) || got.Window.empty() && got.Samples != 0 {
				t.Errorf("%d requests for %+v", len(bundle.metrics.requests), got.Window)
			}
		})
	}
}

// TestMeasureSinceTheDurationChanged: the mean of a day of 5 s and an hour of 20 s is right for neither.
func TestMeasureSinceTheDurationChanged(t *testing.T) {
	const many = 10 // messages a minute
	sums, counts := []float64{}, []float64{}
	add := func(minutes int, seconds float64) {
		for range minutes {
			sums, counts = append(sums, seconds*many), append(counts, many)
		}
	}
	add(40, 5)
	add(12, 20)
	m, bundle := setup(t, map[string][]float64{durationSum: sums, durationCount: counts})
	got, err := measure(t, m, `{"windowMinutes":60}`)
	if err != nil {
		t.Fatal(err)
	}
	if since := noon.Add(-12 * time.Minute); got.ProcessingSeconds != 20 || got.Samples != 120 ||
		!got.Window.From.Equal(since) || !got.Drift.Since.Equal(since) || got.Drift.RecentSeconds != 20 ||
		!strings.Contains(got.Window.Begins, "far from the 5 s") {
		t.Errorf("%g s over %d samples since %v, %+v", got.ProcessingSeconds, got.Samples, got.Window.From, got.Drift)
	}

	// An earlier retune followed the change: its record remembers since when.
	bundle.metrics.requests = nil
	bundle.alarms.alarm.Metrics[1].Expression = aws.String("duration / 20")
	bundle.parameters.value = aws.String(`{"processingSeconds":20,"backlogTarget":4,"rateTarget":2.4,
		"since":"2026-03-01T11:45:30Z"}`)
	if got, err = measure(t, m, `{"windowMinutes":60}`); err != nil || got.Window.From != noon.Add(-14*time.Minute) ||
		got.Drift.Since != nil {
		t.Errorf("from %v because %s, %v", got.Window.From, got.Window.Begins, err)
	}
}

package main

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// recorded answers GetMetricData with a constant for each query, a page at a time, for the periods from first on.
type recorded struct {
	values map[string]float64
	first  time.Time
	calls  []cloudwatch.GetMetricDataInput
}

func (r *recorded) GetMetricData(
	_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.GetMetricDataOutput, error) {
	r.calls = append(r.calls, *in)
	out := &cloudwatch.GetMetricDataOutput{}
	half := in.StartTime.Add(in.EndTime.Sub(*in.StartTime) / 2)
	from, to := *in.StartTime, half
	if aws.ToString(in.NextToken) != "" {
		from, to = half, *in.EndTime
	} else {
		out.NextToken = aws.String("more")
	}
	for _, q := range in.MetricDataQueries {
		result := types.MetricDataResult{Id: q.Id}
		period := time.Duration(aws.ToInt32(q.MetricStat.Period)) * time.Second
		for at := *in.StartTime; at.Before(*in.EndTime); at = at.Add(period) {
			if value, ok := r.values[*q.Id]; ok && !at.Before(r.first) && !at.Before(from) && at.Before(to) {
				result.Timestamps, result.Values = append(result.Timestamps, at), append(result.Values, value)
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
	}
	return out, nil
}

var now = time.Date(2026, 5, 4, 12, 0, 30, 0, time.UTC)

func TestMeasure(t *testing.T) {
	client := &recorded{first: now.Truncate(time.Minute).Add(-2 * time.Hour), values: map[string]float64{
		"sent": 30, "mean": 4, "samples": 30, "median": 3.5, "p90": 7, "within": 0.9, "tasks": 3,
	}}
	d := deployed{name: "s", queue: "q", cluster: "c", service: "v", period: time.Minute, scale: 1}
	m, err := measure(context.Background(), client, d, now, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(client.calls) != 2 {
		t.Errorf("%d pages read, want 2", len(client.calls))
	}
	if len(m.window.Sent) != 120 || m.window.Mean != 4*time.Second || m.window.Processing[5] != 4*time.Second {
		t.Errorf("window of %d minutes, mean %v", len(m.window.Sent), m.window.Mean)
	}
	if math.Abs(m.window.CV-0.58) > 0.02 {
		t.Errorf(
			"coefficient of variation %.3f of a median of 3.5 and a 90th percentile of 7, want 0.58",
			m.window.CV,
		)
	}
	want := "Measured in the last 2 hours: 3600 messages, 90 % of them within the delay, 6 task-hours."
	if m.words() != want {
		t.Errorf("%q, want %q", m.words(), want)
	}
}

// A stack of the local engine may run thirty times as fast: what it measures is told in the time of the world outside.
func TestMeasureAScaledWorld(t *testing.T) {
	client := &recorded{
		first:  now.Add(-time.Hour),
		values: map[string]float64{"sent": 30, "mean": 0.2, "samples": 30},
	}
	d := deployed{name: "s", queue: "q", period: 2 * time.Second, scale: 30}
	m, err := measure(context.Background(), client, d, now, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if m.window.Period != time.Minute || m.window.Mean != 6*time.Second || m.length != 24*time.Hour {
		t.Errorf("period %v, mean %v, length %v; want 1m, 6s, 24h", m.window.Period, m.window.Mean, m.length)
	}
	if m.window.CV != defaultCV {
		t.Errorf("coefficient of variation %v without percentiles", m.window.CV)
	}
}

func TestMeasureSaysWhatIsMissing(t *testing.T) {
	d := deployed{name: "s", queue: "q", period: time.Minute, scale: 1}
	for want, values := range map[string]map[string]float64{
		"no message sent to queue q": {"mean": 4, "samples": 1},
		"MsgProcessingDuration":      {"sent": 4},
	} {
		_, err := measure(
			context.Background(),
			&recorded{first: now.Add(-time.Hour), values: values},
			d,
			now,
			24*time.Hour,
		)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestAdopt(t *testing.T) {
	o, err := parse([]string{"-from-stack", "s", "-max", "7"})
	if err != nil {
		t.Fatal(err)
	}
	d := deployed{name: "s", scale: 30, parameters: map[string]string{
		"AcceptableDelaySeconds": "2",
		"MinTasks":               "2",
		"MaxTasks":               "20",
		"TaskCpu":                "512",
		"SpotShare":              "50",
		"Headroom":               "3",
	}}
	if err := d.adopt(&o); err != nil {
		t.Fatal(err)
	}
	if o.delay != time.Minute || o.bounds.Min != 2 || o.bounds.Max != 7 || o.tuning.Headroom != 3 ||
		o.assume.Prices.TaskVCPU != 0.5 || o.assume.SpotShare != 0.5 {
		t.Errorf("adopted delay %v, bounds %v, headroom %v, %v vCPU, spot %v",
			o.delay, o.bounds, o.tuning.Headroom, o.assume.Prices.TaskVCPU, o.assume.SpotShare)
	}
	d.parameters["MinTasks"] = "few"
	if err := d.adopt(&o); err == nil || !strings.Contains(err.Error(), `MinTasks is "few"`) {
		t.Errorf("error %v", err)
	}
}

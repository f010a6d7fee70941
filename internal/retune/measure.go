package retune

import (
	"context"
	"encoding/json"
	"math"
	"time"
)

// MeasureRequest is the input of the step Measure Duration.
type MeasureRequest struct {
	Execution string          `json:"execution"` // ARN
	Input     json.RawMessage `json:"input"`     // of the execution, as it was given
}

// Measurer measures a queue and its service.
type Measurer struct {
	Metrics    metricsReader
	Scaling    policyReader
	Parameters parameterReader

	Source          MetricSource
	MetricPeriod    time.Duration // of the worker's metrics
	AcceptableDelay time.Duration
	Policies        Policies
	TuningParameter string // name of the SSM parameter with the tuning record
	Defaults        Request
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Measure checks the input, then reads the metrics of the whole window, both policies and the tuning record.
//
// Errors that a machine can match are *stepinput.InvalidInput, *MetricsIncomplete, *PolicyMissing, *PolicyUnusable and
// *RecordUnreadable.
func (m Measurer) Measure(ctx context.Context, request MeasureRequest) (Measurement, error) {
	asked, err := ParseRequest(request.Input, m.Defaults)
	if err != nil {
		return Measurement{}, err
	}
	out := Measurement{Execution: request.Execution, Request: asked, Window: m.window(asked.WindowMinutes)}
	backlogPolicy, ratePolicy, err := m.Policies.read(ctx, m.Scaling)
	if err != nil {
		return Measurement{}, err
	}
	out.Current = Targets{Backlog: target(backlogPolicy), Rate: target(ratePolicy)}
	if out.Record, err = ReadRecord(ctx, m.Parameters, m.TuningParameter); err != nil {
		return Measurement{}, err
	}
	series, err := m.Source.read(ctx, m.Metrics, out.Window)
	if err != nil {
		return Measurement{}, err
	}
	out.fill(series)
	out.Summary = out.summary(m.AcceptableDelay)
	return out, nil
}

// window reaches from that many minutes ago to now, widened to whole periods, as CloudWatch's datapoints are.
func (m Measurer) window(minutes float64) Window {
	clock := time.Now
	if m.Now != nil {
		clock = m.Now
	}
	now, length := clock().UTC(), seconds(minutes*60)
	period := readablePeriod(length, m.MetricPeriod)
	to := now.Truncate(period)
	if to.Before(now) {
		to = to.Add(period)
	}
	return Window{From: now.Add(-length).Truncate(period), To: to, PeriodSeconds: int(period / time.Second)}
}

// readablePeriod is the shortest period, not below that of the metrics, that CloudWatch answers for all of a window: 1,
// 5, 10, 20 and 30 s are kept for three hours only (the margin is for the time that the reading takes), whole minutes
// for 15 days ("Metrics retention" in the Amazon CloudWatch User Guide).
func readablePeriod(window, metric time.Duration) time.Duration {
	const subMinuteKept = 2*time.Hour + 50*time.Minute
	if window <= subMinuteKept {
		for _, period := range []time.Duration{
			time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
		} {
			if period >= metric {
				return period
			}
		}
	}
	return max(time.Minute, (metric + time.Minute - 1).Truncate(time.Minute))
}

// fill computes the figures from the series. Means are total sum by total count, over the whole window: a period with
// many messages weighs as much as its messages do.
func (out *Measurement) fill(s series) {
	duration := s.mean(durationSum, durationCount)
	out.Samples = int(math.Round(s.sum(durationCount)))
	if duration != nil {
		out.ProcessingSeconds = *duration
	}
	out.WaitSeconds = s.mean(waitSum, waitCount)
	if kept := s.mean(keptSum, keptCount); kept != nil {
		percent := micro(*kept * 100)
		out.PromiseKeptPercent = &percent
	}
	if n := len(s[arrivals]); n > 0 {
		perMinute := micro(s.sum(arrivals) / float64(n) * 60 / float64(out.Window.PeriodSeconds))
		out.ArrivalsPerMinute = &perMinute
	}
	if n := len(s[tasks]); n > 0 {
		mean := micro(s.sum(tasks) / float64(n))
		out.Tasks = &mean
	}
}

// micro rounds to six decimals, for people.
func micro(value float64) float64 { return math.Round(value*1e6) / 1e6 }

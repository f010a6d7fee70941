package retune

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// MeasureRequest is the input of the step Measure Duration.
type MeasureRequest struct {
	Execution string  `json:"execution"` // ARN
	Request   Request `json:"request"`   // as Take Turn checked it
}

// Measurer measures a queue and its service.
type Measurer struct {
	Metrics    metricsReader
	Scaling    settingsReader
	Services   serviceReader
	Alarms     alarmReader
	Parameters parameterReader

	Source          MetricSource
	MetricPeriod    time.Duration // of the worker's metrics
	AcceptableDelay time.Duration
	Policies        Policies
	TuningParameter string // name of the SSM parameter with the tuning record
	DriftAlarm      string // name
	DriftRule       DriftRule
	ReplayLength    time.Duration // of the history for a choice by replay
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Measure reads both policies, the bounds, the tuning record, the drift alarm and the service's rollout, then the
// metrics of the window. The window begins at the latest of four moments: as long ago as asked for; when the rollout of
// the running version was completed; when the duration drifted the last time that a retune followed it; and when the
// duration left, for good until now, the one that the targets are made for. What was before those says nothing about
// the load to come.
//
// Errors that a machine can match are *MetricsIncomplete, *PolicyMissing, *PolicyUnusable and *RecordUnreadable.
func (m Measurer) Measure(ctx context.Context, request MeasureRequest) (Measured, error) {
	out := Measurement{Execution: request.Execution, Request: request.Request}
	out.Window = m.window(request.Request.WindowMinutes)
	if err := m.readState(ctx, &out); err != nil {
		return Measured{}, err
	}
	if err := m.readMetrics(ctx, &out); err != nil {
		return Measured{}, err
	}
	delay := m.AcceptableDelay
	if out.DelaySeconds > 0 {
		delay = seconds(out.DelaySeconds)
	}
	out.Basis, out.Summary = out.basis(), out.summary(delay)
	if out.Choice != ByReplay || out.Rollout.InProgress {
		return Measured{Measurement: out}, nil
	}
	period := readablePeriod(m.ReplayLength, m.MetricPeriod)
	var processingFrom time.Time
	if out.Rollout.CompletedAt != nil {
		processingFrom = *out.Rollout.CompletedAt
	}
	if drifted := out.Drift.Since != nil || out.Record != nil && out.Record.Since != nil; drifted &&
		out.Window.From.After(processingFrom) {
		processingFrom = out.Window.From // the mean stands in for what took another time
	}
	history, err := m.Source.readHistory(ctx, m.Metrics, out.Window.To.Truncate(period), m.ReplayLength, period,
		processingFrom)
	return Measured{Measurement: out, History: history}, err
}

// readState reads everything but metrics.
func (m Measurer) readState(ctx context.Context, out *Measurement) error {
	backlogPolicy, ratePolicy, err := m.Policies.read(ctx, m.Scaling)
	if err != nil {
		return err
	}
	out.Current = Targets{Backlog: target(backlogPolicy), Rate: target(ratePolicy)}
	if out.Bounds, err = m.Policies.readBounds(ctx, m.Scaling); err != nil {
		return err
	}
	if out.Record, err = ReadRecord(ctx, m.Parameters, m.TuningParameter); err != nil {
		return err
	}
	alarm, err := readAlarm(ctx, m.Alarms, m.DriftAlarm)
	if err != nil {
		return err
	}
	out.Drift.ReferenceSeconds, _ = referenceIn(alarm)
	out.Rollout, err = m.Source.readRollout(ctx, m.Services)
	return err
}

// readMetrics narrows the window, reads it and computes the figures.
func (m Measurer) readMetrics(ctx context.Context, out *Measurement) error {
	w := &out.Window
	switch {
	case out.Rollout.InProgress:
		w.From, w.Begins = w.To, fmt.Sprintf("nothing is measured until the rollout of %s is completed",
			out.Rollout.Version)
	case out.Rollout.CompletedAt != nil:
		w.shorten(*out.Rollout.CompletedAt, fmt.Sprintf("the rollout of %s was completed", out.Rollout.Version))
	}
	if out.Record != nil && out.Record.Since != nil {
		w.shorten(*out.Record.Since, "an earlier retune saw the duration change there")
	}
	if w.empty() {
		return nil
	}
	read, err := m.Source.read(ctx, m.Metrics, *w)
	if err != nil {
		return err
	}
	out.Drift = m.DriftRule.find(settled(read.means(), clock(m.Now), *w), out.Drift.ReferenceSeconds)
	if since := out.Drift.Since; since != nil {
		w.shorten(
			*since,
			fmt.Sprintf("the duration has been far from the %g s that the targets are made for since then",
				out.Drift.ReferenceSeconds),
		)
		read = read.since(w.From)
	}
	whole, err := m.Source.readQuantiles(ctx, m.Metrics, *w)
	if err != nil {
		return err
	}
	out.fill(read, whole)
	return nil
}

// settled leaves out the period that is not over, and the one before it, which may not be published whole: a mean of
// a few messages would break a stretch.
func settled(means []mean, now time.Time, w Window) []mean {
	period := time.Duration(w.PeriodSeconds) * time.Second
	return slices.DeleteFunc(means, func(m mean) bool { return m.at.Add(2 * period).After(now) })
}

// window reaches from that many minutes ago to now, widened to whole periods, as CloudWatch's datapoints are.
func (m Measurer) window(minutes float64) Window {
	now, length := clock(m.Now), seconds(minutes*60)
	period := readablePeriod(length, m.MetricPeriod)
	return windowOf(now.Add(-length), now, period, fmt.Sprintf("%v before", length))
}

func windowOf(from, to time.Time, period time.Duration, begins string) Window {
	end := to.Truncate(period)
	if end.Before(to) {
		end = end.Add(period)
	}
	return Window{From: from.Truncate(period), To: end, PeriodSeconds: int(period / time.Second), Begins: begins}
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
func (out *Measurement) fill(s, whole series) {
	duration := s.mean(durationSum, durationCount)
	out.Samples = int(math.Round(s.sum(durationCount)))
	if duration != nil {
		out.ProcessingSeconds = *duration
	}
	out.ProcessingQuantiles = map[string]float64{}
	for _, name := range quantiles {
		if points := whole[name]; len(points) == 1 {
			out.ProcessingQuantiles[name] = micro(points[0].value)
		}
	}
	out.WaitSeconds = s.mean(waitSum, waitCount)
	if points := whole[waitP95]; len(points) > 0 {
		wait := micro(points[0].value)
		out.WaitP95Seconds = &wait
	}
	if kept := s.mean(keptSum, keptCount); kept != nil {
		percent := micro(*kept * 100)
		out.PromiseKeptPercent = &percent
	}
	if n := len(s[arrivals]); n > 0 {
		scale := 60 / float64(out.Window.PeriodSeconds)
		mean, p95 := micro(s.sum(arrivals)/float64(n)*scale), micro(s.quantile(arrivals, 0.95)*scale)
		out.ArrivalsPerMinute, out.ArrivalsP95PerMinute, out.PeriodsWithArrivals = &mean, &p95, n
	}
	if n := len(s[tasks]); n > 0 {
		mean := micro(s.sum(tasks) / float64(n))
		out.Tasks = &mean
	}
}

// micro rounds to six decimals, for people.
func micro(value float64) float64 { return math.Round(value*1e6) / 1e6 }

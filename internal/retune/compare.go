package retune

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// WorseMargin is by how many percentage points the promise must have fallen for a change to be taken back. A few points
// are the weather: of 200 messages of which 90 % would start in time for ever, 86 to 94 % do nineteen times in twenty
// (binomial distribution).
const WorseMargin = 5

// CompareRequest is the input of the step Compare With Before.
type CompareRequest struct {
	Measurement Measurement `json:"measurement"` // that the change was decided on
	Applied     Applied     `json:"applied"`
}

// Figures are what is compared.
type Figures struct {
	From               time.Time `json:"from"`
	To                 time.Time `json:"to"`
	Samples            int       `json:"samples"`
	ProcessingSeconds  float64   `json:"processingSeconds"` // mean
	PromiseKeptPercent *float64  `json:"promiseKeptPercent"`
	WaitP95Seconds     *float64  `json:"waitP95Seconds"`
	ArrivalsPerMinute  *float64  `json:"arrivalsPerMinute"`
	Tasks              *float64  `json:"tasks"`
}

func (f Figures) String() string {
	number := func(format string, value *float64) string {
		if value == nil {
			return "no data"
		}
		return fmt.Sprintf(format, *value)
	}
	return fmt.Sprintf("%s to %s: %d messages of %.4g s, promise kept %s, wait p95 %s, arrivals %s, tasks %s",
		f.From.Format(time.RFC3339), f.To.Format(time.RFC3339), f.Samples, f.ProcessingSeconds,
		number("%.4g %%", f.PromiseKeptPercent), number("%.4g s", f.WaitP95Seconds),
		number("%.4g a minute", f.ArrivalsPerMinute), number("%.3g", f.Tasks))
}

// Comparison is the output of the step Compare With Before.
type Comparison struct {
	Summary    string   `json:"summary"`
	Worse      bool     `json:"worse"`      // the change is to be taken back
	Superseded bool     `json:"superseded"` // a newer run, or somebody else, changed something since
	Before     *Figures `json:"before"`     // as long before the change as after it; nil when superseded
	After      *Figures `json:"after"`
	Notice     string   `json:"notice"` // summary and both figures, for a notification
}

// Comparer looks at what a change brought about.
type Comparer struct{ Measurer }

// Compare measures as long before the change as it is ago, and since it, and judges. A newer change than this
// execution's own is not its business any more.
//
// Errors that a machine can match are those of Measure.
func (c Comparer) Compare(ctx context.Context, request CompareRequest) (Comparison, error) {
	now, m := clock(c.Now), request.Measurement
	if by, err := c.superseded(ctx, m.Execution, request.Applied); err != nil || by != "" {
		return Comparison{Superseded: true, Summary: by}, err
	}
	length := now.Sub(request.Applied.At)
	period := readablePeriod(2*length, c.MetricPeriod)
	since := windowOf(request.Applied.At, now, period, "the change")
	since.shorten(request.Applied.At, "the change")
	earlier := windowOf(since.From.Add(-since.To.Sub(since.From)), since.From, period, "as long before the change")
	rollout, err := c.Source.readRollout(ctx, c.Services)
	if err != nil {
		return Comparison{}, err
	}
	if rollout.InProgress || rollout.CompletedAt != nil && rollout.CompletedAt.After(earlier.From) {
		return Comparison{Summary: fmt.Sprintf("kept: the rollout of %s lies within the time that would be compared, "+
			"so that before and since are of two versions", rollout.Version)}, nil
	}
	after, err := c.figures(ctx, since)
	if err != nil {
		return Comparison{}, err
	}
	before, err := c.figures(ctx, earlier)
	if err != nil {
		return Comparison{}, err
	}
	out := judge(m.MinimumSamples, request.Applied, before, after)
	out.Notice = fmt.Sprintf("%s.\n\nBefore: %v\nSince:  %v\n\nTargets since: %v\nTargets again: %v\n",
		out.Summary, before, after, request.Applied.After, request.Applied.Before)
	return out, nil
}

// superseded says who changed something since, in words; nobody is empty.
func (c Comparer) superseded(ctx context.Context, own string, applied Applied) (string, error) {
	record, err := ReadRecord(ctx, c.Parameters, c.TuningParameter)
	if err != nil {
		return "", err
	}
	if record != nil && record.Execution != own {
		return fmt.Sprintf(
			"the newer execution %s has changed the targets or recorded them",
			nameOf(record.Execution),
		), nil
	}
	backlogPolicy, ratePolicy, err := c.Policies.read(ctx, c.Scaling)
	if err != nil {
		return "", err
	}
	if found := (Targets{Backlog: target(backlogPolicy), Rate: target(ratePolicy)}); found != applied.After.Targets {
		return fmt.Sprintf("somebody else has set the targets to %g and %g", found.Backlog, found.Rate), nil
	}
	return "", nil
}

func (c Comparer) figures(ctx context.Context, w Window) (Figures, error) {
	var m Measurement
	m.Window = w
	if !w.empty() {
		read, err := c.Source.read(ctx, c.Metrics, w)
		if err != nil {
			return Figures{}, err
		}
		whole, err := c.Source.readQuantiles(ctx, c.Metrics, w)
		if err != nil {
			return Figures{}, err
		}
		m.fill(read, whole)
	}
	return Figures{
		From: w.From, To: w.To, Samples: m.Samples, ProcessingSeconds: m.ProcessingSeconds,
		PromiseKeptPercent: m.PromiseKeptPercent, WaitP95Seconds: m.WaitP95Seconds,
		ArrivalsPerMinute: m.ArrivalsPerMinute, Tasks: m.Tasks,
	}, nil
}

// judge decides whether a change is to be taken back: the promise fell by more than WorseMargin, and the change left
// the load fewer tasks, which explains it. A promise that fell although the change asked for more tasks fell for
// another reason, and taking the change back would make it fall further.
func judge(minimum int, applied Applied, before, after Figures) Comparison {
	out := Comparison{Before: &before, After: &after}
	if before.Samples < minimum || after.Samples < minimum ||
		before.PromiseKeptPercent == nil || after.PromiseKeptPercent == nil {
		out.Summary = fmt.Sprintf(
			"kept: %d messages before the change and %d since are too few to tell, the minimum is %d",
			before.Samples,
			after.Samples,
			minimum,
		)
		return out
	}
	fell := *before.PromiseKeptPercent - *after.PromiseKeptPercent
	figures := fmt.Sprintf("the promise was kept for %.4g %% of the messages before the change and %.4g %% since",
		*before.PromiseKeptPercent, *after.PromiseKeptPercent)
	less := lessRoom(applied)
	switch {
	case fell <= WorseMargin:
		out.Summary = fmt.Sprintf("kept: %s, which is no fall by more than %d points", figures, WorseMargin)
	case len(less) == 0:
		out.Summary = fmt.Sprintf("kept: %s, but the change asked for more tasks, so it is not the reason", figures)
	default:
		out.Worse = true
		out.Summary = fmt.Sprintf("worse: %s, a fall by more than %d points, and the change explains it: %s",
			figures, WorseMargin, strings.Join(less, ", "))
	}
	return out
}

// lessRoom says in which ways a change left the load fewer tasks.
func lessRoom(applied Applied) []string {
	var ways []string
	before, after := applied.Before, applied.After
	if after.Backlog > before.Backlog {
		ways = append(ways, fmt.Sprintf("it allowed %g messages per task instead of %g", after.Backlog, before.Backlog))
	}
	if after.Rate > before.Rate {
		ways = append(
			ways,
			fmt.Sprintf("it sent each task %g messages per period instead of %g", after.Rate, before.Rate),
		)
	}
	if b, a := before.Bounds, after.Bounds; b != nil && a != nil &&
		(a.MinTasks < b.MinTasks || a.MaxTasks < b.MaxTasks) {
		ways = append(ways, fmt.Sprintf("it allowed %v instead of %v", *a, *b))
	}
	return ways
}

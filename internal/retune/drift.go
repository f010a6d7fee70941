package retune

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// The drift alarm compares the measured processing duration with the one that the targets are made for. That is a
// number in one line of its metric math, "duration / 5.2": the template writes the first one, Apply each later one.

// Drift says how far the duration is from the one that the targets are made for.
type Drift struct {
	// ReferenceSeconds is the number in the alarm; 0 if there is no alarm to read it from.
	ReferenceSeconds float64 `json:"referenceSeconds"`
	// RecentSeconds is the median of the newest periods' mean durations, as many as the alarm looks at: one outlier
	// cannot move it. 0 if there are fewer.
	RecentSeconds float64 `json:"recentSeconds"`
	RecentSamples float64 `json:"recentSamples"` // of one of those periods, median
	// Since is the beginning of the stretch, up to now, in which each period with data lay outside on the same side;
	// nil
	// while it is shorter than the alarm's.
	Since *time.Time `json:"since"`
}

// DriftRule is what the alarm goes by.
type DriftRule struct {
	// Factor beyond which any duration is outside the reference; the mean of many samples is so sooner, see
	// backlog.DriftLimit.
	Factor  float64
	Periods int // that must be outside in a row
}

// Outside tells on which side of the reference the mean duration of so many samples lies: 1 above, -1 below, 0 within
// what they allow.
func (r DriftRule) Outside(seconds, samples, reference float64) int {
	return backlog.Drifted(seconds, reference, samples, r.Factor-1)
}

// find looks at the mean durations of the periods, oldest first.
func (r DriftRule) find(means []mean, reference float64) Drift {
	drift := Drift{ReferenceSeconds: reference}
	periods := max(1, r.Periods)
	if len(means) < periods {
		return drift
	}
	var durations, samples []float64
	for _, m := range means[len(means)-periods:] {
		durations, samples = append(durations, m.seconds), append(samples, m.samples)
	}
	drift.RecentSeconds, drift.RecentSamples = micro(median(durations)), median(samples)
	outside := func(i int) int { return r.Outside(means[i].seconds, means[i].samples, reference) }
	first := len(means) - 1
	side := outside(first)
	if side == 0 {
		return drift
	}
	for first > 0 && outside(first-1) == side {
		first--
	}
	if len(means)-first >= periods {
		drift.Since = aws.Time(means[first].at.UTC())
	}
	return drift
}

func median(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// still tells whether the recent duration lies outside another reference.
func (r DriftRule) still(d Drift, reference float64) bool {
	return r.Outside(d.RecentSeconds, d.RecentSamples, reference) != 0
}

// driftLine is the line of the alarm's metric math that holds the reference.
var driftLine = regexp.MustCompile(`^(\s*duration\s*/\s*)([0-9]+(?:\.[0-9]+)?)(\s*)$`)

type alarmReader interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.DescribeAlarmsOutput, error)
}

type alarmWriter interface {
	alarmReader
	PutMetricAlarm(context.Context, *cloudwatch.PutMetricAlarmInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.PutMetricAlarmOutput, error)
}

// readAlarm returns the alarm of that very name, or nil.
func readAlarm(ctx context.Context, client alarmReader, name string) (*types.MetricAlarm, error) {
	answer, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm},
	})
	if err != nil {
		return nil, fmt.Errorf("read the drift alarm %s: %w", name, err)
	}
	for _, alarm := range answer.MetricAlarms {
		if aws.ToString(alarm.AlarmName) == name {
			return &alarm, nil
		}
	}
	return nil, nil
}

// referenceIn finds the reference in an alarm: its value, and the index of its line. Without one it is 0 and -1.
func referenceIn(alarm *types.MetricAlarm) (seconds float64, line int) {
	if alarm == nil {
		return 0, -1
	}
	for i, query := range alarm.Metrics {
		if match := driftLine.FindStringSubmatch(aws.ToString(query.Expression)); match != nil {
			if value, err := strconv.ParseFloat(match[2], 64); err == nil && value > 0 {
				return value, i
			}
		}
	}
	return 0, -1
}

// decimal writes a number as an expression takes it: no exponent.
func decimal(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// rewriteAlarm puts a new reference into the drift alarm and changes nothing else of it. It returns what there is to
// say, for an alarm that cannot be rewritten is no reason to leave the targets wrong.
func rewriteAlarm(ctx context.Context, client alarmWriter, name string, reference float64) (note string) {
	alarm, err := readAlarm(ctx, client, name)
	if err != nil {
		return fmt.Sprintf("the drift alarm still has its old reference: %v; the next retune tries again", err)
	}
	value, line := referenceIn(alarm)
	switch {
	case alarm == nil:
		return fmt.Sprintf("there is no drift alarm %s: deploy the stack again to make it anew", name)
	case line < 0:
		return fmt.Sprintf("the drift alarm %s has no line \"duration / <seconds>\" any more: deploy the stack again "+
			"to restore it", name)
	case value == reference:
		return ""
	}
	queries := slices.Clone(alarm.Metrics)
	expression := driftLine.ReplaceAllString(aws.ToString(queries[line].Expression), "${1}"+decimal(reference)+"${3}")
	queries[line].Expression = &expression
	_, err = client.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: alarm.AlarmName, AlarmDescription: alarm.AlarmDescription, Metrics: queries,
		ActionsEnabled: alarm.ActionsEnabled, AlarmActions: alarm.AlarmActions, OKActions: alarm.OKActions,
		InsufficientDataActions: alarm.InsufficientDataActions, ComparisonOperator: alarm.ComparisonOperator,
		EvaluationPeriods: alarm.EvaluationPeriods, DatapointsToAlarm: alarm.DatapointsToAlarm,
		Threshold: alarm.Threshold, ThresholdMetricId: alarm.ThresholdMetricId,
		TreatMissingData:                 alarm.TreatMissingData,
		EvaluateLowSampleCountPercentile: alarm.EvaluateLowSampleCountPercentile,
	})
	if err != nil {
		return fmt.Sprintf("the drift alarm %s still has its old reference: %v; the next retune tries again", name, err)
	}
	return ""
}

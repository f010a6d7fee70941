package retune

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func TestDriftIsAStretch(t *testing.T) {
	rule := DriftRule{Factor: 1.5, Periods: 5}
	for name, test := range map[string]struct {
		means  []float64 // of the newest periods, a reference of 5 s; 0 is a gap
		since  int       // periods ago; 0 is no stretch
		recent float64
	}{
		"nothing measured":        {nil, 0, 0},
		"steady":                  {[]float64{5, 5.5, 4.8, 5, 7, 5}, 0, 5},
		"exactly the factor":      {[]float64{7.5, 7.5, 7.5, 7.5, 7.5}, 0, 7.5},
		"above":                   {[]float64{5, 8, 9, 8, 8, 20}, 5, 8},
		"below":                   {[]float64{5, 3, 3, 2, 3, 3}, 5, 3},
		"four periods are few":    {[]float64{5, 5, 8, 9, 8, 8}, 0, 8},
		"one outlier":             {[]float64{5, 5, 500, 5, 5, 5}, 0, 5},
		"the newest is outlying":  {[]float64{5, 5, 5, 5, 5, 500}, 0, 5},
		"back again":              {[]float64{9, 9, 9, 9, 9, 5}, 0, 9},
		"both sides are no drift": {[]float64{9, 2, 9, 2, 9, 2}, 0, 2},
		"gaps are no data":        {[]float64{5, 9, 0, 9, 0, 0, 9, 9, 9}, 8, 9},
		"fewer periods than that": {[]float64{9, 9, 9}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var means []mean
			for i, at := range minutesBefore(noon, len(test.means)) {
				if test.means[i] > 0 {
					means = append(means, mean{at, test.means[i], 1})
				}
			}
			got := rule.find(means, 5)
			want := noon.Add(-time.Duration(test.since) * time.Minute)
			if (got.Since != nil) != (test.since > 0) || got.Since != nil && !got.Since.Equal(want) ||
				got.RecentSeconds != test.recent || got.ReferenceSeconds != 5 {
				t.Errorf("since %v, recently %g s; want %d periods ago, %g s", got.Since, got.RecentSeconds, test.since,
					test.recent)
			}
		})
	}
	far := slices.Repeat([]mean{{noon, 9, 1}}, 5)
	if got := rule.find(far, 0); got.Since != nil {
		t.Error("without a reference there is no drift")
	}
	// Many samples say sooner that the duration has changed.
	for samples, want := range map[float64]bool{100: true, 10: false} {
		near := slices.Repeat([]mean{{noon, 6, samples}}, 5)
		if got := rule.find(near, 5); (got.Since != nil) != want || rule.still(got, 5) != want ||
			got.RecentSamples != samples {
			t.Errorf("6 s instead of 5 s, %g samples a period: %+v", samples, got)
		}
	}
}

// TestOnlyTheReferenceOfTheAlarmChanges compares the alarm whole before and after.
func TestOnlyTheReferenceOfTheAlarmChanges(t *testing.T) {
	alarms := &fakeAlarms{alarm: driftAlarm()}
	if note := rewriteAlarm(t.Context(), alarms, driftAlarmName, 0.000125); note != "" {
		t.Fatal(note)
	}
	want := cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String(driftAlarmName), AlarmDescription: aws.String("drift"), ActionsEnabled: aws.Bool(true),
		AlarmActions: []string{"arn:aws:sns:eu-west-1:111122223333:somebody"}, Metrics: driftAlarm().Metrics,
		ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold, Threshold: aws.Float64(1.5),
		EvaluationPeriods: aws.Int32(5), DatapointsToAlarm: aws.Int32(5), TreatMissingData: aws.String("notBreaching"),
	}
	want.Metrics[1].Expression = aws.String("duration / 0.000125")
	if !reflect.DeepEqual(alarms.puts, []cloudwatch.PutMetricAlarmInput{want}) {
		t.Errorf("wrote %+v", alarms.puts)
	}
	if !reflect.DeepEqual(alarms.alarm, driftAlarm()) {
		t.Error("what was read was changed in place")
	}
}

// TestAnAlarmThatCannotBeRewrittenIsNoFailure: the targets are more important, and the next retune makes up for it.
func TestAnAlarmThatCannotBeRewrittenIsNoFailure(t *testing.T) {
	odd := driftAlarm()
	odd.Metrics[1].Expression = aws.String("duration / reference")
	for want, alarms := range map[string]*fakeAlarms{
		"there is no drift alarm orders-drift: deploy the stack again":      {},
		"has no line \"duration / <seconds>\" any more":                     {alarm: odd},
		"the drift alarm still has its old reference: read the drift alarm": {err: errors.New("Throttling")},
	} {
		if note := rewriteAlarm(t.Context(), alarms, driftAlarmName, 4); !strings.Contains(note, want) ||
			len(alarms.puts) != 0 {
			t.Errorf("%q after %d writes, want %q", note, len(alarms.puts), want)
		}
	}
	same := &fakeAlarms{alarm: driftAlarm()}
	if note := rewriteAlarm(t.Context(), same, driftAlarmName, 5); note != "" || len(same.puts) != 0 {
		t.Errorf("%q after %d writes of what there is already", note, len(same.puts))
	}
}

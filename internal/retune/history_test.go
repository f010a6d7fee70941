package retune

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// minutes is an answer with one value a minute from a moment on; NaN is a gap.
func minutes(id string, from time.Time, values ...float64) cwtypes.MetricDataResult {
	result := cwtypes.MetricDataResult{Id: aws.String(id), StatusCode: cwtypes.StatusCodeComplete}
	for i, v := range values {
		if !math.IsNaN(v) {
			result.Timestamps = append(result.Timestamps, from.Add(time.Duration(i)*time.Minute))
			result.Values = append(result.Values, v)
		}
	}
	return result
}

func repeat(value float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value
	}
	return values
}

func TestReadHistory(t *testing.T) {
	from := noon.Add(-30 * time.Minute)
	sent := append([]float64{math.NaN(), 12, 0, math.NaN(), 1500}, repeat(50, 25)...)
	answer := []cwtypes.MetricDataResult{
		minutes(arrivals, from, sent...),
		minutes(durationSum, from, append(repeat(100, 20), repeat(400, 10)...)...),
		minutes(durationCount, from, repeat(20, 30)...),
	}
	for _, test := range []struct {
		name           string
		processingFrom time.Time
		processing     string
	}{
		// The first arrival is a minute after the beginning, so the second block holds 4 minutes at 5 s and 10 at 20 s.
		{"all of it", time.Time{}, "5 15.71"},
		{"a rollout ten minutes ago", noon.Add(-10 * time.Minute), "- 20"},
	} {
		metrics := &fakeMetrics{pages: [][]cwtypes.MetricDataResult{answer}}
		h, err := (MetricSource{Queue: "orders"}).readHistory(
			t.Context(), metrics, noon, 24*time.Hour, time.Minute, test.processingFrom)
		if err != nil {
			t.Fatal(err)
		}
		if want := "12 0 - 1500" + strings.Repeat(" 50", 25); h.Sent != want || h.PeriodSeconds != 60 {
			t.Errorf("%s: sent %q each %d s, want %q", test.name, h.Sent, h.PeriodSeconds, want)
		}
		if h.Processing != test.processing {
			t.Errorf("%s: processing %q, want %q", test.name, h.Processing, test.processing)
		}
		request := metrics.requests[0]
		if got := request.EndTime.Sub(*request.StartTime); got != 24*time.Hour || len(request.MetricDataQueries) != 3 {
			t.Errorf("%s: asked for %d series of %v", test.name, len(request.MetricDataQueries), got)
		}
	}
}

func TestThereIsNoHistoryWithoutArrivals(t *testing.T) {
	metrics := &fakeMetrics{pages: [][]cwtypes.MetricDataResult{{
		minutes(arrivals, noon), minutes(durationSum, noon), minutes(durationCount, noon),
	}}}
	h, err := (MetricSource{}).readHistory(t.Context(), metrics, noon, time.Hour, time.Minute, time.Time{})
	if err != nil || h != nil {
		t.Errorf("%v, %v", h, err)
	}
	metrics.err = errors.New("throttled")
	_, err = (MetricSource{}).readHistory(t.Context(), metrics, noon, time.Hour, time.Minute, time.Time{})
	if err == nil {
		t.Error("an error was swallowed")
	}
}

func TestNumbersAreReadAsTheyAreWritten(t *testing.T) {
	values := []float64{0, 0.00123456, 5, 12.3456, 999.96, 123456, math.NaN()}
	text := numbers(values)
	if text != "0 0.001235 5 12.35 1000 123456 -" {
		t.Errorf("%q", text)
	}
	read, err := parseNumbers("sent", text)
	if err != nil || len(read) != len(values) || !math.IsNaN(read[6]) {
		t.Fatalf("%v, %v", read, err)
	}
	for i, v := range values[:6] {
		if math.Abs(read[i]-v) > v*1e-3 {
			t.Errorf("%v became %v", v, read[i])
		}
	}
	for _, bad := range []string{"1 x", "-1", "NaN", "Inf"} {
		if _, err := parseNumbers("sent", bad); err == nil || !strings.Contains(err.Error(), "sent") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

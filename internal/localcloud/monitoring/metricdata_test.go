package monitoring

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Defect 2 of the original's facts: the mean over a window is weighted by the number of samples, not one of its
// buckets.
func TestStatisticsAreWeightedBySamples(t *testing.T) {
	w := setup(t, nil)
	from := lately()
	name, namespace := "MsgProcessingDuration", "Test"
	_, err := w.PutMetricData(
		t.Context(),
		&cloudwatch.PutMetricDataInput{Namespace: &namespace, MetricData: []types.MetricDatum{
			{
				MetricName: &name,
				Timestamp:  aws.Time(from.Add(time.Minute)),
				Dimensions: queueDimension,
				Values:     []float64{2, 4},
				Counts:     []float64{97, 1},
			},
			{
				MetricName: &name,
				Timestamp:  aws.Time(from.Add(30 * time.Minute)),
				Dimensions: queueDimension,
				Value:      aws.Float64(100),
			},
			{MetricName: &name, Timestamp: aws.Time(from.Add(50 * time.Minute)), Dimensions: queueDimension,
				StatisticValues: &types.StatisticSet{
					SampleCount: aws.Float64(1),
					Sum:         aws.Float64(2),
					Minimum:     aws.Float64(2),
					Maximum:     aws.Float64(2),
				}},
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	got := w.get(t, from, from.Add(time.Hour), query("mean", name, "Average", 3600),
		query("n", name, "SampleCount", 3600), query("p50", name, "p50", 3600), query("p99", name, "p99", 3600),
		query("max", name, "Maximum", 3600), query("minutes", name, "Sum", 60))
	for id, want := range map[string]string{
		"mean": "3@0 ", "n": "100@0 ", "p50": "2@0 ", "p99": "4@0 ", "max": "100@0 ", "minutes": "198@1 100@30 2@50 ",
	} {
		if got[id] != want {
			t.Errorf("%s is %q, want %q", id, got[id], want)
		}
	}
}

// Defect 3 of the original's facts: sub-minute periods older than 3 hours return nothing; minutes live 15 days.
func TestSubMinutePeriodsOlderThanThreeHoursReturnNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		at := time.Now().Add(time.Minute).Truncate(time.Hour).Add(time.Hour).UTC()
		time.Sleep(time.Until(at.Add(time.Second)))
		_, err := w.PutMetricData(
			t.Context(),
			&cloudwatch.PutMetricDataInput{Namespace: aws.String("Test"), MetricData: []types.MetricDatum{
				{
					MetricName:        aws.String("m"),
					Timestamp:         &at,
					Dimensions:        queueDimension,
					Value:             aws.Float64(7),
					StorageResolution: aws.Int32(1),
				}}},
		)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			age            time.Duration
			second, minute string
		}{
			{time.Minute, "7@0 ", "7@0 "},
			{2*time.Hour + 59*time.Minute, "7@0 ", "7@0 "},
			{3*time.Hour + time.Minute, "", "7@0 "},
			{14 * 24 * time.Hour, "", "7@0 "},
			{15*24*time.Hour + 2*time.Hour, "", ""},
		} {
			time.Sleep(time.Until(at.Add(c.age)))
			got := w.get(t, at, at.Add(time.Minute), query("second", "m", "Average", 1),
				query("minute", "m", "Average", 60))
			if got["second"] != c.second || got["minute"] != c.minute {
				t.Errorf("after %v: %q at period 1 and %q at period 60, want %q and %q", c.age, got["second"],
					got["minute"], c.second, c.minute)
			}
		}
	})
}

func TestTheStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Second)
		for range 2 * keptPeriods {
			time.Sleep(time.Second)
			now := time.Now()
			s.put(now,
				datum{metric: newMetric("n", "m"), at: now, published: now, width: time.Second, sample: single(1)})
		}
		streams := s.series[newMetric("n", "m").key()].units["None"]
		if fine, kept := len(streams[0].buckets), len(streams[1].buckets); fine > finePeriods+100 ||
			kept > keptPeriods+100 {
			t.Errorf("%d fine and %d coarse datapoints are kept after %d", fine, kept, 2*keptPeriods)
		}
	})
}

func TestSamplesAreBounded(t *testing.T) {
	var s sample
	for i := range 100_000 {
		s.merge(single(1 + float64(i)/1000))
	}
	if len(s.values) > 2*maxDistinct {
		t.Errorf("%d different values are kept", len(s.values))
	}
	if p, _ := percentile(s, 50); math.Abs(p-51) > 51*0.05 {
		t.Errorf("p50 of 1..101 is %v", p)
	}
	if s.count != 100_000 || math.Abs(s.sum/s.count-51) > 0.01 {
		t.Errorf("count %v, mean %v", s.count, s.sum/s.count)
	}
}

func TestStatistics(t *testing.T) {
	var s sample
	for i := 1; i <= 100; i++ {
		s.merge(single(float64(i)))
	}
	for name, want := range map[string]float64{
		"Average": 50.5, "Sum": 5050, "Minimum": 1, "Maximum": 100, "SampleCount": 100,
		"p0": 1, "p50": 50, "p99": 99, "p99.5": 100, "p100": 100,
		"tm90": 45.5, "TM(10%:90%)": 50.5, "IQM": 50.5, "tc90": 90, "ts10": 55, "wm98": 50.47,
		"PR(:50)": 50, "TC(10:20)": 10, "TM(90:)": 95.5,
	} {
		stat, ok := parseStatistic(name)
		if !ok {
			t.Errorf("%s is not known", name)
			continue
		}
		if got, ok := stat(s); !ok || math.Abs(got-want) > 0.011 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	opaque := statisticSet(10, 55, 1, 10)
	if _, ok := mustStatistic(t, "p50")(opaque); ok {
		t.Error("a statistic set has percentiles")
	}
	if v, ok := mustStatistic(t, "Average")(opaque); !ok || v != 5.5 {
		t.Errorf("mean of a statistic set is %v", v)
	}
	for _, name := range []string{"", "p", "p101", "P50", "median", "TM(90%:10%)", "PR(10%:20%)", "TM()x"} {
		if _, ok := parseStatistic(name); ok {
			t.Errorf("%q is accepted", name)
		}
	}
}

func mustStatistic(t *testing.T, name string) statistic {
	t.Helper()
	s, ok := parseStatistic(name)
	if !ok {
		t.Fatalf("%s is not a statistic", name)
	}
	return s
}

func TestMetricMath(t *testing.T) {
	w := setup(t, nil)
	from := lately()
	for i, visible := range []float64{10, 20, 30} {
		w.put(t, "Test", "Visible", from.Add(time.Duration(i)*time.Minute), visible)
	}
	w.put(t, "Test", "Tasks", from, 2)
	w.put(t, "Test", "Tasks", from.Add(time.Minute), 4)
	hidden := func(q types.MetricDataQuery) types.MetricDataQuery { q.ReturnData = aws.Bool(false); return q }
	got := w.get(t, from, from.Add(3*time.Minute),
		hidden(query("v", "Visible", "Average", 60)), hidden(query("n", "Tasks", "Average", 60)),
		types.MetricDataQuery{Id: aws.String("bpi"), Expression: aws.String("v / FILL(n, REPEAT)")},
		types.MetricDataQuery{Id: aws.String("plain"), Expression: aws.String("v / n")},
		types.MetricDataQuery{Id: aws.String("twice"), Expression: aws.String("bpi * 2")})
	want := map[string]string{"bpi": "5@0 5@1 7.5@2 ", "plain": "5@0 5@1 ", "twice": "10@0 10@1 15@2 "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPagesOfMetricData(t *testing.T) {
	w := setup(t, nil)
	from := lately()
	for i := range 25 {
		w.put(t, "Test", "A", from.Add(time.Duration(i)*time.Minute), float64(i))
		w.put(t, "Test", "B", from.Add(time.Duration(i)*time.Minute), float64(100+i))
	}
	in := &cloudwatch.GetMetricDataInput{
		StartTime:         &from,
		EndTime:           aws.Time(from.Add(time.Hour)),
		MaxDatapoints:     aws.Int32(10),
		MetricDataQueries: []types.MetricDataQuery{query("a", "A", "Average", 60), query("b", "B", "Average", 60)},
	}
	got := map[string][]float64{}
	codes := ""
	for pages := cloudwatch.NewGetMetricDataPaginator(w.Client, in); pages.HasMorePages(); {
		p, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.MetricDataResults {
			got[*r.Id] = append(got[*r.Id], r.Values...)
			codes += string(r.StatusCode)[:1]
		}
	}
	if len(got["a"]) != 25 || len(got["b"]) != 25 || got["a"][0] != 24 || got["b"][24] != 100 {
		t.Errorf("pages hold a %v\nb %v", got["a"], got["b"])
	}
	if want := "PPPPCPCPCC"; codes != want {
		t.Errorf("status codes of a and b on 5 pages are %s, want %s (P partial, C complete)", codes, want)
	}
}

func TestMetricDataRefused(t *testing.T) {
	w := setup(t, nil)
	from := lately()
	ok := query("a", "A", "Average", 60)
	bad := func(change func(*types.MetricDataQuery)) []types.MetricDataQuery {
		q := query("a", "A", "Average", 60)
		change(&q)
		return []types.MetricDataQuery{q}
	}
	for message, queries := range map[string][]types.MetricDataQuery{
		"not unique":        {ok, ok},
		"lower-case letter": bad(func(q *types.MetricDataQuery) { q.Id = aws.String("A") }),
		"multiple of 60":    bad(func(q *types.MetricDataQuery) { q.MetricStat.Period = aws.Int32(7) }),
		"valid statistic":   bad(func(q *types.MetricDataQuery) { q.MetricStat.Stat = aws.String("Median") }),
		"mutually exclusive": bad(func(q *types.MetricDataQuery) {
			q.Expression = aws.String("1")
		}),
		"Either":                  bad(func(q *types.MetricDataQuery) { q.MetricStat = nil }),
		"Error in expression 'e'": {ok, {Id: aws.String("e"), Expression: aws.String("a +")}},
		"SEARCH":                  {{Id: aws.String("e"), Expression: aws.String("SEARCH('{N} M', 'Sum', 60)")}},
	} {
		_, err := w.GetMetricData(
			t.Context(),
			&cloudwatch.GetMetricDataInput{
				StartTime:         &from,
				EndTime:           aws.Time(from.Add(time.Hour)),
				MetricDataQueries: queries,
			},
		)
		if _, m := faultOf(err); !strings.Contains(m, message) {
			t.Errorf("want a refusal with %q, got %v", message, err)
		}
	}
	_, err := w.GetMetricData(
		t.Context(),
		&cloudwatch.GetMetricDataInput{
			StartTime:         &from,
			EndTime:           &from,
			MetricDataQueries: []types.MetricDataQuery{ok},
		},
	)
	if code, m := faultOf(err); code != "ValidationError" ||
		m != "The parameter StartTime must not equal parameter EndTime." {
		t.Errorf("no time at all: %v", err)
	}
}

func TestPutMetricDataRefused(t *testing.T) {
	w := setup(t, nil)
	many, twice := make([]float64, 151), slices.Concat(queueDimension, queueDimension)
	old, future := time.Now().AddDate(0, 0, -15), time.Now().Add(3*time.Hour)
	named := func(d types.MetricDatum) types.MetricDatum { d.MetricName = aws.String("m"); return d }
	value := func(d types.MetricDatum) types.MetricDatum {
		d.MetricName, d.Value = aws.String("m"), aws.Float64(1)
		return d
	}
	const invalid = "InvalidParameterValueException"
	for _, c := range []struct {
		namespace, code, message string
		data                     types.MetricDatum
	}{
		{"AWS/SQS", invalid, "reserved", value(types.MetricDatum{})},
		{"N", "MissingParameter", "1.MetricName", types.MetricDatum{Value: aws.Float64(1), MetricName: new(string)}},
		{"N", "MissingParameter", "MetricData.member.1.Value", named(types.MetricDatum{})},
		{"N", invalid, "NaN", named(types.MetricDatum{Value: aws.Float64(math.NaN())})},
		{"N", invalid, "mutually exclusive", value(types.MetricDatum{Values: []float64{1}})},
		{"N", invalid, "greater than 150", named(types.MetricDatum{Values: many})},
		{"N", invalid, "same size", named(types.MetricDatum{Values: []float64{1, 2}, Counts: []float64{1}})},
		{"N", invalid, "Counts.member.1", named(types.MetricDatum{Values: []float64{1}, Counts: []float64{-1}})},
		{"N", invalid, "two weeks", value(types.MetricDatum{Timestamp: &old})},
		{"N", invalid, "two weeks", value(types.MetricDatum{Timestamp: &future})},
		{"N", invalid, "1 or 60", value(types.MetricDatum{StorageResolution: aws.Int32(5)})},
		{"N", "ValidationError", "enum value set", value(types.MetricDatum{Unit: "Parsecs"})},
		{"N", invalid, "second time", value(types.MetricDatum{Dimensions: twice})},
	} {
		_, err := w.PutMetricData(t.Context(),
			&cloudwatch.PutMetricDataInput{Namespace: &c.namespace, MetricData: []types.MetricDatum{c.data}})
		code, message := faultOf(err)
		if !strings.HasPrefix(c.code, code) || code == "" || !strings.Contains(message, c.message) {
			t.Errorf("want %s with %q, got %v", c.code, c.message, err)
		}
	}
	data := make([]types.MetricDatum, 1001)
	for i := range data {
		data[i] = value(types.MetricDatum{})
	}
	_, err := w.PutMetricData(t.Context(),
		&cloudwatch.PutMetricDataInput{Namespace: aws.String("N"), MetricData: data})
	if _, message := faultOf(err); !strings.Contains(message, "greater than 1000") {
		t.Errorf("1001 entries: %v", err)
	}
	put := &cloudwatch.PutMetricDataInput{Namespace: aws.String("N"), MetricData: data[:1000]}
	if _, err = w.PutMetricData(t.Context(), put); err != nil {
		t.Errorf("1000 entries, which the client compresses: %v", err)
	}
}

func TestMetricStatisticsAndLists(t *testing.T) {
	w := setup(t, nil)
	from := lately()
	w.put(t, "Test", "A", from, 1, 2, 3, 10)
	w.put(t, "Test", "B", from, 1)
	w.put(t, "Other", "A", from, 1)
	out, err := w.GetMetricStatistics(
		t.Context(),
		&cloudwatch.GetMetricStatisticsInput{Namespace: aws.String("Test"), MetricName: aws.String("A"),
			Dimensions: queueDimension, StartTime: &from, EndTime: aws.Time(from.Add(time.Hour)),
			Period: aws.Int32(300),
			Statistics: []types.Statistic{
				"Average",
				"Sum",
				"Minimum",
				"Maximum",
				"SampleCount",
			}, ExtendedStatistics: []string{"p75"}},
	)
	if err != nil || len(out.Datapoints) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	p := out.Datapoints[0]
	if *p.Average != 4 || *p.Sum != 16 || *p.Minimum != 1 || *p.Maximum != 10 || *p.SampleCount != 4 ||
		p.ExtendedStatistics["p75"] != 3 ||
		!p.Timestamp.Equal(from) {
		t.Errorf("datapoint is %+v", p)
	}
	for _, c := range []struct {
		in   cloudwatch.ListMetricsInput
		want int
	}{
		{cloudwatch.ListMetricsInput{}, 3},
		{cloudwatch.ListMetricsInput{Namespace: aws.String("Test")}, 2},
		{cloudwatch.ListMetricsInput{MetricName: aws.String("A")}, 2},
		{cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("QueueName")}}}, 3},
		{cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{
			{Name: aws.String("QueueName"), Value: aws.String("x")},
		}}, 0},
	} {
		got, err := w.ListMetrics(t.Context(), &c.in)
		if err != nil || len(got.Metrics) != c.want {
			t.Errorf("%+v lists %d metrics, want %d, %v", c.in, len(got.Metrics), c.want, err)
		}
	}
}

func TestAScaledWorldHasItsOwnPeriod(t *testing.T) {
	w := setup(t, func(c *Config) { c.Period = 3 * time.Second })
	w.put(t, "Test", "A", time.Now(), 1)
	for i := range 3 {
		w.put(t, "Test", "A", time.Now().Add(-time.Duration(3*i)*time.Second), 4)
	}
	from := time.Now().Add(-time.Minute).Truncate(3 * time.Second)
	if got := w.get(t, from, time.Now().Add(3*time.Second), query("n", "A", "SampleCount", 3)); strings.Count(got["n"],
		"@") != 3 {
		t.Errorf("datapoints of 3 seconds: %q", got["n"])
	}
}

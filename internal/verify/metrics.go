package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Metrics says where the worker's metrics are found.
type Metrics struct {
	Namespace string
	Type      string        // value of the dimension Type
	Queue     string        // queue name
	Period    time.Duration // of the worker's metrics
}

// MetricsIncomplete says that CloudWatch did not answer for the whole span.
type MetricsIncomplete struct{ Reason string }

func (e *MetricsIncomplete) Error() string { return "CloudWatch's answer is not complete: " + e.Reason }

// ErrorName is the name under which a state machine sees the error.
func (*MetricsIncomplete) ErrorName() string { return "MetricsIncomplete" }

type metricsClient interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.GetMetricDataOutput, error)
}

// statistics are the series that are read: their ids in the request, the metric and the statistic.
var statistics = []struct{ id, metric, statistic string }{
	{"processed", "MsgProcessingDuration", "SampleCount"},
	{"duration", "MsgProcessingDuration", "p95"},
	{"waits", "MsgWait", "SampleCount"},
	{"wait", "MsgWait", "p95"},
	{"kept", "MsgWithinDelay", "Sum"},
	{"promises", "MsgWithinDelay", "SampleCount"},
	{"failed", "MsgFailed", "Sum"},
	{"setAside", "MsgSetAside", "Sum"},
}

// arrived is the id of what SQS publishes itself.
const arrived = "arrived"

// point is one datapoint.
type point struct {
	at    time.Time
	value float64
}

// read measures the span, which is widened to whole periods at its end and narrowed at its start: a period in which the
// span began belongs to what was before.
func (m Metrics) read(ctx context.Context, client metricsClient, from, to time.Time) (Measured, error) {
	from, to = ceil(from, m.Period), ceil(to, m.Period)
	out := Measured{Seconds: max(0, to.Sub(from).Seconds())}
	if !from.Before(to) {
		return out, nil
	}
	points, err := m.points(ctx, client, from, to)
	if err != nil {
		return Measured{}, err
	}
	out.Processed = sum(points["processed"])
	out.Failed, out.SetAside = sum(points["failed"]), sum(points["setAside"])
	out.Arrived = sum(points[arrived])
	out.P95Duration = weighted(points["duration"], points["processed"])
	out.P95Wait = weighted(points["wait"], points["waits"])
	if promises := sum(points["promises"]); promises > 0 {
		kept := 100 * sum(points["kept"]) / promises
		out.PromiseKept = &kept
	}
	return out, nil
}

func ceil(t time.Time, period time.Duration) time.Time {
	floor := t.Truncate(period)
	if floor.Equal(t) {
		return t
	}
	return floor.Add(period)
}

// points reads every page of every series. A series that is not complete makes the whole answer *MetricsIncomplete:
// half a span looks like a good or a bad version.
func (m Metrics) points(ctx context.Context, client metricsClient, from, to time.Time) (map[string][]point, error) {
	request := &cloudwatch.GetMetricDataInput{
		StartTime: &from, EndTime: &to, MetricDataQueries: m.queries(), ScanBy: types.ScanByTimestampAscending,
	}
	points, status := map[string][]point{}, map[string]types.StatusCode{}
	for {
		page, err := client.GetMetricData(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("read the metrics of the queue %s: %w", m.Queue, err)
		}
		for _, result := range page.MetricDataResults {
			id := aws.ToString(result.Id)
			status[id] = result.StatusCode
			for i := range min(len(result.Timestamps), len(result.Values)) {
				points[id] = append(points[id], point{result.Timestamps[i], result.Values[i]})
			}
		}
		if request.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			break
		}
	}
	for _, query := range request.MetricDataQueries {
		if id := aws.ToString(query.Id); status[id] != types.StatusCodeComplete {
			return nil, &MetricsIncomplete{fmt.Sprintf("the series %q is %q after the last page", id, status[id])}
		}
	}
	return points, nil
}

func (m Metrics) queries() []types.MetricDataQuery {
	queue := types.Dimension{Name: aws.String("QueueName"), Value: &m.Queue}
	worker := []types.Dimension{{Name: aws.String("Type"), Value: &m.Type}, queue}
	period := aws.Int32(int32(max(1, m.Period.Seconds())))
	query := func(id, namespace, metric, statistic string, dimensions ...types.Dimension) types.MetricDataQuery {
		return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: &namespace, MetricName: &metric, Dimensions: dimensions},
			Period: period, Stat: &statistic,
		}}
	}
	queries := []types.MetricDataQuery{query(arrived, "AWS/SQS", "NumberOfMessagesSent", "Sum", queue)}
	for _, s := range statistics {
		queries = append(queries, query(s.id, m.Namespace, s.metric, s.statistic, worker...))
	}
	return queries
}

func sum(points []point) float64 {
	var total float64
	for _, p := range points {
		total += p.value
	}
	return total
}

// weighted is the mean of the values, each weighted by the count of its time; nil when nothing was counted. Of
// percentiles of short periods it is about the percentile of all.
func weighted(values, counts []point) *float64 {
	weights := map[int64]float64{}
	for _, c := range counts {
		weights[c.at.UnixNano()] = c.value
	}
	var total, weight float64
	for _, v := range values {
		w := weights[v.at.UnixNano()]
		total += w * v.value
		weight += w
	}
	if weight == 0 {
		return nil
	}
	mean := total / weight
	return &mean
}

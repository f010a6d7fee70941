package retune

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Names of the metrics that are read. Those of the worker are part of its contract.
const (
	durationMetric = "MsgProcessingDuration" // seconds, measured in the handler
	waitMetric     = "MsgWait"               // seconds
	keptMetric     = "MsgWithinDelay"        // 1 or 0 a message
)

// MetricSource says where the metrics are found.
type MetricSource struct {
	Namespace string // of the worker's metrics
	Type      string // value of their dimension Type
	Queue     string // queue name
	Cluster   string
	Service   string
}

// Keys of the series that are read; they are the query ids too.
const (
	durationSum   = "durationSum"
	durationCount = "durationCount"
	waitSum       = "waitSum"
	waitCount     = "waitCount"
	keptSum       = "keptSum"
	keptCount     = "keptCount"
	arrivals      = "arrivals"
	tasks         = "tasks"
	waitP95       = "waitP95"
)

// MetricsIncomplete says that CloudWatch did not answer for the whole window.
type MetricsIncomplete struct{ Reason string }

func (e *MetricsIncomplete) Error() string { return "CloudWatch's answer is not complete: " + e.Reason }

// ErrorName is the name under which a state machine sees the error.
func (*MetricsIncomplete) ErrorName() string { return "MetricsIncomplete" }

type metricsReader interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.GetMetricDataOutput, error)
}

// point is one datapoint.
type point struct {
	at    time.Time // beginning of its period
	value float64
}

// series holds the datapoints of each query, over all pages, oldest first.
type series map[string][]point

func (s series) sum(key string) float64 {
	var sum float64
	for _, p := range s[key] {
		sum += p.value
	}
	return sum
}

// since leaves out what came before a moment.
func (s series) since(from time.Time) series {
	out := series{}
	for key, points := range s {
		out[key] = slices.DeleteFunc(slices.Clone(points), func(p point) bool { return p.at.Before(from) })
	}
	return out
}

// mean is the mean duration of one period.
type mean struct {
	at               time.Time
	seconds, samples float64
}

// means are those of the periods in which something was measured.
func (s series) means() []mean {
	counts := map[int64]float64{}
	for _, p := range s[durationCount] {
		counts[p.at.Unix()] = p.value
	}
	var out []mean
	for _, p := range s[durationSum] {
		if count := counts[p.at.Unix()]; count > 0 {
			out = append(out, mean{p.at, p.value / count, count})
		}
	}
	return out
}

// quantile is the value that the share q of a series' datapoints does not exceed; 0 without any.
func (s series) quantile(key string, q float64) float64 {
	values := make([]float64, 0, len(s[key]))
	for _, p := range s[key] {
		values = append(values, p.value)
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
}

// mean is the sum of one series by the sum of another, or nil if there is nothing to divide by.
func (s series) mean(sumKey, countKey string) *float64 {
	count := s.sum(countKey)
	if !(count > 0) {
		return nil
	}
	mean := micro(s.sum(sumKey) / count)
	return &mean
}

// read reads the series of a window, period by period.
func (m MetricSource) read(ctx context.Context, client metricsReader, w Window) (series, error) {
	return m.get(ctx, client, w.From, w.To, m.queries(int32(w.PeriodSeconds)))
}

// quantiles of the processing duration that are read, with their names as a statistic.
var quantiles = []string{"p10", "p25", "p50", "p75", "p90", "p95", "p99"}

// readQuantiles reads the quantiles of the window as a whole: one datapoint that is as long as the window, not a mean
// of many quantiles, which is none. Datapoints begin at the start time that is asked for, whatever their period
// (examples of get-metric-statistics in the AWS CLI reference); a period above 30 s must be whole minutes.
func (m MetricSource) readQuantiles(ctx context.Context, client metricsReader, w Window) (series, error) {
	whole := int32(max(1, (w.To.Sub(w.From)+time.Minute-1)/time.Minute) * 60)
	queries := []types.MetricDataQuery{m.ofWorker(waitP95, waitMetric, "p95", whole)}
	for _, p := range quantiles {
		queries = append(queries, m.ofWorker(p, durationMetric, p, whole))
	}
	return m.get(ctx, client, w.From, w.To, queries)
}

// sumOf reads the sum of one of the metrics that a retune publishes.
func (m MetricSource) sumOf(
	ctx context.Context,
	client metricsReader,
	name string,
	from, to time.Time,
) (float64, error) {
	from, to = from.Truncate(time.Minute), to.Truncate(time.Minute).Add(time.Minute)
	const id = "sum"
	got, err := m.get(ctx, client, from, to, []types.MetricDataQuery{
		m.ofWorker(id, name, "Sum", int32(to.Sub(from)/time.Second)),
	})
	return got.sum(id), err
}

// get asks for series. Every page is followed and every status is looked at: a series that is not Complete in the end
// makes the whole answer *MetricsIncomplete, for a mean of half a window looks like one of all.
func (m MetricSource) get(ctx context.Context, client metricsReader, from, to time.Time,
	queries []types.MetricDataQuery) (series, error) {
	request := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(from), EndTime: aws.Time(to),
		MetricDataQueries: queries,
		ScanBy:            types.ScanByTimestampAscending,
	}
	values, status := series{}, map[string]types.StatusCode{}
	for {
		answer, err := client.GetMetricData(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("read the metrics of the queue %s: %w", m.Queue, err)
		}
		for _, result := range answer.MetricDataResults {
			key := aws.ToString(result.Id)
			for i := range min(len(result.Timestamps), len(result.Values)) {
				values[key] = append(values[key], point{result.Timestamps[i].UTC(), result.Values[i]})
			}
			status[key] = result.StatusCode
			if result.StatusCode != types.StatusCodeComplete && result.StatusCode != types.StatusCodePartialData {
				return nil, &MetricsIncomplete{
					fmt.Sprintf("%s is %s%s", key, result.StatusCode, words(result.Messages)),
				}
			}
		}
		if aws.ToString(answer.NextToken) == "" {
			break
		}
		request.NextToken = answer.NextToken
	}
	for _, query := range request.MetricDataQueries {
		key := aws.ToString(query.Id)
		if code, answered := status[key]; !answered {
			return nil, &MetricsIncomplete{key + " was not answered"}
		} else if code != types.StatusCodeComplete {
			return nil, &MetricsIncomplete{fmt.Sprintf("%s is %s after the last page", key, code)}
		}
	}
	return values, nil
}

func (m MetricSource) queries(period int32) []types.MetricDataQuery {
	return []types.MetricDataQuery{
		m.ofWorker(durationSum, durationMetric, "Sum", period),
		m.ofWorker(durationCount, durationMetric, "SampleCount", period),
		m.ofWorker(waitSum, waitMetric, "Sum", period),
		m.ofWorker(waitCount, waitMetric, "SampleCount", period),
		m.ofWorker(keptSum, keptMetric, "Sum", period),
		m.ofWorker(keptCount, keptMetric, "SampleCount", period),
		query(arrivals, "AWS/SQS", "NumberOfMessagesSent", "Sum", period, dimension("QueueName", m.Queue)),
		query(tasks, "ECS/ContainerInsights", "RunningTaskCount", "Average", period,
			dimension("ClusterName", m.Cluster), dimension("ServiceName", m.Service)),
	}
}

// ofWorker asks for a metric of the worker or of the retune.
func (m MetricSource) ofWorker(id, name, statistic string, period int32) types.MetricDataQuery {
	return query(id, m.Namespace, name, statistic, period, dimension("Type", m.Type), dimension("QueueName", m.Queue))
}

func query(id, namespace, name, statistic string, period int32, dimensions ...types.Dimension) types.MetricDataQuery {
	return types.MetricDataQuery{Id: aws.String(id), MetricStat: &types.MetricStat{
		Metric: &types.Metric{
			Namespace: aws.String(namespace), MetricName: aws.String(name), Dimensions: dimensions,
		},
		Period: aws.Int32(period), Stat: aws.String(statistic),
	}}
}

func dimension(name, value string) types.Dimension {
	return types.Dimension{Name: aws.String(name), Value: aws.String(value)}
}

func words(messages []types.MessageData) string {
	var text strings.Builder
	for _, message := range messages {
		fmt.Fprintf(&text, "; %s: %s", aws.ToString(message.Code), aws.ToString(message.Value))
	}
	return text.String()
}

package retune

import (
	"context"
	"fmt"
	"strings"

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

// series holds the values of each query, over all pages.
type series map[string][]float64

func (s series) sum(key string) float64 {
	var sum float64
	for _, value := range s[key] {
		sum += value
	}
	return sum
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

// read reads all series for the window. Every page is followed and every status is looked at: a series that is not
// Complete in the end makes the whole answer *MetricsIncomplete, for a mean of half a window looks like one of all.
func (m MetricSource) read(ctx context.Context, client metricsReader, w Window) (series, error) {
	request := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(w.From), EndTime: aws.Time(w.To),
		MetricDataQueries: m.queries(int32(w.PeriodSeconds)),
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
			values[key] = append(values[key], result.Values...)
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
	worker := []types.Dimension{dimension("Type", m.Type), dimension("QueueName", m.Queue)}
	query := func(id, namespace, name, statistic string, dimensions ...types.Dimension) types.MetricDataQuery {
		return types.MetricDataQuery{Id: aws.String(id), MetricStat: &types.MetricStat{
			Metric: &types.Metric{
				Namespace: aws.String(namespace), MetricName: aws.String(name), Dimensions: dimensions,
			},
			Period: aws.Int32(period), Stat: aws.String(statistic),
		}}
	}
	return []types.MetricDataQuery{
		query(durationSum, m.Namespace, durationMetric, "Sum", worker...),
		query(durationCount, m.Namespace, durationMetric, "SampleCount", worker...),
		query(waitSum, m.Namespace, waitMetric, "Sum", worker...),
		query(waitCount, m.Namespace, waitMetric, "SampleCount", worker...),
		query(keptSum, m.Namespace, keptMetric, "Sum", worker...),
		query(keptCount, m.Namespace, keptMetric, "SampleCount", worker...),
		query(arrivals, "AWS/SQS", "NumberOfMessagesSent", "Sum", dimension("QueueName", m.Queue)),
		query(tasks, "ECS/ContainerInsights", "RunningTaskCount", "Average",
			dimension("ClusterName", m.Cluster), dimension("ServiceName", m.Service)),
	}
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

package steps

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/band"
)

// What a run reads of the metrics, in their periods.
const (
	measuredPeriods = 10 // that the mean processing duration is taken over
	sentPeriods     = 3  // of the messages sent that a look holds
	latePeriods     = 3  // that the newest of them may be late
)

type statisticsReader interface {
	GetMetricStatistics(context.Context, *cloudwatch.GetMetricStatisticsInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.GetMetricStatisticsOutput, error)
}

// MetricSource says where the metrics are found. They are read with GetMetricStatistics, a request each: unlike
// GetMetricData it is within CloudWatch's free tier, and beyond costs the same (Amazon CloudWatch pricing).
type MetricSource struct {
	Namespace string // of the worker's metrics
	Type      string // value of their dimension Type
	Queue     string // queue name
	Period    time.Duration
}

// sent are the newest full periods that can be read, oldest first.
func (m MetricSource) sent(ctx context.Context, client statisticsReader, now time.Time) ([]band.Sent, error) {
	points, err := m.read(ctx, client, now, sentPeriods+latePeriods, cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("AWS/SQS"), MetricName: aws.String("NumberOfMessagesSent"),
		Dimensions: []types.Dimension{dimension("QueueName", m.Queue)},
		Statistics: []types.Statistic{types.StatisticSum},
	})
	if err != nil {
		return nil, err
	}
	var sent []band.Sent
	for _, p := range points {
		if p.Timestamp.Add(m.Period).After(now) {
			continue // it is not over
		}
		sent = append(sent, band.Sent{
			From: p.Timestamp.UTC(), PeriodSeconds: m.Period.Seconds(), Messages: aws.ToFloat64(p.Sum),
		})
	}
	return sent[max(0, len(sent)-sentPeriods):], nil
}

// processing is the mean processing duration in seconds, each message weighing the same; 0 if none was processed.
func (m MetricSource) processing(ctx context.Context, client statisticsReader, now time.Time) (float64, error) {
	points, err := m.read(ctx, client, now, measuredPeriods, cloudwatch.GetMetricStatisticsInput{
		Namespace: &m.Namespace, MetricName: aws.String("MsgProcessingDuration"),
		Dimensions: []types.Dimension{dimension("Type", m.Type), dimension("QueueName", m.Queue)},
		Statistics: []types.Statistic{types.StatisticSum, types.StatisticSampleCount},
	})
	if err != nil {
		return 0, err
	}
	sum, samples := 0.0, 0.0
	for _, p := range points {
		sum, samples = sum+aws.ToFloat64(p.Sum), samples+aws.ToFloat64(p.SampleCount)
	}
	if samples == 0 {
		return 0, nil
	}
	return sum / samples, nil
}

// read asks for the datapoints of the last periods, oldest first.
func (m MetricSource) read(
	ctx context.Context, client statisticsReader, now time.Time, periods int, in cloudwatch.GetMetricStatisticsInput,
) ([]types.Datapoint, error) {
	in.StartTime, in.EndTime = aws.Time(now.Add(-time.Duration(periods)*m.Period)), &now
	in.Period = aws.Int32(int32(m.readable() / time.Second))
	got, err := client.GetMetricStatistics(ctx, &in)
	if err != nil {
		return nil, fmt.Errorf("read the metric %s of the queue %s: %w", *in.MetricName, m.Queue, err)
	}
	slices.SortFunc(got.Datapoints, func(a, b types.Datapoint) int { return a.Timestamp.Compare(*b.Timestamp) })
	return got.Datapoints, nil
}

// readable is the period to ask for: CloudWatch knows whole minutes, and below a minute some numbers of seconds, of
// which one second finds datapoints of any length.
func (m MetricSource) readable() time.Duration {
	if m.Period < time.Minute {
		return time.Second
	}
	return (m.Period + time.Minute - 1).Truncate(time.Minute)
}

func dimension(name, value string) types.Dimension {
	return types.Dimension{Name: &name, Value: &value}
}

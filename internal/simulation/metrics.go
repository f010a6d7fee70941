package simulation

import (
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Names under which a run publishes its metrics.
const (
	queueName   = "queue"
	clusterName = "cluster"
	serviceName = "service"
	resourceID  = "service/" + clusterName + "/" + serviceName
)

// Visible is the number of messages that wait: statistic Average or Maximum.
func Visible(stat string) tracking.Metric {
	return queueMetric("ApproximateNumberOfMessagesVisible", stat)
}

// InFlight is the number of messages being worked on: statistic Average or Maximum.
func InFlight(stat string) tracking.Metric {
	return queueMetric("ApproximateNumberOfMessagesNotVisible", stat)
}

// Sent is the number of messages sent in a period.
func Sent() tracking.Metric { return queueMetric("NumberOfMessagesSent", "Sum") }

// RunningTasks is the number of running tasks, as Container Insights tells it.
func RunningTasks() tracking.Metric { return taskMetric("ECS/ContainerInsights", "RunningTaskCount") }

// CPU is the service's average CPU utilisation in percent; there is none without a running task.
func CPU() tracking.Metric { return taskMetric("AWS/ECS", "CPUUtilization") }

func queueMetric(name, stat string) tracking.Metric {
	return tracking.Metric{Namespace: "AWS/SQS", Name: name, Stat: stat,
		Dimensions: []tracking.Dimension{{Name: "QueueName", Value: queueName}}}
}

func taskMetric(namespace, name string) tracking.Metric {
	return tracking.Metric{Namespace: namespace, Name: name, Stat: "Average", Dimensions: []tracking.Dimension{
		{Name: "ClusterName", Value: clusterName}, {Name: "ServiceName", Value: serviceName}}}
}

// epoch is the moment 0 of every run. It is a full hour, so that periods of any common length begin at it.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// kept is how many datapoints of a metric a run remembers: more than any alarm looks back.
const kept = 256

// datapoints are the newest datapoints of one metric, with NaN where there is none.
type datapoints struct {
	stat   string
	delay  time.Duration // from the end of a period until it can be read
	values [kept]float64
	next   int // index of the period that is not recorded yet
}

func (d *datapoints) record(value float64) {
	d.values[d.next%kept] = value
	d.next++
}

// at returns the datapoint of the period with that index, if it can be read at a moment.
func (d *datapoints) at(index int, period, now time.Duration) float64 {
	if index < 0 || index >= d.next || index < d.next-kept || time.Duration(index+1)*period+d.delay > now {
		return math.NaN()
	}
	return d.values[index%kept]
}

// board is the CloudWatch of a run.
type board struct {
	period  time.Duration
	metrics map[string]*datapoints
}

func (b *board) add(metric tracking.Metric, delay time.Duration) *datapoints {
	d := &datapoints{stat: metric.Stat, delay: delay}
	b.metrics[metric.Key()] = d
	return d
}

// Read implements tracking.Metrics.
func (b *board) Read(key string, from time.Time, period time.Duration, at time.Time, values []float64) {
	d := b.metrics[key]
	if d == nil {
		for i := range values {
			values[i] = math.NaN()
		}
		return
	}
	first, now := int(from.Sub(epoch)/b.period), at.Sub(epoch)
	if from.Before(epoch) {
		first = -int((epoch.Sub(from) + b.period - 1) / b.period)
	}
	wide := int(period / b.period)
	for i := range values {
		if wide == 1 {
			values[i] = d.at(first+i, b.period, now)
		} else {
			values[i] = d.aggregate(first+i*wide, wide, b.period, now)
		}
	}
}

// aggregate combines the datapoints of several periods into one of a longer period.
func (d *datapoints) aggregate(first, wide int, period, now time.Duration) float64 {
	sum, most, count := 0.0, math.Inf(-1), 0
	for index := first; index < first+wide; index++ {
		if value := d.at(index, period, now); !math.IsNaN(value) {
			sum, most, count = sum+value, max(most, value), count+1
		}
	}
	switch {
	case count == 0:
		return math.NaN()
	case d.stat == "Sum":
		return sum
	case d.stat == "Maximum":
		return most
	default:
		return sum / float64(count)
	}
}

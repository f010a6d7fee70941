package monitoring

import (
	"cmp"
	"context"
	"time"
)

// Queues lists the queues and reads their attributes, as ListQueues and GetQueueAttributes do.
type Queues interface {
	// Sample returns the counts of every queue now.
	Sample(ctx context.Context) ([]QueueCounts, error)
}

// QueueCounts are the approximate numbers of one queue.
type QueueCounts struct {
	Name                         string
	Visible, NotVisible, Delayed int
}

// Service is the state of an ECS service, as Container Insights reports it.
type Service struct {
	Cluster, Name             string
	Desired, Running, Pending int
	Deployments               int
}

// sampleTimeout is how long one look may take at least: on a busy machine a late datapoint is better than none.
const sampleTimeout = 5 * time.Second

// sampleAll takes the samples of the period that ends at now.
func (s *Server) sampleAll(ctx context.Context, now time.Time) {
	start := now.Add(-s.Period)
	s.sampleServices(start, now)
	s.sampleQueues(ctx, start, now)
	s.sampleMachines(ctx, start, now)
}

func (s *Server) sampleServices(start, now time.Time) {
	if s.Services == nil {
		return
	}
	var data []datum
	for _, v := range s.Services() {
		dimensions := []dimension{{"ClusterName", v.Cluster}, {"ServiceName", v.Name}}
		for name, value := range map[string]int{
			"RunningTaskCount": v.Running, "PendingTaskCount": v.Pending, "DesiredTaskCount": v.Desired,
			"DeploymentCount": max(1, v.Deployments),
		} {
			data = append(data,
				s.sampled("ECS/ContainerInsights", name, dimensions, "Count", start, now, single(float64(value))))
		}
	}
	s.store.put(now, data...)
}

// sampled is a datapoint of an AWS metric, readable once it is published.
func (s *Server) sampled(
	namespace, name string,
	dimensions []dimension,
	unit string,
	start, end time.Time,
	v sample,
) datum {
	return datum{
		metric: newMetric(namespace, name, dimensions...), unit: unit, at: start, width: s.Period,
		published: end.Add(s.PublicationDelay), sample: v,
	}
}

func (s *Server) sampleQueues(ctx context.Context, start, now time.Time) {
	if s.Queues == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, max(sampleTimeout, s.Period/2))
	defer cancel()
	queues, err := s.Queues.Sample(ctx)
	if err != nil {
		s.Log.Warn("queues were not sampled", "error", err)
		return
	}
	var data []datum
	for _, q := range queues {
		t := s.watch.take(q, now)
		for name, v := range map[string]sample{
			"ApproximateNumberOfMessagesVisible":    single(float64(q.Visible)),
			"ApproximateNumberOfMessagesNotVisible": single(float64(q.NotVisible)),
			"ApproximateNumberOfMessagesDelayed":    single(float64(q.Delayed)),
			"ApproximateAgeOfOldestMessage":         single(t.oldest.Seconds()),
			"NumberOfMessagesSent":                  single(float64(t.sent)),
			"NumberOfMessagesReceived":              single(float64(t.received)),
			"NumberOfMessagesDeleted":               single(float64(t.deleted)),
			"NumberOfEmptyReceives":                 single(float64(t.empty)),
			"SentMessageSize":                       t.bytes,
		} {
			if v.count > 0 {
				unit := cmp.Or(queueUnits[name], "Count")
				data = append(data, s.sampled("AWS/SQS", name, []dimension{{"QueueName", q.Name}}, unit, start, now, v))
			}
		}
	}
	s.store.put(now, data...)
}

// queueUnits are the units other than Count.
var queueUnits = map[string]string{"ApproximateAgeOfOldestMessage": "Seconds", "SentMessageSize": "Bytes"}

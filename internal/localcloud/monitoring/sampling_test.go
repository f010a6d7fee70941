package monitoring

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

type fixedQueues []QueueCounts

func (f fixedQueues) Sample(context.Context) ([]QueueCounts, error) { return f, nil }

const queueURL = `"QueueUrl":"http://localhost/000000000000/jobs"`

// newest returns the newest datapoint of a queue's metric in the last 10 minutes, and its age.
func (w *world) newest(t *testing.T, name string) (value float64, age time.Duration, found bool) {
	t.Helper()
	now := time.Now()
	out, err := w.GetMetricData(
		t.Context(),
		&cloudwatch.GetMetricDataInput{StartTime: aws.Time(now.Add(-10 * time.Minute)), EndTime: &now,
			MetricDataQueries: []types.MetricDataQuery{
				{
					Id: aws.String("a"),
					MetricStat: &types.MetricStat{Stat: aws.String("Average"), Period: aws.Int32(60),
						Metric: &types.Metric{
							Namespace:  aws.String("AWS/SQS"),
							MetricName: &name,
							Dimensions: queueDimension,
						}},
				},
			}},
	)
	if err != nil {
		t.Fatal(err)
	}
	r := out.MetricDataResults[0]
	if len(r.Values) == 0 {
		return 0, 0, false
	}
	return r.Values[0], now.Sub(r.Timestamps[0]), true
}

func TestQueueMetricsArePublishedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config) {
			c.Queues = fixedQueues{{Name: "jobs", Visible: 5, NotVisible: 2}}
			c.PublicationDelay = 90 * time.Second
		})
		w.run(t)
		start := time.Now().Truncate(time.Minute).Add(time.Minute)
		time.Sleep(time.Until(start.Add(time.Second)))
		w.server.ObserveSQS(
			sqswatch.Call{
				Action:   "SendMessage",
				At:       time.Now(),
				Request:  []byte(`{` + queueURL + `,"MessageBody":"hello"}`),
				Response: []byte(`{"MessageId":"m1"}`),
			},
		)
		time.Sleep(time.Until(start.Add(time.Minute + 89*time.Second)))
		if _, age, found := w.newest(t, "NumberOfMessagesSent"); found && age < 2*time.Minute+29*time.Second {
			t.Errorf("a datapoint of %v ago can be read before its delay of 90 s has passed", age)
		}
		time.Sleep(2 * time.Second)
		for name, want := range map[string]float64{
			"ApproximateNumberOfMessagesVisible": 5, "ApproximateNumberOfMessagesNotVisible": 2,
			"NumberOfMessagesSent":    1,
			"NumberOfMessagesDeleted": 0, "SentMessageSize": 5, "ApproximateAgeOfOldestMessage": 59,
		} {
			if v, _, found := w.newest(t, name); !found || v != want {
				t.Errorf("%s is %v (%v), want %v", name, v, found, want)
			}
		}
	})
}

func TestQueueTraffic(t *testing.T) {
	w := &queueWatch{queues: map[string]*queueRecord{}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		action, request, response string
		at                        time.Duration
	}{
		{"SendMessageBatch", `"Entries":[{"Id":"a","MessageBody":"x"},{"Id":"b","MessageBody":"yyy"},{"Id":"c"}]`,
			`{"Successful":[{"Id":"a","MessageId":"1"},{"Id":"b","MessageId":"2"}]}`, 0},
		{"SendMessage", `"MessageBody":"z"`, `{"MessageId":"3"}`, 10 * time.Second},
		{"ReceiveMessage", `"WaitTimeSeconds":5`, `{"Messages":[` +
			`{"MessageId":"1","ReceiptHandle":"r1"},{"MessageId":"2","ReceiptHandle":"r2"}]}`, 11 * time.Second},
		{"ReceiveMessage", `"WaitTimeSeconds":5`, `{}`, 12 * time.Second},
		{"DeleteMessage", `"ReceiptHandle":"r1"`, ``, 13 * time.Second},
		{"DeleteMessageBatch", `"Entries":[{"Id":"x","ReceiptHandle":"r2"}]`,
			`{"Successful":[{"Id":"x"}]}`, 14 * time.Second},
	} {
		request := `{` + queueURL + `,` + c.request + `}`
		err := w.observe(sqswatch.Call{
			Action: c.action, Request: []byte(request), Response: []byte(c.response), At: start.Add(c.at),
		})
		if err != nil {
			t.Fatalf("%s: %v", c.action, err)
		}
	}
	got := w.take(QueueCounts{Name: "jobs", Visible: 1}, start.Add(time.Minute))
	if got.sent != 3 || got.received != 2 || got.deleted != 2 || got.empty != 1 || got.oldest != 50*time.Second ||
		got.bytes.sum != 5 {
		t.Errorf("traffic is %+v", got)
	}
	if again := w.take(QueueCounts{Name: "jobs"}, start.Add(2*time.Minute)); again.sent != 0 || again.oldest != 0 {
		t.Errorf("traffic after the last sample is %+v", again)
	}
	if err := w.observe(sqswatch.Call{Action: "SendMessage", Request: []byte(`{`)}); err == nil {
		t.Error("a body that is not JSON is taken")
	}
	// Messages that came another way, as into a dead-letter queue, are dated from when they were first seen.
	w.take(QueueCounts{Name: "dead", Visible: 1}, start)
	if got := w.take(QueueCounts{Name: "dead", Visible: 1}, start.Add(time.Minute)); got.oldest != time.Minute {
		t.Errorf("oldest message of the dead-letter queue is %v old", got.oldest)
	}
}

func TestServicesAreSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config) {
			c.PublicationDelay = -1
			c.Services = func() []Service {
				return []Service{{Cluster: "jobs", Name: "worker", Desired: 3, Running: 2, Pending: 1}}
			}
		})
		w.run(t)
		time.Sleep(3 * time.Minute)
		now := time.Now()
		out, err := w.GetMetricData(
			t.Context(),
			&cloudwatch.GetMetricDataInput{StartTime: aws.Time(now.Add(-10 * time.Minute)), EndTime: &now,
				MetricDataQueries: []types.MetricDataQuery{
					{
						Id: aws.String("a"),
						MetricStat: &types.MetricStat{Stat: aws.String("Average"), Period: aws.Int32(60),
							Metric: &types.Metric{
								Namespace:  aws.String("ECS/ContainerInsights"),
								MetricName: aws.String("RunningTaskCount"),
								Dimensions: []types.Dimension{
									{
										Name:  aws.String("ServiceName"),
										Value: aws.String("worker"),
									}, {Name: aws.String("ClusterName"), Value: aws.String("jobs")}},
							}},
					},
				}},
		)
		if err != nil || len(out.MetricDataResults[0].Values) < 2 || out.MetricDataResults[0].Values[0] != 2 {
			t.Errorf("RunningTaskCount: %+v, %v", out.MetricDataResults, err)
		}
	})
}

package monitoring

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

// world is a server, a client of the SDK that talks to it without a network, and what the server sent.
type world struct {
	*cloudwatch.Client
	server *Server
	sent   *sent
}

func setup(t *testing.T, adjust func(*Config)) *world {
	t.Helper()
	w := &world{sent: &sent{}}
	c := Config{Event: w.sent.event, Notify: w.sent.notify}
	if adjust != nil {
		adjust(&c)
	}
	w.server = New(c)
	w.Client = cloudwatch.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws.invalid"), HTTPClient: directly{w.server},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1,
	})
	return w
}

// run starts the server's work until the test ends.
func (w *world) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.server.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

type directly struct{ http.Handler }

func (d directly) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// sent records events and notifications.
type sent struct {
	mu     sync.Mutex
	events []map[string]any
	notes  []string
}

func (s *sent) event(_ context.Context, detailType string, resources []string, detail any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, map[string]any{"type": detailType, "resources": resources, "detail": detail})
	return nil
}

func (s *sent) notify(_ context.Context, topic, subject, message string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, topic+"\n"+subject+"\n"+message)
	return nil
}

func (w *world) put(t *testing.T, namespace, name string, at time.Time, values ...float64) {
	t.Helper()
	d := types.MetricDatum{MetricName: &name, Timestamp: &at, Values: values, Dimensions: queueDimension}
	in := &cloudwatch.PutMetricDataInput{Namespace: &namespace, MetricData: []types.MetricDatum{d}}
	if _, err := w.PutMetricData(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

var queueDimension = []types.Dimension{{Name: aws.String("QueueName"), Value: aws.String("jobs")}}

// query asks for one statistic of a metric of the tests' namespace.
func query(id, name, stat string, period int32) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: &types.Metric{
			Namespace:  aws.String("Test"),
			MetricName: &name,
			Dimensions: queueDimension,
		}, Period: &period, Stat: &stat,
	}}
}

// get returns the values of each line, oldest first, as "id: values at minutes since from".
func (w *world) get(t *testing.T, from, to time.Time, queries ...types.MetricDataQuery) map[string]string {
	t.Helper()
	out, err := w.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		MetricDataQueries: queries, StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range out.MetricDataResults {
		text := ""
		for i, v := range r.Values {
			text += fmt.Sprintf("%g@%g ", v, r.Timestamps[i].Sub(from).Minutes())
		}
		got[*r.Id] = text
	}
	return got
}

func faultOf(err error) (code, message string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	return api.ErrorCode(), api.ErrorMessage()
}

// lately is a full hour some hours ago, so that no test depends on the time of day.
func lately() time.Time { return time.Now().Add(-2 * time.Hour).Truncate(time.Hour).UTC() }

package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

const (
	queueURL     = "http://sqs.test/1/jobs"
	deadURL      = "http://sqs.test/1/jobs-dead"
	fifoURL      = "http://sqs.test/1/jobs.fifo"
	fifoDeadURL  = "http://sqs.test/1/jobs-dead.fifo"
	longEnough   = 200 * time.Hour // of fake time, for whatever is to come
	almostAtOnce = 50 * time.Millisecond
)

// A bench is a consumer in a synctest bubble, and all that it talks to.
type bench struct {
	t      *testing.T
	sqs    *sqstest.Service
	cloud  *fakeCloudWatch
	states *fakeStepFunctions
	agent  *fakeAgent
	log    *logLines
	Config

	stop context.CancelFunc
	done chan error
}

// setup makes a bench; its configuration may be changed before start.
func setup(t *testing.T) *bench {
	b := &bench{
		t: t, sqs: sqstest.New(queueURL, deadURL, fifoURL, fifoDeadURL),
		cloud: &fakeCloudWatch{}, states: &fakeStepFunctions{}, agent: &fakeAgent{}, log: &logLines{t: t},
	}
	b.Config = Config{
		SQS: b.sqs, CloudWatch: b.cloud, StepFunctions: b.states,
		QueueURL: queueURL, DeadLetterQueueURL: deadURL,
		Concurrency: 5, VisibilityTimeout: 30 * time.Second, Version: "v2",
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return b
}

// fifo turns the bench to the FIFO queue.
func (b *bench) fifo() { b.QueueURL, b.DeadLetterQueueURL = fifoURL, fifoDeadURL }

// send puts n messages with the bodies "0", "1", ... in the queue.
func (b *bench) send(n int) {
	for i := range n {
		b.sqs.Send(b.QueueURL, sqstest.Message{Body: fmt.Sprint(i)})
	}
}

// start runs the consumer until finish.
func (b *bench) start(h Handler) {
	var ctx context.Context
	ctx, b.stop = context.WithCancel(context.Background())
	b.done = make(chan error, 1)
	go func() { b.done <- Run(ctx, b.Config, h) }()
}

// finish stops the consumer as SIGTERM does and returns how long the drain took.
func (b *bench) finish() time.Duration {
	b.t.Helper()
	begin := time.Now()
	b.stop()
	if err := <-b.done; err != nil {
		b.t.Errorf("Run returned %v after a drain, want nil", err)
	}
	return time.Since(begin)
}

// expect compares what is in the queue.
func (b *bench) expect(url string, visible, inFlight, deleted int) {
	b.t.Helper()
	v, f, d := b.sqs.Count(url)
	if v != visible || f != inFlight || d != deleted {
		b.t.Errorf("%s: %d visible, %d in flight, %d deleted; want %d, %d, %d",
			url, v, f, d, visible, inFlight, deleted)
	}
}

// bubble runs a test in fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// A record notes, safe for concurrent use, what handlers saw.
type record struct {
	mu     sync.Mutex
	bodies []string
	busy   int
	peak   int
}

func (r *record) begin(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, m.Body)
	r.busy++
	r.peak = max(r.peak, r.busy)
}

func (r *record) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
}

func (r *record) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

// sleeper is a handler that takes a time, and gives up when its context ends.
func (r *record) sleeper(d time.Duration) Handler {
	return func(ctx context.Context, m Message) error {
		r.begin(m)
		defer r.end()
		if sleep(ctx, d) != nil {
			return context.Cause(ctx)
		}
		return nil
	}
}

// logLines passes the log on to the test and keeps it.
type logLines struct {
	t     *testing.T
	mu    sync.Mutex
	lines []string
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// count returns how many lines contain all of the texts.
func (l *logLines) count(texts ...string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
line:
	for _, line := range l.lines {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue line
			}
		}
		n++
	}
	return n
}

// fakeCloudWatch records what is published.
type fakeCloudWatch struct {
	mu    sync.Mutex
	calls []metricCall
	fail  func(n int) error // of the nth call, from 1
}

type metricCall struct {
	at        time.Time
	namespace string
	data      []types.MetricDatum
}

func (f *fakeCloudWatch) PutMetricData(
	_ context.Context, in *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricDataOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, metricCall{time.Now(), *in.Namespace, in.MetricData})
	if f.fail != nil {
		if err := f.fail(len(f.calls)); err != nil {
			f.calls[len(f.calls)-1].data = nil
			return nil, err
		}
	}
	return &cloudwatch.PutMetricDataOutput{}, nil
}

// samples adds up SampleCount and Sum of a metric over all calls that succeeded.
func (f *fakeCloudWatch) samples(name string) (count, sum float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		for _, d := range c.data {
			if *d.MetricName == name {
				for i, n := range d.Counts {
					count += n
					sum += n * d.Values[i]
				}
			}
		}
	}
	return count, sum
}

// fakeStepFunctions records the answers to task tokens.
type fakeStepFunctions struct {
	mu       sync.Mutex
	success  []sfn.SendTaskSuccessInput
	failures []sfn.SendTaskFailureInput
	err      error
}

func (f *fakeStepFunctions) SendTaskSuccess(
	_ context.Context, in *sfn.SendTaskSuccessInput, _ ...func(*sfn.Options),
) (*sfn.SendTaskSuccessOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.success = append(f.success, *in)
	return &sfn.SendTaskSuccessOutput{}, f.err
}

func (f *fakeStepFunctions) SendTaskFailure(
	_ context.Context, in *sfn.SendTaskFailureInput, _ ...func(*sfn.Options),
) (*sfn.SendTaskFailureOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, *in)
	return &sfn.SendTaskFailureOutput{}, f.err
}

// fakeAgent records requests for protection and answers as it is told.
type fakeAgent struct {
	mu     sync.Mutex
	calls  []protectCall
	on     bool
	answer func(ctx context.Context, on bool) error
}

type protectCall struct {
	at      time.Time
	on      bool
	expires time.Duration
}

func (f *fakeAgent) Protect(ctx context.Context, on bool, expires time.Duration) error {
	f.mu.Lock()
	f.calls = append(f.calls, protectCall{time.Now(), on, expires})
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		if err := answer(ctx, on); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
	return nil
}

func (f *fakeAgent) Task(context.Context) (Task, error) {
	return Task{ID: "task-1", ImageDigest: "sha256:new", Definition: "jobs:7"}, nil
}

func (f *fakeAgent) protected() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on
}

func (f *fakeAgent) made() []protectCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]protectCall(nil), f.calls...)
}

func TestEveryMessageIsProcessedOnceAndDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(300)
		var r record
		b.start(r.sleeper(time.Second))
		time.Sleep(2 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 300)
		if n := len(r.seen()); n != 300 {
			t.Errorf("handler called %d times, want 300", n)
		}
		if r.peak != b.Concurrency {
			t.Errorf("%d messages at once, want %d", r.peak, b.Concurrency)
		}
	})
}

func TestRunRefusesABadConfigurationWithAllItsFaults(t *testing.T) {
	err := Run(context.Background(), Config{Concurrency: -1, VisibilityTimeout: 1500 * time.Millisecond}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"SQS", "QueueURL", "Concurrency: -1", "VisibilityTimeout: 1.5s"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error: %v", want, err)
		}
	}
	good := Config{SQS: sqstest.New(), QueueURL: queueURL}
	if err := Run(context.Background(), good, nil); err == nil || !strings.Contains(err.Error(), "handler") {
		t.Errorf("without a handler: %v", err)
	}
	good.DeadLetterQueueURL = fifoDeadURL
	if err := good.Validate(); err == nil {
		t.Error("a FIFO dead-letter queue for a standard queue is accepted")
	}
}

var errJob = errors.New("the job failed")

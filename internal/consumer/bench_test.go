package consumer

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/awshttp"
	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// TestMain lets the test binary be the SQS server of the benchmarks, so that its work is not counted as the consumer's.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_SERVER") == "" {
		os.Exit(m.Run())
	}
	server := sqstest.Serve("bench")
	server.SQS.Lean()
	if latency, err := time.ParseDuration(os.Getenv("SERVER_LATENCY")); err == nil {
		server.SQS.Fault = func(sqstest.Call) sqstest.Fault { return sqstest.Fault{Late: latency} }
	}
	fmt.Println(server.URL)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the benchmark ends
}

// A counted client counts its calls, and how many are under way at once: so many connections they need.
type counted struct {
	*sqs.Client
	calls, underWay, most atomic.Int64
}

func (c *counted) count() (end func()) {
	c.calls.Add(1)
	if n := c.underWay.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	return func() { c.underWay.Add(-1) }
}

func (c *counted) ReceiveMessage(
	ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options),
) (*sqs.ReceiveMessageOutput, error) {
	defer c.count()()
	return c.Client.ReceiveMessage(ctx, in, o...)
}

func (c *counted) DeleteMessageBatch(
	ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options),
) (*sqs.DeleteMessageBatchOutput, error) {
	defer c.count()()
	return c.Client.DeleteMessageBatch(ctx, in, o...)
}

// benchQueue returns the configuration of a client and a queue: those that BENCH_QUEUE_URL and the AWS variables name,
// or a server of our own in another process.
func benchQueue(b *testing.B, latency time.Duration) (aws.Config, string) {
	if url := os.Getenv("BENCH_QUEUE_URL"); url != "" {
		c, err := config.LoadDefaultConfig(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return c, url
	}
	server := exec.CommandContext(context.Background(), os.Args[0]) // ends by itself, see TestMain
	server.Env = append(os.Environ(), "BE_THE_SERVER=1", "SERVER_LATENCY="+latency.String())
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = server.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	url = strings.TrimSpace(url)
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}, url + "/000000000000/bench"
}

// newClient makes a client with connections of its own, as many as are in use at once.
func newClient(c aws.Config) *sqs.Client {
	c.HTTPClient = awshttp.New(func(t *http.Transport) { t.MaxIdleConnsPerHost = 100 })
	return sqs.NewFromConfig(c, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
}

// fill puts n messages in the queue.
func fill(b *testing.B, client *sqs.Client, url string, n int) {
	// Long polls that the run before left behind would take messages, on some servers until they would have ended.
	wait := 100 * time.Millisecond
	if os.Getenv("BENCH_QUEUE_URL") != "" {
		wait = longPoll + time.Second
	}
	time.Sleep(wait)
	var fillers sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		fillers.Go(func() {
			for int(next.Add(batchSize)) <= n {
				in := &sqs.SendMessageBatchInput{QueueUrl: &url}
				for i := range batchSize {
					in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
						Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(`{"id":"0123456789","duration":0}`),
					})
				}
				if _, err := client.SendMessageBatch(b.Context(), in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	fillers.Wait()
}

// An effort is what a number of messages took.
type effort struct {
	elapsed, cpu time.Duration
	mallocs      uint64
}

func (e *effort) add(other effort) {
	e.elapsed, e.cpu, e.mallocs = e.elapsed+other.elapsed, e.cpu+other.cpu, e.mallocs+other.mallocs
}

// median is what other load on the machine changes least.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func measure(run func() time.Time) effort {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, begin := processorTime(), time.Now()
	end := run()
	e := effort{elapsed: end.Sub(begin), cpu: processorTime() - cpu}
	runtime.ReadMemStats(&after)
	e.mallocs = after.Mallocs - before.Mallocs
	return e
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// consume lets the consumer do n messages and returns when the last was begun.
func consume(b *testing.B, c Config, n int, job time.Duration) (last time.Time) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var done atomic.Int64
	err := Run(ctx, c, func(context.Context, Message) error {
		if job > 0 {
			time.Sleep(job)
		}
		if done.Add(1) == int64(n) {
			last = time.Now()
			stop()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return last
}

// bare is what the consumer is compared with: so many goroutines that each receive ten and delete ten, and care for
// nothing else.
func bare(b *testing.B, client *sqs.Client, url string, n, connections int) (last time.Time) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var done atomic.Int64
	var wait sync.WaitGroup
	for range connections {
		wait.Go(func() {
			for ctx.Err() == nil {
				out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
					QueueUrl: &url, MaxNumberOfMessages: batchSize, VisibilityTimeout: 120, WaitTimeSeconds: 20,
				})
				if err != nil || len(out.Messages) == 0 {
					continue
				}
				in := &sqs.DeleteMessageBatchInput{QueueUrl: &url}
				for i, m := range out.Messages {
					in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{
						Id: entryIDs[i], ReceiptHandle: m.ReceiptHandle,
					})
				}
				if _, err := client.DeleteMessageBatch(ctx, in); err != nil {
					continue
				}
				if done.Add(int64(len(out.Messages))) == int64(n) {
					last = time.Now()
					stop()
				}
			}
		})
	}
	wait.Wait()
	return last
}

// BenchmarkConsumer shows, for each kind of job, what a message costs: API calls, CPU, allocations; and for a job that
// takes no time the throughput and CPU in proportion to those of a bare loop on the same number of connections.
func BenchmarkConsumer(b *testing.B) {
	for _, kind := range []struct {
		name        string
		concurrency int
		job         time.Duration
		messages    int
		latency     time.Duration // of the server, beyond its own work: 3 ms is about what SQS takes at best
		compare     bool
	}{
		{"no work, 32 slots", 32, 0, 5000, 3 * time.Millisecond, true},
		{"no work, 32 slots, in memory", 32, 0, 5000, 0, true},
		{"50ms, 32 slots", 32, 50 * time.Millisecond, 3000, 3 * time.Millisecond, false},
		{"no work, 1 slot", 1, 0, 500, 3 * time.Millisecond, false},
	} {
		b.Run(kind.name, func(b *testing.B) {
			sdk, url := benchQueue(b, kind.latency)
			filler := newClient(sdk)
			c := Config{
				QueueURL: url, Concurrency: kind.concurrency,
				CloudWatch: cloudwatch.NewFromConfig(sdk), MetricPeriod: time.Second,
			}
			var ours effort
			var calls, connections float64
			var throughput, cpu []float64 // ours, as parts of the bare loop's
			for range b.N {
				fill(b, filler, url, kind.messages)
				tally := &counted{Client: newClient(sdk)}
				c.SQS = tally
				o := measure(func() time.Time { return consume(b, c, kind.messages, kind.job) })
				ours.add(o)
				calls += float64(tally.calls.Load())
				connections += float64(tally.most.Load())
				if kind.compare {
					fill(b, filler, url, kind.messages)
					client, as := newClient(sdk), int(tally.most.Load())
					e := measure(func() time.Time { return bare(b, client, url, kind.messages, as) })
					throughput = append(throughput, e.elapsed.Seconds()/o.elapsed.Seconds())
					cpu = append(cpu, o.cpu.Seconds()/e.cpu.Seconds())
				}
			}
			n := float64(b.N * kind.messages)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(n/ours.elapsed.Seconds(), "msg/s")
			b.ReportMetric(calls/n, "calls/msg")
			b.ReportMetric(float64(ours.mallocs)/n, "allocs/msg")
			b.ReportMetric(connections/float64(b.N), "connections")
			b.ReportMetric(1000*ours.cpu.Seconds()/n, "cpu-s/1000msg")
			if kind.compare {
				b.ReportMetric(median(throughput), "of-bare-throughput")
				b.ReportMetric(median(cpu), "of-bare-cpu")
			}
		})
	}
}

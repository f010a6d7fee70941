package consumer

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"pgregory.net/rapid"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// hangingCloudWatch answers nothing.
type hangingCloudWatch struct{ *fakeCloudWatch }

func (hangingCloudWatch) PutMetricData(
	ctx context.Context, _ *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricDataOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Defect 11 of the original: the worker published the duration that was asked for, not the measured one, and took a
// failed metric call for an error of SQS.
func TestDefect11TheMeasuredDurationIsPublished(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.cloud.fail = func(n int) error {
			if n == 1 {
				return errors.New("CloudWatch is down")
			}
			return nil
		}
		b.sqs.Send(queueURL, sqstest.Message{Body: `{"id":"x","duration":5}`})
		b.start((&record{}).sleeper(7 * time.Second))
		time.Sleep(3 * time.Minute)
		b.finish()
		if n, sum := b.cloud.samples(MetricDuration); n != 1 || sum != 7 {
			t.Errorf("%v samples, sum %v; want one of 7 s", n, sum)
		}
		if n := b.log.count("cannot publish metrics"); n != 1 {
			t.Errorf("%d lines say that metrics cannot be published, want 1", n)
		}
		if n := b.log.count("level=ERROR"); n != 0 {
			t.Errorf("%d errors are logged, none of them is one", n)
		}
		b.expect(queueURL, 0, 0, 1)
	})
}

// Defect 12 of the original: one receive, one delete and one PutMetricData for each message.
func TestDefect12OneCallServesManyMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 32
		const n = 32 * 100
		b.send(n)
		b.start((&record{}).sleeper(50 * time.Millisecond))
		time.Sleep(time.Minute)
		counts := b.sqs.Counts()
		calls := float64(counts["ReceiveMessage"]+counts["DeleteMessageBatch"]) / n
		t.Logf("%.3f receives and deletes a message: %v", calls, counts)
		if calls > 0.25 {
			t.Errorf("%.3f receives and deletes a message, want at most 0.25", calls)
		}
		b.finish()
		if len(b.cloud.calls) > 2 {
			t.Errorf("%d calls of PutMetricData in a minute and its end", len(b.cloud.calls))
		}
		b.expect(queueURL, 0, 0, n)
	})
}

func TestOneCallAMinuteWithTheMinutesOwnTimestamp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		time.Sleep(17 * time.Second) // into the minute
		b.start((&record{}).sleeper(time.Second))
		for range 10 {
			b.send(1)
			time.Sleep(time.Minute)
		}
		b.finish()
		if n := len(b.cloud.calls); n != 11 {
			t.Errorf("%d calls in 10 minutes and the end, want 11", n)
		}
		for i, c := range b.cloud.calls {
			if c.namespace != "ECS-SQS-BPI" {
				t.Errorf("namespace %q", c.namespace)
			}
			for _, d := range c.data {
				late := c.at.Sub(*d.Timestamp)
				if !d.Timestamp.Equal(d.Timestamp.Truncate(time.Minute)) || late > 67*time.Second || late < 0 {
					t.Errorf("call %d at %v: timestamp %v", i, c.at, d.Timestamp)
				}
				if *d.Dimensions[0].Name != "Type" || *d.Dimensions[0].Value != "Single-Queue" ||
					*d.Dimensions[1].Name != "QueueName" || *d.Dimensions[1].Value != "jobs" {
					t.Errorf("dimensions %v", d.Dimensions)
				}
			}
		}
	})
}

func TestUnsentMinutesKeepTheirTimestampForFifteenMinutes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		begin := time.Now().Truncate(time.Minute)
		b.cloud.fail = func(int) error {
			if time.Since(begin) < 20*time.Minute+30*time.Second {
				return errors.New("down")
			}
			return nil
		}
		b.start((&record{}).sleeper(time.Second))
		for range 22 {
			b.send(1)
			time.Sleep(time.Minute)
		}
		b.finish()
		times := make(map[time.Time]float64)
		for _, c := range b.cloud.calls {
			for _, d := range c.data {
				if *d.MetricName == MetricDuration {
					times[*d.Timestamp] += d.Counts[0]
				}
			}
		}
		// Minute 20 ended at 21:00, when it was sent together with the 15 before it.
		if len(times) != 1+15+1 {
			t.Errorf("%d minutes were published, want the one, the 15 before and the one after: %v", len(times), times)
		}
		for at, n := range times {
			if n != 1 {
				t.Errorf("%v samples at %v, want 1", n, at)
			}
		}
	})
}

func TestAMetricsClientThatPanicsHarmsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.cloud.fail = func(int) error { panic("metrics") }
		b.start((&record{}).sleeper(time.Second))
		for range 5 {
			b.send(3)
			time.Sleep(time.Minute)
		}
		b.finish()
		b.expect(queueURL, 0, 0, 15)
	})
}

// slowCloudWatch answers late.
type slowCloudWatch struct{ *fakeCloudWatch }

func (s slowCloudWatch) PutMetricData(
	ctx context.Context, in *cloudwatch.PutMetricDataInput, o ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricDataOutput, error) {
	out, err := s.fakeCloudWatch.PutMetricData(ctx, in, o...)
	if ended := sleep(ctx, time.Second); ended != nil {
		return nil, ended
	}
	return out, err
}

func TestACallUnderWayAtTheEndIsNotRepeated(t *testing.T) {
	for after := 58 * time.Second; after < 70*time.Second; after += 500 * time.Millisecond {
		bubble(t, func(t *testing.T) {
			b := setup(t)
			b.CloudWatch = slowCloudWatch{b.cloud}
			time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
			b.start((&record{}).sleeper(0))
			b.send(3)
			time.Sleep(after)
			b.finish()
			if n, _ := b.cloud.samples(MetricDuration); n != 3 {
				t.Errorf("stopped after %v: %v samples, want 3", after, n)
			}
		})
	}
}

func TestWaitAndPromiseCountFirstDeliveriesOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 1
		b.AcceptableDelay = 10 * time.Second
		b.send(5) // starts after 0, 4, 8, 12, 16 s
		first := make(map[string]bool)
		b.start(func(ctx context.Context, m Message) error {
			_ = sleep(ctx, 4*time.Second)
			if m.Body == "4" && !first[m.Body] {
				first[m.Body] = true
				return errJob
			}
			return nil
		})
		time.Sleep(5 * time.Minute)
		b.finish()
		if n, sum := b.cloud.samples(MetricWait); n != 5 || math.Abs(sum-40) > 0.01 {
			t.Errorf("%v waits, sum %v; want 5, 40", n, sum)
		}
		if n, sum := b.cloud.samples(MetricWithinDelay); n != 5 || sum != 3 {
			t.Errorf("%v of %v within the delay, want 3 of 5", sum, n)
		}
		if n, sum := b.cloud.samples(MetricDuration); n != 6 || math.Abs(sum-24) > 0.01 {
			t.Errorf("%v durations, sum %v; want 6, 24", n, sum)
		}
	})
}

func TestSlotsBusyIsTheMeanOverTheMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
		b.start((&record{}).sleeper(30 * time.Second))
		b.send(4)
		time.Sleep(70 * time.Second)
		b.finish()
		var busy []float64
		for _, d := range b.cloud.calls[0].data {
			if *d.MetricName == MetricSlotsBusy {
				busy = d.Values
			}
		}
		if len(busy) != 1 || math.Abs(busy[0]-2) > 0.01 {
			t.Errorf("%s %v, want 2: 4 slots for half of the minute", MetricSlotsBusy, busy)
		}
	})
}

func TestHistogramProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Float64Range(0, 1e-3), rapid.Float64Range(0, 5), rapid.Float64Range(0, 43200),
			rapid.SampledFrom([]float64{0, 1, 2, 5, math.SmallestNonzeroFloat64}),
		)
		seen := rapid.SliceOfN(value, 0, 1000).Draw(t, "seen")
		var h histogram
		var sum float64
		distinct := make(map[float64]float64)
		for _, v := range seen {
			h.add(v)
			sum += v
			distinct[v]++
		}
		values, counts := h.values()
		var n, total float64
		for i, v := range values {
			n += counts[i]
			total += v * counts[i]
		}
		if n != float64(len(seen)) {
			t.Fatalf("SampleCount %v, want %d", n, len(seen))
		}
		if math.Abs(total-sum) > 1e-9*sum {
			t.Fatalf("Sum %v, want %v", total, sum)
		}
		if len(distinct) <= maxValues {
			for i, v := range values {
				if distinct[v] != counts[i] {
					t.Fatalf("%v counted %v times, want %v", v, counts[i], distinct[v])
				}
			}
			return
		}
		// Every value that was seen lies within 1 % of one that is published.
		for v := range distinct {
			near := false
			for _, p := range values {
				near = near || math.Abs(p-v) <= binWidth*v*(1+1e-6)
			}
			if !near {
				t.Fatalf("%v is further than 1%% from every published value", v)
			}
		}
	})
}

func TestAWideHistogramIsSplitIntoDataOfTheAllowedSize(t *testing.T) {
	m := newMeter(time.Minute)
	const n = 100000
	want := 0.0
	for i := range n {
		d := time.Duration(float64(time.Millisecond) * math.Pow(1e7, float64(i)/n))
		m.end(time.Now(), d, true, 0)
		want += d.Seconds()
	}
	var count, sum float64
	data := m.cut(time.Now(), nil)
	for _, d := range data {
		if len(d.Values) > maxValues || len(d.Values) != len(d.Counts) {
			t.Errorf("%d values, %d counts in one datum", len(d.Values), len(d.Counts))
		}
		if *d.MetricName == MetricDuration {
			for i, c := range d.Counts {
				count += c
				sum += c * d.Values[i]
			}
		}
	}
	if count != n || math.Abs(sum-want) > 1e-6*want {
		t.Errorf("SampleCount %v, Sum %v; want %v, %v", count, sum, n, want)
	}
	if len(data) > 20 {
		t.Errorf("%d data for one period", len(data))
	}
}

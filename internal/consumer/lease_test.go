package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// Defect 9 of the original: default visibility 30 s and no heartbeat, so that any message longer than that was
// processed twice or for ever.
func TestDefect9JobsLongerThanTheVisibilityTimeoutAreDoneOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(3)
		var r record
		b.start(r.sleeper(20 * time.Minute))
		time.Sleep(25 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 3)
		if n := len(r.seen()); n != 3 {
			t.Errorf("handler called %d times, want 3", n)
		}
	})
}

func TestLeasesAreExtendedWithFewCalls(t *testing.T) {
	for _, test := range []struct {
		messages     int
		job, timeout time.Duration
		most         int
	}{
		{messages: 16, job: 8 * time.Second, timeout: 4 * time.Second, most: 8},
		{messages: 10, job: 10 * time.Minute, timeout: time.Minute, most: 17},
		{messages: 1, job: time.Second, timeout: 4 * time.Second, most: 0},
	} {
		t.Run(fmt.Sprint(test.messages, test.job, test.timeout), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t)
				b.Concurrency, b.VisibilityTimeout = 16, test.timeout
				b.send(test.messages)
				var r record
				b.start(r.sleeper(test.job))
				time.Sleep(test.job + 5*time.Second)
				b.finish()
				b.expect(queueURL, 0, 0, test.messages)
				if n := len(b.sqs.Calls("ChangeMessageVisibilityBatch")); n > test.most {
					t.Errorf("%d calls of ChangeMessageVisibilityBatch, want at most %d", n, test.most)
				}
				if n := len(r.seen()); n != test.messages {
					t.Errorf("handler called %d times, want %d", n, test.messages)
				}
			})
		})
	}
}

func TestLeasesOfDifferentAgesAreExtendedTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency, b.VisibilityTimeout = 10, time.Minute
		b.start((&record{}).sleeper(10 * time.Minute))
		for range 10 {
			b.send(1)
			time.Sleep(6 * time.Second)
		}
		time.Sleep(10 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 10)
		// One call in 36 to 40 s for all of them, for 11 minutes; apart they would need 160.
		if n := len(b.sqs.Calls("ChangeMessageVisibilityBatch")); n > 20 {
			t.Errorf("%d calls, want at most 20", n)
		}
	})
}

func TestALostLeaseEndsTheHandlerAndItsResultDoesNotCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 1
		b.send(1)
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "ChangeMessageVisibilityBatch" {
				return sqstest.Fault{Error: "InternalError"}
			}
			return sqstest.Fault{}
		}
		var calls atomic.Int32
		causes := make(chan error, 1)
		b.start(func(ctx context.Context, _ Message) error {
			if calls.Add(1) > 1 {
				return nil
			}
			begin := time.Now()
			<-ctx.Done()
			if took := time.Since(begin); took > b.VisibilityTimeout {
				t.Errorf("context ended after %v, later than the lease of %v", took, b.VisibilityTimeout)
			}
			causes <- context.Cause(ctx)
			time.Sleep(time.Second)
			return nil // "done", but too late
		})
		time.Sleep(time.Minute)
		b.finish()
		if cause := <-causes; !errors.Is(cause, ErrLeaseLost) {
			t.Errorf("cause %v, want ErrLeaseLost", cause)
		}
		if n := calls.Load(); n != 2 {
			t.Errorf("handler called %d times, want 2: the first result came too late", n)
		}
		if _, lost := b.cloud.samples(MetricLeaseLost); lost != 1 {
			t.Errorf("%s is %v, want 1", MetricLeaseLost, lost)
		}
		if n, _ := b.cloud.samples(MetricDuration); n != 1 {
			t.Errorf("%v durations, want 1: the cut one is none", n)
		}
	})
}

func TestALeaseThatSQSRefusesToExtendIsLostAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(1)
		cause := make(chan error, 1)
		b.start(func(ctx context.Context, m Message) error {
			if m.ReceiveCount == 1 {
				// Someone else removes the message, so that its receipt handle means nothing any more.
				b.sqs.Purge(queueURL)
				<-ctx.Done()
				cause <- context.Cause(ctx)
			}
			return nil
		})
		time.Sleep(25 * time.Second)
		select {
		case err := <-cause:
			if !errors.Is(err, ErrLeaseLost) {
				t.Errorf("cause %v, want ErrLeaseLost", err)
			}
		default:
			t.Error("the handler goes on although its message is gone")
		}
		b.finish()
	})
}

func TestAnExtensionThatHangsIsTriedAgainInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(2)
		var calls atomic.Int32
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "ChangeMessageVisibilityBatch" && calls.Add(1)%2 == 1 {
				return sqstest.Fault{Late: time.Hour, Cut: true}
			}
			return sqstest.Fault{}
		}
		var r record
		b.start(r.sleeper(5 * time.Minute))
		time.Sleep(6 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 2)
		if n := len(r.seen()); n != 2 {
			t.Errorf("handler called %d times, want 2", n)
		}
	})
}

func TestALeaseEndsAfterTwelveHours(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 1
		b.VisibilityTimeout = 10 * time.Minute
		b.send(1)
		ended := make(chan time.Duration, 1)
		b.start(func(ctx context.Context, m Message) error {
			if m.ReceiveCount > 1 {
				return nil
			}
			begin := time.Now()
			<-ctx.Done()
			ended <- time.Since(begin)
			return context.Cause(ctx)
		})
		after := <-ended
		if after < 12*time.Hour-time.Minute || after > 12*time.Hour {
			t.Errorf("the lease ended after %v, want a little less than 12h", after)
		}
		time.Sleep(time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
	})
}

func TestAnAnswerThatWasLongOnItsWayIsExtendedSooner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.VisibilityTimeout = 4 * time.Second
		b.send(1)
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "ReceiveMessage" && c.Entries == 0 {
				return sqstest.Fault{Late: 2 * time.Second} // half of the lease
			}
			return sqstest.Fault{}
		}
		var r record
		b.start(r.sleeper(10 * time.Second))
		time.Sleep(20 * time.Second)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
		if n := len(r.seen()); n != 1 {
			t.Errorf("handler called %d times, want 1", n)
		}
	})
}

func TestReleaseWaitsForTheExtensionUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(1)
		begin, late := time.Now(), atomic.Int32{}
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "ChangeMessageVisibilityBatch" && time.Since(begin) < 21*time.Second && late.Add(1) == 1 {
				return sqstest.Fault{Early: 3 * time.Second}
			}
			return sqstest.Fault{}
		}
		b.start(func(_ context.Context, m Message) error {
			if m.ReceiveCount > 1 {
				return nil
			}
			time.Sleep(20*time.Second + almostAtOnce) // an extension is under way
			return Retry(4*time.Second, errJob)
		})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		b.finish()
		b.expect(queueURL, 0, 0, 1) // not invisible for the 30 s of the extension
	})
}

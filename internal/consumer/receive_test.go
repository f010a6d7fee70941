package consumer

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

func TestNeverMoreInHandThanThereAreSlots(t *testing.T) {
	for _, c := range []int{1, 3, 7, 10, 32, 45} {
		bubble(t, func(t *testing.T) {
			b := setup(t)
			b.Concurrency = c
			b.send(40 * c)
			var worst, finished atomic.Int32
			var r record
			h := r.sleeper(time.Second)
			b.start(func(ctx context.Context, m Message) error {
				defer finished.Add(1)
				visible, _, _ := b.sqs.Count(queueURL)
				if n := int32(40*c-visible) - finished.Load(); n > worst.Load() {
					worst.Store(n)
				}
				return h(ctx, m)
			})
			time.Sleep(2 * time.Minute)
			b.finish()
			b.expect(queueURL, 0, 0, 40*c)
			if r.peak > c || r.peak < c {
				t.Errorf("%d slots: %d messages at once", c, r.peak)
			}
			if n := int(worst.Load()); n > c {
				t.Errorf("%d slots: %d messages received and not finished", c, n)
			}
		})
	}
}

func TestAnIdleWorkerMakesThreeCallsAMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 45
		b.start((&record{}).sleeper(0))
		time.Sleep(time.Minute)
		before := len(b.sqs.Calls("ReceiveMessage"))
		time.Sleep(10 * time.Minute)
		if n := len(b.sqs.Calls("ReceiveMessage")) - before; n > 31 {
			t.Errorf("%d receives in 10 idle minutes, want 30", n)
		}
		// And yet it has all its slots at hand.
		b.send(450)
		time.Sleep(time.Second)
		b.finish()
		b.expect(queueURL, 0, 0, 450)
	})
}

func TestReceiveErrorsAreSurvivedWithBackOff(t *testing.T) {
	for _, code := range []string{"RequestThrottled", "InternalError", "AWS.SimpleQueueService.NonExistentQueue"} {
		bubble(t, func(t *testing.T) {
			b := setup(t)
			b.send(20)
			begin := time.Now()
			b.sqs.Fault = func(sqstest.Call) sqstest.Fault {
				if time.Since(begin) < 10*time.Minute {
					return sqstest.Fault{Error: code}
				}
				return sqstest.Fault{}
			}
			b.start((&record{}).sleeper(0))
			time.Sleep(10 * time.Minute)
			if n := len(b.sqs.Calls("ReceiveMessage")); n < 30 || n > 80 {
				t.Errorf("%s: %d receives in 10 minutes of failure", code, n)
			}
			time.Sleep(lastBackoff + time.Second)
			b.finish()
			b.expect(queueURL, 0, 0, 20)
			if n := b.log.count("cannot receive messages"); n != 1 {
				t.Errorf("%s: %d lines about it, want 1", code, n)
			}
			if n := b.log.count("receive messages works again"); n != 1 {
				t.Errorf("%s: %d lines about its end, want 1", code, n)
			}
		})
	}
}

func TestThrottledEveryThirdCall(t *testing.T) {
	for name, fault := range map[string]sqstest.Fault{
		"fails":     {Error: "InternalError"},
		"throttles": {Error: "RequestThrottled"},
		"cuts":      {Cut: true},
		"late":      {Late: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t)
				b.Concurrency = 10
				b.send(500)
				b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
					if c.N%3 == 0 {
						return fault
					}
					return sqstest.Fault{}
				}
				var r record
				b.start(r.sleeper(50 * time.Millisecond))
				time.Sleep(5 * time.Minute)
				b.finish()
				b.expect(queueURL, 0, 0, 500)
				if n := len(r.seen()); n != 500 {
					t.Errorf("%d begun, want each of 500 once", n)
				}
			})
		})
	}
}

// A connection that breaks after SQS has done its part: what was received comes back, what was deleted stays deleted.
func TestAnswersThatAreLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 10
		b.send(500)
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			return sqstest.Fault{Cut: c.N%3 == 0, Done: true}
		}
		var r record
		b.start(r.sleeper(50 * time.Millisecond))
		time.Sleep(10 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 500)
		if n := len(r.seen()); n != 500 {
			t.Errorf("%d begun, want each of 500 once", n)
		}
	})
}

// attempts notes the attempt ids of receives.
type attempts struct {
	queueAPI
	ids []string
}

func (a *attempts) ReceiveMessage(
	ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options),
) (*sqs.ReceiveMessageOutput, error) {
	id := ""
	if in.ReceiveRequestAttemptId != nil {
		id = *in.ReceiveRequestAttemptId
	}
	a.ids = append(a.ids, id)
	if len(a.ids) <= 2 {
		return nil, &net.OpError{Op: "read", Err: net.ErrClosed}
	}
	return a.queueAPI.ReceiveMessage(ctx, in, o...)
}

func TestARepeatedReceiveOfAFIFOQueueIsMarkedAsSuch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		a := &attempts{queueAPI: b.sqs}
		b.SQS = a
		b.start((&record{}).sleeper(0))
		time.Sleep(30 * time.Second)
		b.finish()
		if a.ids[0] == "" || a.ids[0] != a.ids[1] || a.ids[1] != a.ids[2] || a.ids[2] == a.ids[3] {
			t.Errorf("attempt ids %v, want one until there is an answer, then another", slices.Compact(a.ids))
		}
	})
}

func TestSlotsWaitALittleForMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSlots(12)
		ctx := context.Background()
		if n := s.take(ctx, 10); n != 10 {
			t.Fatalf("took %d of 12, want 10", n)
		}
		s.answered(0)
		go func() {
			time.Sleep(patience / 2)
			s.put(5)
		}()
		begin := time.Now()
		if n := s.take(ctx, 10); n != 7 || time.Since(begin) != patience {
			t.Errorf("took %d after %v, want 7 after %v", n, time.Since(begin), patience)
		}
		s.answered(0)
		go func() {
			time.Sleep(time.Second)
			s.put(10)
		}()
		begin = time.Now()
		if n := s.take(ctx, 10); n != 10 || time.Since(begin) != time.Second {
			t.Errorf("took %d after %v, want 10 after 1s", n, time.Since(begin))
		}
		// A receive is under way: two slots are not worth another one.
		go func() {
			s.put(2)
			time.Sleep(time.Second)
			s.answered(3)
		}()
		begin = time.Now()
		if n := s.take(ctx, 10); n != 5 || time.Since(begin) != time.Second {
			t.Errorf("took %d after %v, want 5 when the other receive has ended", n, time.Since(begin))
		}
		s.answered(0)
		ended, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if n := s.take(ended, 1); n != 0 {
			t.Errorf("took %d of none", n)
		}
	})
}

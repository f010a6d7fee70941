package produce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// fakeQueue records requests. refuse decides about each message of each request; nil takes everything.
type fakeQueue struct {
	mu       sync.Mutex
	requests []*sqs.SendMessageBatchInput
	taken    map[string]int // bodies
	busy     int
	mostBusy int
	latency  time.Duration
	fail     func(request int) error
	refuse   func(request int, body string) *types.BatchResultErrorEntry
	silent   bool // leaves refused messages out of the answer
}

func (q *fakeQueue) SendMessageBatch(
	ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options),
) (*sqs.SendMessageBatchOutput, error) {
	q.mu.Lock()
	q.busy++
	q.mostBusy = max(q.mostBusy, q.busy)
	q.mu.Unlock()
	if q.latency > 0 {
		select {
		case <-time.After(q.latency):
		case <-ctx.Done():
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.requests = append(q.requests, in)
	number := len(q.requests)
	if q.fail != nil {
		if err := q.fail(number); err != nil {
			return nil, err
		}
	}
	out := &sqs.SendMessageBatchOutput{}
	for _, entry := range in.Entries {
		body := aws.ToString(entry.MessageBody)
		if q.refuse != nil {
			if refusal := q.refuse(number, body); refusal != nil {
				refusal.Id = entry.Id
				if !q.silent {
					out.Failed = append(out.Failed, *refusal)
				}
				continue
			}
		}
		if q.taken == nil {
			q.taken = map[string]int{}
		}
		q.taken[body]++
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: entry.Id})
	}
	return out, nil
}

func refusal(code string, senderFault bool) *types.BatchResultErrorEntry {
	return &types.BatchResultErrorEntry{
		Code:        aws.String(code),
		Message:     aws.String("because"),
		SenderFault: senderFault,
	}
}

func numbered(n int) []Message {
	messages := make([]Message, n)
	for i := range messages {
		messages[i] = Message{ID: fmt.Sprintf("m-%03d", i), Duration: 1}
	}
	return messages
}

func newSender(q *fakeQueue) *Sender {
	return &Sender{Client: q, QueueURL: "https://queue", Backoff: func(int) time.Duration { return 0 }}
}

func TestSendInBatches(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 11, 95, 1000} {
		queue := &fakeQueue{}
		outcome, err := newSender(queue).Send(t.Context(), numbered(n))
		if err != nil || outcome != (Outcome{Sent: n}) {
			t.Errorf("%d messages: %+v, %v", n, outcome, err)
		}
		if want := (n + 9) / 10; len(queue.requests) != want || len(queue.taken) != n {
			t.Errorf("%d messages: %d requests, want %d; %d taken", n, len(queue.requests), want, len(queue.taken))
		}
	}
}

func TestParallelismIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := &fakeQueue{latency: 20 * time.Millisecond}
		sender := newSender(queue)
		sender.Parallelism = 4
		began := time.Now()
		if _, err := sender.Send(t.Context(), numbered(1000)); err != nil {
			t.Fatal(err)
		}
		if queue.mostBusy != 4 {
			t.Errorf("%d requests at a time, want 4", queue.mostBusy)
		}
		if took := time.Since(began); took != 100/4*20*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestFifoIds(t *testing.T) {
	for _, fifo := range []bool{true, false} {
		queue := &fakeQueue{}
		sender := newSender(queue)
		sender.FIFO = fifo
		if _, err := sender.Send(t.Context(), numbered(2)); err != nil {
			t.Fatal(err)
		}
		for i, entry := range queue.requests[0].Entries {
			want := ""
			if fifo {
				want = fmt.Sprintf("m-%03d", i)
			}
			if aws.ToString(entry.MessageDeduplicationId) != want || aws.ToString(entry.MessageGroupId) != want {
				t.Errorf("FIFO %v: deduplication id %q, group id %q; want %q", fifo,
					aws.ToString(entry.MessageDeduplicationId), aws.ToString(entry.MessageGroupId), want)
			}
		}
	}
}

func TestOnlyRefusedMessagesAreSentAgain(t *testing.T) {
	for _, silent := range []bool{false, true} {
		queue := &fakeQueue{silent: silent}
		queue.refuse = func(request int, body string) *types.BatchResultErrorEntry {
			if request < 3 && (strings.Contains(body, "m-003") || strings.Contains(body, "m-007")) {
				return refusal("InternalError", false)
			}
			return nil
		}
		outcome, err := newSender(queue).Send(t.Context(), numbered(10))
		if err != nil || outcome != (Outcome{Sent: 10, Retried: 4}) {
			t.Errorf("%+v, %v", outcome, err)
		}
		var sizes []int
		for _, request := range queue.requests {
			sizes = append(sizes, len(request.Entries))
		}
		if !slices.Equal(sizes, []int{10, 2, 2}) {
			t.Errorf("requests of %v messages", sizes)
		}
		if counts := slices.Collect(maps.Values(queue.taken)); slices.Max(counts) != 1 || len(counts) != 10 {
			t.Errorf("taken: %v", queue.taken)
		}
	}
}

func TestRefusedForGood(t *testing.T) {
	for name, test := range map[string]struct {
		refusal  *types.BatchResultErrorEntry
		requests int
	}{
		"queue's fault, again and again": {refusal("InternalError", false), 6},
		"sender's fault, once":           {refusal("InvalidMessageContents", true), 1},
	} {
		t.Run(name, func(t *testing.T) {
			queue := &fakeQueue{}
			queue.refuse = func(_ int, body string) *types.BatchResultErrorEntry {
				if strings.Contains(body, "m-002") {
					again := *test.refusal
					return &again
				}
				return nil
			}
			outcome, err := newSender(queue).Send(t.Context(), numbered(5))
			var unsent *MessagesUnsent
			if !errors.As(err, &unsent) || unsent.Unsent != 1 || unsent.Of != 5 || unsent.Code != *test.refusal.Code ||
				unsent.ErrorName() != "MessagesUnsent" {
				t.Errorf("got %v", err)
			}
			if outcome.Sent != 4 || len(queue.requests) != test.requests {
				t.Errorf("%d sent in %d requests", outcome.Sent, len(queue.requests))
			}
		})
	}
}

func TestFailedRequestEndsSend(t *testing.T) {
	queue := &fakeQueue{fail: func(request int) error {
		if request == 3 {
			return errors.New("AccessDenied")
		}
		return nil
	}}
	sender := newSender(queue)
	sender.Parallelism = 1
	outcome, err := sender.Send(t.Context(), numbered(1000))
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") || !strings.Contains(err.Error(), "https://queue") {
		t.Errorf("got %v", err)
	}
	if outcome.Sent != 20 || len(queue.requests) > 4 {
		t.Errorf("%d sent, %d requests", outcome.Sent, len(queue.requests))
	}
}

func TestBackoffGrows(t *testing.T) {
	sender := &Sender{}
	for repetition, most := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 6: 3200 * time.Millisecond,
		7: 5 * time.Second, 60: 5 * time.Second,
	} {
		for range 100 {
			if got := sender.backoff(repetition); got <= 0 || got > most+time.Millisecond {
				t.Errorf("repetition %d: %v", repetition, got)
			}
		}
	}
}

func TestPausesBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := &fakeQueue{refuse: func(int, string) *types.BatchResultErrorEntry { return refusal("Busy", false) }}
		sender := newSender(queue)
		sender.Backoff = func(repetition int) time.Duration { return time.Duration(repetition) * time.Second }
		began := time.Now()
		_, err := sender.Send(t.Context(), numbered(1))
		if took := time.Since(began); took != 15*time.Second || err == nil { // 1+2+3+4+5
			t.Errorf("it took %v: %v", took, err)
		}
	})
}

func TestDeadlineIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := &fakeQueue{refuse: func(int, string) *types.BatchResultErrorEntry { return refusal("Busy", false) }}
		sender := newSender(queue)
		sender.Backoff = func(int) time.Duration { return 4 * time.Second }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err := sender.Send(ctx, numbered(3))
		var unsent *MessagesUnsent
		if !errors.As(err, &unsent) {
			t.Errorf("got %v, want *MessagesUnsent rather than an interruption without a reason", err)
		}
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("gave up after %v; a third pause would not have ended in time", took)
		}
	})
}

func TestCancellationEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := &fakeQueue{refuse: func(int, string) *types.BatchResultErrorEntry { return refusal("Busy", false) }}
		sender := newSender(queue)
		sender.Backoff = func(int) time.Duration { return time.Hour }
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := sender.Send(ctx, numbered(100))
		if took := time.Since(began); took != time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("ended after %v: %v", took, err)
		}
	})
}

func TestCancelledBeforehand(t *testing.T) {
	queue := &fakeQueue{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if outcome, err := newSender(
		queue,
	).Send(ctx, numbered(100)); !errors.Is(err, context.Canceled) ||
		outcome.Sent != 0 {
		t.Errorf("%+v, %v", outcome, err)
	}
	if len(queue.requests) != 0 {
		t.Errorf("%d requests", len(queue.requests))
	}
}

func TestSendRange(t *testing.T) {
	spec := plan(t, `{"messages":2500,"durationSeconds":0.5}`).Spec
	queue := &fakeQueue{}
	got, err := newSender(queue).SendRange(t.Context(), SendRequest{Spec: spec, Range: Range{First: 2000, Count: 500}})
	if err != nil {
		t.Fatal(err)
	}
	want := RangeResult{Range: Range{First: 2000, Count: 500}, Outcome: Outcome{Sent: 500}, WorkSeconds: 250}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i := 2000; i < 2500; i++ {
		if queue.taken[spec.Message(i).Body()] != 1 {
			t.Fatalf("message %d was sent %d times", i, queue.taken[spec.Message(i).Body()])
		}
	}
	document, err := json.Marshal(got)
	if err != nil || string(document) != `{"first":2000,"count":500,"sent":500,"retried":0,"workSeconds":250}` {
		t.Errorf("%s, %v", document, err)
	}
}

func TestSendRangeRefusesAnother(t *testing.T) {
	spec := plan(t, `{"messages":2500}`).Spec
	for _, r := range []Range{{-1, 10}, {0, 0}, {0, 1001}, {2000, 501}, {2500, 1}} {
		queue := &fakeQueue{}
		_, err := newSender(queue).SendRange(t.Context(), SendRequest{Spec: spec, Range: r})
		var unusable *UnusableRange
		if !errors.As(err, &unusable) || len(queue.requests) != 0 || unusable.ErrorName() != "UnusableRange" {
			t.Errorf("%v: got %v after %d requests", r, err, len(queue.requests))
		}
	}
}

func TestSendRangeNamesTheMessages(t *testing.T) {
	spec := plan(t, `{"messages":2500}`).Spec
	queue := &fakeQueue{refuse: func(int, string) *types.BatchResultErrorEntry { return refusal("Busy", true) }}
	_, err := newSender(queue).SendRange(t.Context(), SendRequest{Spec: spec, Range: Range{First: 1000, Count: 20}})
	want := "messages 1000 to 1019: send to https://queue: 20 of 20 messages were not taken by the queue; " +
		"the last refusal: Busy: because"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

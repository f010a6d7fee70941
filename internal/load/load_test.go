package load

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/trace"
)

type fakeSender struct {
	started time.Time
	sent    []produce.Message
	at      []time.Duration
	fail    error
}

func (f *fakeSender) Send(_ context.Context, messages []produce.Message) (produce.Outcome, error) {
	if f.fail != nil {
		return produce.Outcome{}, f.fail
	}
	for _, message := range messages {
		f.sent = append(f.sent, message)
		f.at = append(f.at, time.Since(f.started))
	}
	return produce.Outcome{Sent: len(messages)}, nil
}

func numbered(index int, offset time.Duration) produce.Message {
	return produce.Message{ID: strconv.Itoa(index), Duration: offset.Seconds()}
}

var arrivals = trace.Trace{Name: "given", Step: 10 * time.Second, Bins: []int{20, 0, 5}}

func TestPlaySendsEveryArrivalOnceAndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := &fakeSender{started: time.Now()}
		told := 0
		sent, err := Player{Sender: sender, Progress: func(n int) { told = n }}.Play(t.Context(), arrivals, numbered)
		if err != nil || sent != 25 || told != 25 || len(sender.sent) != 25 {
			t.Fatalf("sent %d, told %d, queue got %d, %v; want 25", sent, told, len(sender.sent), err)
		}
		for i, message := range sender.sent {
			if message.ID != strconv.Itoa(i) {
				t.Errorf("message %d has id %s", i, message.ID)
			}
			if due := arrivals.Due(sender.at[i] - 200*time.Millisecond); due > i {
				t.Errorf("message %d was sent at %v, later than one look after it was due", i, sender.at[i])
			}
			if arrivals.Due(sender.at[i]) <= i {
				t.Errorf("message %d was sent at %v, before it was due", i, sender.at[i])
			}
		}
	})
}

func TestPlayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		_, err := Player{Sender: &fakeSender{fail: refused}}.Play(t.Context(), arrivals, numbered)
		if !errors.Is(err, refused) {
			t.Errorf("got error %v, want that of the sender", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		sent, err := Player{Sender: &fakeSender{}}.Play(ctx, arrivals, numbered)
		if !errors.Is(err, context.DeadlineExceeded) || sent < 8 || sent > 10 {
			t.Errorf("sent %d until the deadline, %v", sent, err)
		}
	})
}

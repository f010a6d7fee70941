package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// sendGroups puts n messages in each of so many groups of the FIFO queue, in turn. Bodies count within a group.
func (b *bench) sendGroups(groups, n int) {
	for i := range n {
		for g := range groups {
			name := fmt.Sprintf("g%d", g)
			b.sqs.Send(b.QueueURL, sqstest.Message{Body: fmt.Sprint(i), Group: name, Dedup: name + fmt.Sprint(i)})
		}
	}
}

// A ledger notes in which order the messages of each group were done, and checks that one is at work at a time.
type ledger struct {
	t    *testing.T
	mu   sync.Mutex
	done map[string][]int
	busy map[string]bool
	peak int
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, done: make(map[string][]int), busy: make(map[string]bool)}
}

func (l *ledger) begin(m Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[m.GroupID] {
		l.t.Errorf("two messages of %s at once", m.GroupID)
	}
	l.busy[m.GroupID] = true
	l.peak = max(l.peak, len(l.busy))
}

func (l *ledger) end(m Message, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, m.GroupID)
	if done {
		n, _ := strconv.Atoi(m.Body)
		l.done[m.GroupID] = append(l.done[m.GroupID], n)
	}
}

// expect demands that each group was done completely, once and in order.
func (l *ledger) expect(groups, n int) {
	l.t.Helper()
	for g := range groups {
		done := l.done[fmt.Sprintf("g%d", g)]
		if len(done) != n || !slices.IsSorted(done) {
			l.t.Errorf("group %d was done in the order %v, want 0 to %d", g, done, n-1)
		}
	}
}

func TestOrderWithinAGroupHoldsAndGroupsRunInParallel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency = 16
		b.sendGroups(8, 20)
		l := newLedger(t)
		b.start(func(ctx context.Context, m Message) error {
			l.begin(m)
			_ = sleep(ctx, time.Second)
			l.end(m, true)
			return nil
		})
		time.Sleep(5 * time.Minute)
		b.finish()
		b.expect(fifoURL, 0, 0, 160)
		l.expect(8, 20)
		if l.peak < 2 {
			t.Error("groups do not run in parallel")
		}
	})
}

func TestOrderHoldsWithFailuresFaultsAndDrains(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				var lock sync.Mutex
				chance := func(p float64) bool {
					lock.Lock()
					defer lock.Unlock()
					return random.Float64() < p
				}
				b := setup(t)
				b.fifo()
				b.Concurrency = 12
				b.VisibilityTimeout = 10 * time.Second
				b.sendGroups(5, 12)
				b.sqs.Fault = func(sqstest.Call) sqstest.Fault {
					faults := []sqstest.Fault{
						{Error: "InternalError"}, {Late: time.Second}, {Entries: []int{0}}, {Cut: true},
					}
					if chance(0.2) {
						return faults[int(time.Now().UnixNano()/1000)%len(faults)]
					}
					return sqstest.Fault{}
				}
				l := newLedger(t)
				handler := func(_ context.Context, m Message) error {
					l.begin(m)
					time.Sleep(300 * time.Millisecond)
					failed := chance(0.1)
					l.end(m, !failed)
					if failed {
						return Retry(time.Second, errJob)
					}
					return nil
				}
				for range 40 {
					b.start(handler)
					time.Sleep(20 * time.Second)
					b.finish()
				}
				b.expect(fifoURL, 0, 0, 60)
				l.expect(5, 12)
			})
		})
	}
}

func TestSuccessorsWaitWithTheirLeaseKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency = 10
		b.sendGroups(1, 10)
		l := newLedger(t)
		b.start(func(ctx context.Context, m Message) error {
			l.begin(m)
			_ = sleep(ctx, 50*time.Second) // each longer than the visibility timeout
			l.end(m, true)
			return nil
		})
		time.Sleep(10 * time.Minute)
		b.finish()
		b.expect(fifoURL, 0, 0, 10)
		l.expect(1, 10)
		if n := len(b.sqs.Calls("ChangeMessageVisibilityBatch")); n > 40 {
			t.Errorf("%d calls to keep the leases", n)
		}
	})
}

// The one that is to be received first goes back last: before that the queue delivers nothing of the group.
func TestADrainGivesAGroupBackInTheRightOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency = 10
		b.StopTimeout = 20 * time.Second
		b.sendGroups(1, 4)
		b.start(func(ctx context.Context, _ Message) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		time.Sleep(time.Second)
		b.finish()
		b.expect(fifoURL, 4, 0, 0)
		calls := b.sqs.Calls("ChangeMessageVisibilityBatch")
		if len(calls) < 2 || calls[len(calls)-1].Entries != 1 {
			t.Fatalf("calls %+v, want the head of the group alone in the last", calls)
		}
		if gap := calls[len(calls)-1].At.Sub(calls[0].At); gap < 10*time.Second {
			t.Errorf("those that waited went back only %v before the head; they should at once", gap)
		}
	})
}

func TestTheNextOfAGroupWaitsUntilTheDeleteHasSucceeded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency = 10
		b.sendGroups(1, 5)
		var deletes atomic.Int32
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "DeleteMessageBatch" && deletes.Add(1)%2 == 1 {
				return sqstest.Fault{Early: time.Second, Error: "InternalError"}
			}
			return sqstest.Fault{}
		}
		b.start(func(_ context.Context, m Message) error {
			if _, _, deleted := b.sqs.Count(fifoURL); m.Body != fmt.Sprint(deleted) {
				t.Errorf("message %s begins when %d are deleted", m.Body, deleted)
			}
			return nil
		})
		time.Sleep(time.Minute)
		b.finish()
		b.expect(fifoURL, 0, 0, 5)
	})
}

// A handler that does not heed the loss of its lease: what is delivered again waits for it, and what lost its lease
// while it waited is not begun.
func TestOneMessageOfAGroupAtATimeEvenAfterLostLeases(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency, b.VisibilityTimeout = 40, 10*time.Second
		b.sendGroups(1, 2)
		begin := time.Now()
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "ChangeMessageVisibilityBatch" && time.Since(begin) < time.Minute {
				return sqstest.Fault{Error: "InternalError"}
			}
			return sqstest.Fault{}
		}
		l := newLedger(t)
		b.start(func(ctx context.Context, m Message) error {
			if ctx.Err() != nil {
				t.Errorf("message %s is begun without a lease", m.Body)
			}
			l.begin(m)
			if m.ReceiveCount == 1 {
				time.Sleep(43 * time.Second)
			}
			l.end(m, m.ReceiveCount > 1)
			return nil
		})
		time.Sleep(5 * time.Minute)
		b.finish()
		b.expect(fifoURL, 0, 0, 2)
		l.expect(1, 2)
	})
}

func TestWhenOneFailsThoseBehindItGoBackBeforeItDoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency = 10
		for _, id := range []string{"a", "b", "c", "d"} {
			b.sqs.Send(fifoURL, sqstest.Message{ID: id, Group: "g", Dedup: id})
		}
		b.start(func(_ context.Context, m Message) error {
			time.Sleep(time.Second)
			if m.ID == "b" && m.ReceiveCount == 1 {
				return Retry(time.Minute, errJob)
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		var back []string
		for _, c := range b.sqs.Calls("ChangeMessageVisibilityBatch") {
			back = append(back, c.IDs...)
		}
		if !slices.Equal(back, []string{"d", "c", "b"}) {
			t.Errorf("went back in the order %v, want d, c, b", back)
		}
		time.Sleep(2 * time.Minute)
		b.finish()
		b.expect(fifoURL, 0, 0, 4)
	})
}

func TestARejectedMessageDoesNotHoldUpItsGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.fifo()
		b.Concurrency = 10
		b.sendGroups(1, 5)
		l := newLedger(t)
		b.start(func(_ context.Context, m Message) error {
			if m.Body == "2" {
				return Reject("two")
			}
			l.begin(m)
			l.end(m, true)
			return nil
		})
		time.Sleep(time.Minute)
		b.finish()
		b.expect(fifoURL, 0, 0, 5)
		if dead := b.sqs.Visible(fifoDeadURL); len(dead) != 1 || dead[0].Group != "g0" {
			t.Errorf("in the dead-letter queue: %+v", dead)
		}
		if got := l.done["g0"]; !slices.Equal(got, []int{0, 1, 3, 4}) {
			t.Errorf("done: %v", got)
		}
	})
}

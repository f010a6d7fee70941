package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// Defect 13 of the original: no handling of SIGTERM (and no protection from scale-in, see guard_test.go).
func TestDefect13ADrainFinishesShortJobsAtOnceAndHoldsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 20
		b.send(500)
		var r record
		b.start(r.sleeper(200 * time.Millisecond))
		time.Sleep(2500 * time.Millisecond)
		if took := b.finish(); took > 400*time.Millisecond {
			t.Errorf("the drain took %v, want at most 400ms", took)
		}
		visible, inFlight, deleted := b.sqs.Count(queueURL)
		if inFlight != 0 {
			t.Errorf("%d messages are still held", inFlight)
		}
		if deleted != len(r.seen()) || visible+deleted != 500 {
			t.Errorf("%d begun, %d deleted, %d visible; want as many deleted as begun", len(r.seen()), deleted, visible)
		}
	})
}

func TestWhatALongPollBringsDuringADrainIsGivenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		var r record
		b.start(r.sleeper(time.Second))
		time.Sleep(5 * time.Second) // the poll is under way
		go func() {
			time.Sleep(almostAtOnce)
			b.send(4)
		}()
		if took := b.finish(); took > 200*time.Millisecond {
			t.Errorf("the drain took %v although nothing was in hand", took)
		}
		b.expect(queueURL, 4, 0, 0)
		if n := len(r.seen()); n != 0 {
			t.Errorf("%d messages were begun during the drain", n)
		}
	})
}

func TestADrainStopsAnIdleLongPoll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.start((&record{}).sleeper(0))
		time.Sleep(5 * time.Second)
		if took := b.finish(); took > 2*grace {
			t.Errorf("the drain of an idle worker took %v", took)
		}
	})
}

func TestAJobThatDoesNotFitIsGivenBackInTime(t *testing.T) {
	for _, heeds := range []bool{true, false} {
		t.Run(fmt.Sprintf("heeds its context %v", heeds), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t)
				b.StopTimeout = time.Minute
				b.send(3)
				causes := make(chan error, 3)
				b.start(func(ctx context.Context, m Message) error {
					if m.Body == "0" {
						return sleep(ctx, 40*time.Second) // fits
					}
					if !heeds {
						time.Sleep(time.Hour)
						return nil
					}
					<-ctx.Done()
					causes <- context.Cause(ctx)
					return context.Cause(ctx)
				})
				time.Sleep(10 * time.Second)
				took := b.finish()
				if took > b.StopTimeout-b.margin() || took < b.drainTime() {
					t.Errorf("the drain took %v, want between %v and %v", took, b.drainTime(), b.StopTimeout-b.margin())
				}
				b.expect(queueURL, 2, 0, 1)
				if failed, sum := b.cloud.samples(MetricFailed); sum != 0 {
					t.Errorf("%v messages count as failed (%v periods)", sum, failed)
				}
				if heeds {
					if cause := <-causes; !errors.Is(cause, ErrStopping) {
						t.Errorf("cause %v, want ErrStopping", cause)
					}
				} else {
					time.Sleep(2 * time.Hour) // let the handler end, for the bubble's sake
				}
			})
		})
	}
}

func TestAJobThatEndsWellAfterItWasToldToStopIsDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.StopTimeout = 10 * time.Second
		b.send(1)
		b.start(func(ctx context.Context, _ Message) error {
			<-ctx.Done()
			return nil // saved its work
		})
		time.Sleep(time.Second)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
	})
}

func TestNoDeleteIsLostWhenTheDrainMeetsFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 10
		b.send(10)
		var failures atomic.Int32
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "DeleteMessageBatch" && failures.Add(1) <= 3 {
				return sqstest.Fault{Error: "RequestThrottled"}
			}
			return sqstest.Fault{}
		}
		b.start((&record{}).sleeper(time.Second))
		time.Sleep(900 * time.Millisecond)
		b.finish()
		b.expect(queueURL, 0, 0, 10)
	})
}

func TestADrainEndsInTimeWhenSQSDoesNotAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.StopTimeout = 20 * time.Second
		b.send(5)
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action != "ReceiveMessage" {
				return sqstest.Fault{Late: time.Hour, Cut: true}
			}
			return sqstest.Fault{}
		}
		b.start((&record{}).sleeper(time.Second))
		time.Sleep(1500 * time.Millisecond)
		if took := b.finish(); took > b.StopTimeout {
			t.Errorf("the drain took %v, longer than %v", took, b.StopTimeout)
		}
	})
}

func TestMetricsThatHangHoldUpTheEndNoLongerThanTheyMay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.CloudWatch = hangingCloudWatch{b.cloud}
		b.send(1)
		b.start((&record{}).sleeper(0))
		time.Sleep(time.Second)
		if took := b.finish(); took > lastMetrics+2*grace {
			t.Errorf("the drain took %v", took)
		}
		b.expect(queueURL, 0, 0, 1)
	})
}

// Whenever the process is killed, what is finished and not deleted yet is done again. With a network that takes 3 ms
// for a call this is at most 2 in 100 of what is finished, on average, and never more than 3 beyond that.
func TestLittleIsDoneAgainAfterACrash(t *testing.T) {
	for _, test := range []struct {
		slots int
		job   time.Duration
	}{{10, 100 * time.Millisecond}, {32, 400 * time.Millisecond}, {1, 50 * time.Millisecond}} {
		bubble(t, func(t *testing.T) {
			b := setup(t)
			b.Concurrency = test.slots
			b.send(500)
			b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
				if c.Action == "DeleteMessageBatch" {
					time.Sleep(1500 * time.Microsecond)
				}
				return sqstest.Fault{Late: 1500 * time.Microsecond}
			}
			var finished atomic.Int32
			random := rand.New(rand.NewPCG(1, 2))
			var mu sync.Mutex
			b.start(func(ctx context.Context, _ Message) error {
				mu.Lock()
				d := time.Duration((0.5 + random.Float64()) * float64(test.job))
				mu.Unlock()
				_ = sleep(ctx, d)
				finished.Add(1)
				return nil
			})
			again, looks := 0, 0
			for finished.Load() < 400 {
				time.Sleep(time.Millisecond)
				if n := int(finished.Load()); n >= 100 {
					_, _, deleted := b.sqs.Count(queueURL)
					again, looks = again+(n-deleted), looks+1
					if n-deleted > n*2/100+3 {
						t.Errorf("%d slots: %d of %d finished are not deleted", test.slots, n-deleted, n)
					}
				}
			}
			if mean := float64(again) / float64(looks); mean > 250*2/100 {
				t.Errorf("%d slots: %.1f messages on average would be done again", test.slots, mean)
			}
			b.finish()
		})
	}
}

// Half way through 500 messages, workers come and go again and again.
func TestNothingIsLostOrRedoneOverManyDrains(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Concurrency = 8
		b.send(500)
		var all []string
		for range 200 {
			var r record
			b.start(r.sleeper(70 * time.Millisecond))
			time.Sleep(300 * time.Millisecond)
			b.finish()
			all = append(all, r.seen()...)
		}
		b.expect(queueURL, 0, 0, 500)
		slices.Sort(all)
		if len(all) != 500 || len(slices.Compact(all)) != 500 {
			t.Errorf("%d messages begun, want each of 500 once", len(all))
		}
	})
}

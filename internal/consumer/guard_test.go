package consumer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// protected makes a bench with an agent, whose jobs are as long as mayLast says.
func protected(t *testing.T, mayLast time.Duration) *bench {
	b := setup(t)
	b.Protection = b.agent
	b.MayLast = func(Message) time.Duration { return mayLast }
	return b
}

// Defect 13 of the original: no protection from scale-in.
func TestDefect13LongWorkIsProtectedBeforeItBegins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, 5*time.Minute)
		b.agent.answer = func(context.Context, bool) error { time.Sleep(300 * time.Millisecond); return nil }
		b.send(3)
		var bare atomic.Int32
		b.start(func(ctx context.Context, _ Message) error {
			if !b.agent.protected() {
				bare.Add(1)
			}
			return sleep(ctx, 5*time.Minute)
		})
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if b.agent.protected() {
			t.Error("still protected although nothing is in hand")
		}
		if n := bare.Load(); n != 0 {
			t.Errorf("%d messages begun without protection", n)
		}
		calls := b.agent.made()
		if len(calls) != 2 || !calls[0].on || calls[1].on {
			t.Errorf("calls %+v, want on and off", calls)
		}
		if calls[0].expires < b.withDefaults().ProtectionSpell {
			t.Errorf("protection expires after %v already", calls[0].expires)
		}
		b.finish()
	})
}

func TestShortJobsNeedNoProtection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, time.Minute) // a drain waits for 110 s
		b.send(50)
		b.start((&record{}).sleeper(time.Minute))
		time.Sleep(15 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 50)
		if calls := b.agent.made(); len(calls) != 0 {
			t.Errorf("calls %+v, want none", calls)
		}
	})
}

func TestWithoutForesightTheMeasuredDurationsDecide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Protection = b.agent
		b.Concurrency = 1
		b.send(10)
		b.start((&record{}).sleeper(time.Second))
		time.Sleep(time.Minute)
		// Unknown at first, known to be short after the first message.
		if calls := b.agent.made(); len(calls) != 2 || b.agent.protected() {
			t.Errorf("calls %+v, want on for the first message, then off", calls)
		}
		b.finish()

		// A job that turns out to be long is protected when it is.
		b.MayLast = func(Message) time.Duration { return time.Second }
		b.send(1)
		b.start((&record{}).sleeper(time.Hour))
		time.Sleep(b.withDefaults().drainTime() + almostAtOnce)
		if !b.agent.protected() {
			t.Error("a job that has lasted longer than a drain can wait is not protected")
		}
		b.finish()
	})
}

func TestAnAgentThatFailsIsNeverInTheWayOfWork(t *testing.T) {
	for name, answer := range map[string]func(context.Context, bool) error{
		"hangs":   func(ctx context.Context, _ bool) error { <-ctx.Done(); return ctx.Err() },
		"fails":   func(context.Context, bool) error { return errors.New("broken") },
		"blocked": func(context.Context, bool) error { return ErrBlocked },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := protected(t, 5*time.Minute)
				b.agent.answer = answer
				b.Concurrency = 2
				b.send(20)
				begin := time.Now()
				var mu sync.Mutex
				var waits []time.Duration
				b.start(func(ctx context.Context, m Message) error {
					mu.Lock()
					waits = append(waits, time.Since(m.ReceivedAt))
					if len(waits) == 1 && time.Since(begin) > protectionWait {
						t.Errorf("the first message waited %v", time.Since(begin))
					}
					mu.Unlock()
					return sleep(ctx, 5*time.Minute)
				})
				time.Sleep(2 * time.Hour)
				b.finish()
				b.expect(queueURL, 0, 0, 20)
				for i, wait := range waits {
					if i >= 2 && wait > 0 {
						t.Errorf("message %d waited %v for the agent", i, wait)
					}
				}
				if n := b.log.count("cannot protect the task"); n != 1 {
					t.Errorf("%d lines about it, want 1", n)
				}
			})
		})
	}
}

func TestChangesOfTheAgentsStateAreLoggedOnceEach(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, time.Hour)
		var phase atomic.Int32
		b.agent.answer = func(context.Context, bool) error {
			switch phase.Load() {
			case 0:
				return ErrBlocked
			case 1:
				return errors.New("broken")
			}
			return nil
		}
		b.send(1)
		b.start((&record{}).sleeper(time.Hour))
		for p := range int32(3) {
			phase.Store(p)
			time.Sleep(10 * time.Minute)
		}
		if blocked, broken, well := b.log.count("DEPLOYMENT_BLOCKED"), b.log.count("broken"),
			b.log.count("works again"); blocked != 1 || broken != 1 || well != 1 {
			t.Errorf("lines: %d blocked, %d broken, %d well; want one each", blocked, broken, well)
		}
		b.finish()
	})
}

// Under endless load scale-in and deployments still end within a spell plus the longest job.
func TestASpellEndsUnderEndlessLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const job = 3 * time.Minute
		b := protected(t, job)
		b.Concurrency = 4
		b.send(2000)
		b.start((&record{}).sleeper(job))
		spell := b.withDefaults().ProtectionSpell
		time.Sleep(3 * time.Hour)
		calls := b.agent.made()
		var since time.Time
		spells := 0
		for i, c := range calls {
			switch {
			case c.on && since.IsZero():
				since = c.at
				if i > 0 && c.at.Sub(calls[i-1].at) < time.Second {
					t.Errorf("only %v without protection: ECS has no time to act", c.at.Sub(calls[i-1].at))
				}
			case !c.on:
				if d := c.at.Sub(since); d > spell+job {
					t.Errorf("a spell of %v, want at most %v", d, spell+job)
				}
				since = time.Time{}
				spells++
			}
		}
		if spells < 10 {
			t.Errorf("%d spells in 3 hours, want at least 10", spells)
		}
		if _, _, deleted := b.sqs.Count(queueURL); deleted < 3*60/3*4*3/4 {
			t.Errorf("only %d messages done: too much time is spent unprotected", deleted)
		}
		b.finish()
	})
}

// ECS may stop the task at any moment at which it is not protected. No long job is ever under way then, although
// messages keep arriving while protection is being dropped.
func TestNoLongWorkIsUnprotectedWhileProtectionIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, 3*time.Minute)
		b.Concurrency = 3
		b.agent.answer = func(context.Context, bool) error { time.Sleep(200 * time.Millisecond); return nil }
		working, watch := atomic.Int32{}, make(chan struct{})
		b.start(func(ctx context.Context, _ Message) error {
			working.Add(1)
			defer working.Add(-1)
			return sleep(ctx, 3*time.Minute)
		})
		go func() {
			for {
				select {
				case <-watch:
					return
				case <-time.After(50 * time.Millisecond):
					if n := working.Load(); n > 0 && !b.agent.protected() {
						t.Errorf("%d long jobs under way without protection", n)
					}
				}
			}
		}()
		// A message arrives a little earlier or later than protection is dropped, which is idleTime after the last.
		idle := min(longestIdle, b.withDefaults().ProtectionSpell/20)
		for offset := -500 * time.Millisecond; offset <= 500*time.Millisecond; offset += 20 * time.Millisecond {
			b.send(1)
			time.Sleep(3*time.Minute + 200*time.Millisecond + idle + offset)
		}
		time.Sleep(5 * time.Minute)
		close(watch)
		b.finish()
		b.expect(queueURL, 0, 0, 51)
	})
}

// Whatever a long poll brings when a spell ends, it is not begun without protection.
func TestWhatALongPollBringsAtTheEndOfASpellIsProtected(t *testing.T) {
	for offset := -300 * time.Millisecond; offset <= 300*time.Millisecond; offset += 25 * time.Millisecond {
		bubble(t, func(t *testing.T) {
			b := protected(t, 5*time.Minute)
			b.Concurrency = 2
			spell := b.withDefaults().ProtectionSpell
			b.send(1)
			var bare atomic.Int32
			b.start(func(ctx context.Context, m Message) error {
				if !b.agent.protected() {
					bare.Add(1)
				}
				if m.Body == "0" && m.ReceiveCount == 1 {
					return sleep(ctx, spell-almostAtOnce) // ends just after the gate has closed
				}
				return sleep(ctx, 3*time.Minute)
			})
			time.Sleep(spell + offset)
			b.sqs.Send(queueURL, sqstest.Message{Body: "late"})
			time.Sleep(10 * time.Minute)
			b.finish()
			b.expect(queueURL, 0, 0, 2)
			if n := bare.Load(); n != 0 {
				t.Errorf("offset %v: %d long jobs begun without protection", offset, n)
			}
		})
	}
}

func TestAMayLastThatPanicsIsNoHarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, 0)
		b.MayLast = func(Message) time.Duration { panic("no idea") }
		b.send(3)
		b.start((&record{}).sleeper(time.Second))
		time.Sleep(time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 3)
	})
}

func TestADrainDoesNotWaitForProtection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, time.Hour)
		b.agent.answer = func(ctx context.Context, _ bool) error { <-ctx.Done(); return ctx.Err() }
		b.send(1)
		var r record
		b.start(r.sleeper(time.Hour))
		time.Sleep(time.Second)
		if took := b.finish(); took > time.Second {
			t.Errorf("the drain took %v", took)
		}
		b.expect(queueURL, 1, 0, 0)
		if len(r.seen()) != 0 {
			t.Error("the message was begun")
		}
	})
}

func TestTheEffectOfALostCallIsPutRight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := protected(t, 5*time.Minute)
		b.Concurrency = 1
		var late atomic.Bool
		b.agent.answer = func(ctx context.Context, on bool) error {
			if on || late.Swap(true) {
				return nil
			}
			go func() { // the call to switch off seems to fail, but has its effect later
				time.Sleep(4 * time.Second)
				b.agent.mu.Lock()
				b.agent.on = false
				b.agent.mu.Unlock()
			}()
			<-ctx.Done()
			return ctx.Err()
		}
		b.send(1)
		b.start((&record{}).sleeper(5 * time.Minute))
		time.Sleep(5*time.Minute + longestIdle + time.Second) // switching off is under way
		b.send(1)
		time.Sleep(time.Minute)
		if !b.agent.protected() {
			t.Error("a late effect of an earlier call left long work unprotected")
		}
		b.finish()
	})
}

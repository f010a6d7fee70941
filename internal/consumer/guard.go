package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	protectionWait  = 2 * time.Second  // the first message of a spell waits so long for protection, at most
	protectionCall  = 2 * time.Second  // of one call to the agent
	protectionRetry = 30 * time.Second // after a refusal or failure
	doubtTime       = 30 * time.Second // for which a call that failed may still have its effect
	reassertAfter   = 5 * time.Second  // protection is asked for anew so often meanwhile
	dropAttempts    = 3
	longestIdle     = 10 * time.Second // protected without need, in case the next message needs it again
	longestGap      = 5 * time.Second  // unprotected between two spells, for ECS to act
)

// A guard keeps the task protected from scale-in while, and only while, the work in hand may last longer than a drain
// can wait. Its states:
//
//	off --(long work arrives)--> on --(no long work for a while)--> off
//	                             on --(the spell is used up)--> ending --(nothing in hand)--> off --(a gap)--> ...
//
// All calls to the agent are made by one goroutine, one after the other, and each follows from what is in hand when it
// is made. While protection is being dropped it counts as off, so a message that arrives then waits for it anew.
type guard struct {
	agent     protectionAPI
	gate      *gate
	drainTime time.Duration
	spell     time.Duration
	mayLast   func(Message) time.Duration
	news      *news
	log       *slog.Logger

	mu        sync.Mutex
	inHand    map[*delivery]work
	longest   time.Duration // measured, fading
	measured  bool
	on        bool      // protected, as far as we know
	ending    bool      // the gate is closed until nothing is in hand
	closed    time.Time // when it was
	began     time.Time // of the spell; zero: none
	needed    time.Time // when there was long work last
	doubt     bool      // the last call failed; it may have had its effect
	failed    time.Time // when a call failed last; its effect may come yet
	dropped   bool      // switched off since it was last switched on, or at least tried
	renewAt   time.Time
	retryAt   time.Time     // no call to switch it on before
	patience  time.Time     // until then messages wait for protection; zero: not decided in this spell
	until     time.Time     // when run decides again, unless it is woken
	changed   chan struct{} // closed at each change that those who wait want to know of
	wakeAgent chan struct{}
}

type work struct {
	since time.Time
	long  bool // may last longer than a drain can wait, as judged at its start
}

func newGuard(c Config, g *gate) *guard {
	return &guard{
		agent: c.Protection, gate: g, drainTime: c.drainTime(), spell: c.ProtectionSpell, mayLast: c.MayLast,
		news: newNews(c.Log, slog.LevelWarn, "protect the task from scale-in"), log: c.Log,
		inHand: make(map[*delivery]work), changed: make(chan struct{}), wakeAgent: make(chan struct{}, 1),
	}
}

func (g *guard) idleTime() time.Duration { return min(longestIdle, g.spell/20) }
func (g *guard) gap() time.Duration      { return min(longestGap, g.spell/20) }
func (g *guard) expiry() time.Duration   { return g.spell + 2*g.drainTime }

// enter notes that the work on a message is about to begin. If it may be long and the task is not protected yet, enter
// waits for that, at most 2 s and only once in a spell. It returns false when stop ended meanwhile.
func (g *guard) enter(stop context.Context, d *delivery) bool {
	if g.agent == nil {
		return true
	}
	w := work{since: time.Now(), long: g.mayBeLong(d.Message)}
	g.mu.Lock()
	g.inHand[d] = w
	if !w.long || g.on {
		sooner := w.since.Add(g.drainTime).Before(g.until)
		g.mu.Unlock()
		if sooner {
			g.wake()
		}
		return true
	}
	if g.patience.IsZero() {
		g.patience = w.since.Add(protectionWait)
		if w.since.Before(g.retryAt) {
			g.patience = w.since // refused a moment ago
		}
	}
	until := g.patience
	g.mu.Unlock()
	g.wake()
	if g.await(stop, until) {
		return true
	}
	g.leave(d)
	return false
}

// mayBeLong judges a message before its work begins. Where that cannot be done, it may be.
func (g *guard) mayBeLong(m Message) (long bool) {
	if g.mayLast != nil {
		defer func() {
			if v := recover(); v != nil {
				g.log.Error("Config.MayLast panicked", "message", m.ID, "panic", v)
				long = true
			}
		}()
		return g.mayLast(m) > g.drainTime
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.measured || g.longest > g.drainTime
}

// await waits until the task is protected, is refused protection, or it is late. It returns false when stop ended.
func (g *guard) await(stop context.Context, until time.Time) bool {
	left := time.Until(until)
	if left <= 0 {
		return stop.Err() == nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		g.mu.Lock()
		settled, changed := g.on || time.Now().Before(g.retryAt), g.changed
		g.mu.Unlock()
		if settled {
			return stop.Err() == nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return stop.Err() == nil
		case <-stop.Done():
			return false
		}
	}
}

// leave notes that the work on a message is over.
func (g *guard) leave(d *delivery) {
	if g.agent == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); !g.began.IsZero() && g.longWork(now) {
		g.needed = now
	}
	delete(g.inHand, d)
	if g.ending && len(g.inHand) == 0 {
		g.wake()
	}
}

// learn notes how long a message took. The longest fades by 1 % with each message that took less.
func (g *guard) learn(took time.Duration) {
	if g.agent == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.longest = max(took, g.longest-g.longest/100)
	g.measured = true
}

func (g *guard) wake() {
	select {
	case g.wakeAgent <- struct{}{}:
	default:
	}
}

// longWork tells whether something in hand may outlast a drain: it was judged so, or it has taken that long already.
// The caller holds mu.
func (g *guard) longWork(now time.Time) bool {
	for _, w := range g.inHand {
		if w.long || now.Sub(w.since) >= g.drainTime {
			return true
		}
	}
	return false
}

// A step is what the guard does next.
type step int

const (
	stepNothing step = iota
	stepProtect      // switch protection on, or renew it
	stepDrop         // switch it off
	stepEnd          // the spell is used up: take nothing new
	stepResume       // nothing is in hand any more: switch it off, leave a gap, go on
)

// decide returns what to do now. The caller holds mu.
func (g *guard) decide(now time.Time) step {
	long := g.longWork(now)
	if long {
		g.needed = now
	}
	switch {
	case g.ending && len(g.inHand) == 0 && !now.Before(g.quiet()):
		return stepResume
	case g.asks(now, long):
		return stepProtect
	case g.ending:
		return stepNothing
	case g.began.IsZero():
		if g.doubt && !g.dropped && !long {
			return stepDrop
		}
		return stepNothing
	case !now.Before(g.spellEnd()):
		return stepEnd
	case !long && !now.Before(g.idleEnd()):
		return stepDrop
	}
	return stepNothing
}

// asks tells whether protection is to be asked for now, anew or again.
func (g *guard) asks(now time.Time, long bool) bool {
	if g.on {
		return !now.Before(g.renewAt)
	}
	return long && !now.Before(g.retryAt)
}

// spellEnd is when the gate closes: a long poll that is under way then may still deliver.
func (g *guard) spellEnd() time.Time { return g.began.Add(g.spell - grace) }

// quiet is when a long poll that was under way when the gate closed has brought what it could.
func (g *guard) quiet() time.Time { return g.closed.Add(2 * grace) }

// idleEnd is when protection ends for want of long work.
func (g *guard) idleEnd() time.Time { return g.needed.Add(g.idleTime()) }

// next is when to decide again at the latest. The caller holds mu.
func (g *guard) next(now time.Time) time.Time {
	next := now.Add(time.Hour)
	for _, t := range []time.Time{g.retryAt, g.renewAt, g.spellEnd(), g.idleEnd(), g.quiet()} {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	for _, w := range g.inHand {
		if t := w.since.Add(g.drainTime); t.After(now) && t.Before(next) {
			next = t
		}
	}
	return next
}

// run does what is decided until ctx ends.
func (g *guard) run(ctx context.Context) {
	if g.agent == nil {
		return
	}
	for ctx.Err() == nil {
		g.mu.Lock()
		now := time.Now()
		next := g.decide(now)
		g.until = g.next(now)
		until := g.until
		if next == stepEnd {
			g.ending, g.closed = true, now
		}
		if next == stepDrop || next == stepResume {
			g.on, g.began = false, time.Time{} // from now on whoever needs it waits for it
			g.patience = time.Time{}
		}
		g.mu.Unlock()
		switch next {
		case stepProtect:
			g.protect(ctx)
		case stepDrop:
			_ = g.drop(ctx)
		case stepEnd:
			g.log.Info("protected for as long as allowed: finishing what is in hand before taking more")
			g.gate.close()
		case stepResume:
			g.resume(ctx)
		case stepNothing:
			g.idle(ctx, until)
		}
	}
}

func (g *guard) idle(ctx context.Context, until time.Time) {
	timer := time.NewTimer(max(time.Until(until), time.Millisecond))
	defer timer.Stop()
	select {
	case <-g.wakeAgent:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// protect switches protection on, or renews it.
func (g *guard) protect(ctx context.Context) {
	asked := time.Now()
	err := g.call(ctx, true)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropped = false
	if err != nil {
		g.on = false
		g.retryAt = time.Now().Add(min(protectionRetry, g.spell/20))
	} else {
		if g.began.IsZero() {
			g.began = asked
		}
		g.on = true
		g.renewAt = asked.Add(g.expiry() / 2)
		if !g.failed.IsZero() && asked.Sub(g.failed) < doubtTime {
			g.renewAt = asked.Add(reassertAfter)
		}
		g.needed = time.Now()
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// drop switches protection off.
func (g *guard) drop(ctx context.Context) error {
	var err error
	for range dropAttempts {
		if err = g.call(ctx, false); err == nil {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropped = true // or, after a few attempts in vain, left to expire
	return err
}

// resume ends a spell that was used up.
func (g *guard) resume(ctx context.Context) {
	if g.drop(ctx) == nil {
		_ = sleep(ctx, g.gap())
	}
	g.mu.Lock()
	g.ending = false
	g.mu.Unlock()
	g.gate.openUp()
}

// call makes one call to the agent. What it has to tell is logged when it changes.
func (g *guard) call(ctx context.Context, on bool) error {
	ctx, cancel := context.WithTimeout(ctx, protectionCall)
	defer cancel()
	err := g.agent.Protect(ctx, on, g.expiry())
	kind := "failed"
	blocked := errors.Is(err, ErrBlocked)
	if blocked {
		kind = "blocked"
	}
	g.mu.Lock()
	g.doubt = err != nil && !blocked
	if g.doubt {
		g.failed = time.Now()
	}
	g.mu.Unlock()
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		g.news.tellKind(kind, err)
	}
	return err
}

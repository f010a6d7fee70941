package consumer

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// When a lease is extended, as parts of the visibility timeout.
const (
	renewAfter   = 2.0 / 3         // of the lease is over: a third is left to try again
	renewJitter  = 1.0 / 15        // at most that much sooner, so that tasks that started together drift apart
	renewWindow  = 1.0 / 4         // what falls due within it is extended along with the first
	renewGap     = time.Second / 4 // between attempts at least
	visibleLimit = maxVisibility - 2*time.Second
)

// A lease is the time for which a message is ours. Its fields belong to the keeper.
type lease struct {
	deadline time.Time // the lease ends then, unless it is extended
	limit    time.Time // it cannot be extended beyond: SQS allows 12 h from the receive
	renewAt  time.Time // next attempt
	renewing int       // attempts under way
	over     bool      // no longer kept
}

// A keeper extends the leases of the messages in hand, as many as it can in one call, until they are released.
type keeper struct {
	timeout time.Duration // one lease
	// renew makes one call for at most ten messages; errors like a batcher's send.
	renew func(ctx context.Context, batch []*delivery, seconds []int32) (map[int]error, error)
	// lost is called once, without locks, for each lease that ended although it was kept.
	lost func(*delivery, error)

	mu    sync.Mutex
	quiet *sync.Cond // an attempt has ended
	held  crowd
	wake  time.Time     // when run wakes by itself
	nudge chan struct{} // wakes it sooner
}

func newKeeper(timeout time.Duration) *keeper {
	k := &keeper{timeout: timeout, nudge: make(chan struct{}, 1)}
	k.held.place = func(d *delivery) *int { return &d.held }
	k.quiet = sync.NewCond(&k.mu)
	return k
}

// hold starts to keep the leases of messages that have just been received, each since its own time.
func (k *keeper) hold(batch []*delivery) {
	k.mu.Lock()
	defer k.mu.Unlock()
	part := renewPart()
	for _, d := range batch {
		d.lease.limit = d.leasedAt.Add(visibleLimit)
		d.lease.extend(d.leasedAt, k.timeout, part)
		k.held.add(d)
		k.wakeBy(d.lease.renewAt)
	}
}

func renewPart() float64 { return renewAfter - rand.Float64()*renewJitter }

func (l *lease) extend(from time.Time, by time.Duration, part float64) {
	l.deadline = from.Add(by)
	l.renewAt = from.Add(time.Duration(part * float64(by)))
}

// wakeBy makes run wake at t at the latest. The caller holds mu.
func (k *keeper) wakeBy(t time.Time) {
	if !k.wake.IsZero() && !t.Before(k.wake) {
		return
	}
	k.wake = t
	select {
	case k.nudge <- struct{}{}:
	default:
	}
}

// release stops keeping the lease, and waits until no attempt to extend it is under way: what the caller does to the
// message's visibility next will not be undone by one. It returns false when the lease was lost before.
func (k *keeper) release(d *delivery) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for d.lease.renewing > 0 && !d.lease.over {
		k.quiet.Wait()
	}
	held := !d.lease.over
	d.lease.over = true
	k.held.remove(d)
	return held
}

// forget stops keeping the lease of a message that is gone.
func (k *keeper) forget(d *delivery) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d.lease.over = true
	k.held.remove(d)
}

// run keeps leases until ctx ends.
func (k *keeper) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		left := k.untilWake()
		if left <= 0 {
			k.round(ctx)
			continue
		}
		timer.Reset(left)
		select {
		case <-timer.C:
		case <-k.nudge:
		case <-ctx.Done():
		}
	}
}

// untilWake is how long there is nothing to do, unless something new comes.
func (k *keeper) untilWake() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wake.IsZero() {
		return time.Hour
	}
	return time.Until(k.wake)
}

// round extends what is due, and gives up what is past its deadline.
func (k *keeper) round(ctx context.Context) {
	now := time.Now()
	k.mu.Lock()
	lost := k.expired(now)
	due := k.due(now)
	for batch := range slices.Chunk(due, batchSize) {
		for _, d := range batch {
			d.lease.renewing++
			// If this attempt brings nothing, another follows when half of what is left is over.
			d.lease.renewAt = now.Add(max(d.lease.deadline.Sub(now)/2, renewGap))
		}
		go k.attempt(ctx, slices.Clone(batch), now)
	}
	k.wake = time.Time{}
	for _, d := range k.held.all {
		if t := d.lease.nextEvent(); k.wake.IsZero() || t.Before(k.wake) {
			k.wake = t
		}
	}
	k.mu.Unlock()
	for _, d := range lost {
		k.lost(d, fmt.Errorf("%w: not extended before %v", ErrLeaseLost, d.lease.deadline.Format(time.RFC3339Nano)))
	}
}

// nextEvent is when the keeper must look at the lease again.
func (l *lease) nextEvent() time.Time {
	if l.renewAt.Before(l.deadline) && l.extensible() {
		return l.renewAt
	}
	return l.deadline
}

// extensible tells whether SQS would let the lease last at least a second longer.
func (l *lease) extensible() bool { return l.limit.Sub(l.deadline) >= time.Second }

// expired takes out the leases that have ended. The caller holds mu.
func (k *keeper) expired(now time.Time) (lost []*delivery) {
	for _, d := range k.held.all {
		if !now.Before(d.lease.deadline) {
			lost = append(lost, d)
		}
	}
	for _, d := range lost {
		d.lease.over = true
		k.held.remove(d)
	}
	if len(lost) > 0 {
		k.quiet.Broadcast()
	}
	return lost
}

// due lists the leases to extend now: none unless one has to be; then also those that would follow soon; and a last
// call that has room is filled up with the next, because that costs nothing and saves a call later. The caller holds
// mu.
func (k *keeper) due(now time.Time) []*delivery {
	var candidates []*delivery
	for _, d := range k.held.all {
		if d.lease.extensible() && (d.lease.renewing == 0 || !now.Before(d.lease.renewAt)) {
			candidates = append(candidates, d)
		}
	}
	slices.SortFunc(candidates, func(a, b *delivery) int {
		return cmp.Or(a.lease.renewAt.Compare(b.lease.renewAt), cmp.Compare(a.ID, b.ID))
	})
	if len(candidates) == 0 || candidates[0].lease.renewAt.After(now) {
		return nil
	}
	soon := now.Add(time.Duration(renewWindow * float64(k.timeout)))
	n := 0
	for n < len(candidates) && !candidates[n].lease.renewAt.After(soon) {
		n++
	}
	n = (n + batchSize - 1) / batchSize * batchSize
	return candidates[:min(n, len(candidates))]
}

// attempt makes one call to extend a batch of leases and notes what came of it.
func (k *keeper) attempt(ctx context.Context, batch []*delivery, now time.Time) {
	seconds := make([]int32, len(batch))
	latest := now
	k.mu.Lock()
	for i, d := range batch {
		seconds[i] = int32(min(k.timeout, d.lease.limit.Sub(now)) / time.Second)
		if d.lease.deadline.After(latest) {
			latest = d.lease.deadline
		}
	}
	k.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, latest)
	failed, err := k.renew(ctx, batch, seconds)
	cancel()

	part := renewPart()
	var lost []*delivery
	reasons := make(map[*delivery]error)
	k.mu.Lock()
	for i, d := range batch {
		l := &d.lease
		l.renewing--
		if l.over {
			continue
		}
		reason := err
		if err == nil {
			reason = failed[i]
		}
		switch {
		case reason == nil:
			l.extend(now, time.Duration(seconds[i])*time.Second, part)
		case refused(reason):
			l.over = true
			k.held.remove(d)
			lost, reasons[d] = append(lost, d), reason
		default:
			if soon := time.Now().Add(renewGap); soon.Before(l.renewAt) {
				l.renewAt = soon
			}
		}
		k.wakeBy(l.nextEvent())
	}
	k.quiet.Broadcast()
	k.mu.Unlock()
	for _, d := range lost {
		k.lost(d, fmt.Errorf("%w: %w", ErrLeaseLost, reasons[d]))
	}
}

// leasedSince estimates when the lease of a message began that was asked for and received at those times. The answer
// may have been on its way for long, so the time that the queue noted counts, where it is of this receive.
func leasedSince(raw types.Message, receiveCount int, asked, received time.Time, timeout time.Duration) time.Time {
	earliest := received.Add(-timeout / 2)
	if asked.After(earliest) {
		earliest = asked
	}
	if receiveCount > 1 {
		return earliest
	}
	noted := milliseconds(raw.Attributes[string(types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp)])
	switch {
	case noted.IsZero(), noted.After(received):
		return received
	case noted.Before(earliest):
		return earliest
	}
	return noted
}

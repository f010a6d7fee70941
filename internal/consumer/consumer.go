package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// grace is how long a long poll that is under way may still deliver once nothing more is wanted.
const grace = 100 * time.Millisecond

// lastMetrics is how long the end of a drain waits for CloudWatch.
const lastMetrics = 2 * time.Second

// Run works on the messages of the queue until ctx ends, then drains and returns nil. It returns an error only for a
// configuration that cannot work; whatever fails later is logged and tried again.
//
// A drain receives nothing more, lets handlers finish for StopTimeout less a margin, then ends their context and gives
// back what they leave; it returns when deletes and metrics are sent. The process should then exit.
func Run(ctx context.Context, c Config, h Handler) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("consumer configuration: %w", err)
	}
	if h == nil {
		return errors.New("consumer configuration: no handler given")
	}
	r := newRunner(c.withDefaults(), h)
	r.start()
	<-ctx.Done()
	r.drain()
	return nil
}

// A runner is one call of Run.
type runner struct {
	Config
	handle Handler
	fifo   bool

	slots   *slots
	gate    *gate
	leases  *keeper
	deletes *batcher
	changes *batcher // of visibility: messages that go back
	guard   *guard
	meter   *meter
	groups  *groups
	self    *taskOnce
	pulse   *pulse

	receiving *news
	renewing  *news
	setting   *news

	stop     context.Context // ends when the drain begins
	stopping context.CancelFunc
	work     context.Context // of handlers; ends when the drain cannot wait any longer
	cut      context.CancelCauseFunc
	base     context.Context // of what serves the messages in hand; ends last
	end      context.CancelFunc

	pollers  sync.WaitGroup
	pool     pool
	inHand   sync.WaitGroup // deliveries whose fate is not sealed yet
	services sync.WaitGroup
	// publish sends metrics until base ends, then the last within lastCall.
	publish  *publisher
	lastCall context.Context
	cutLast  context.CancelFunc

	mu      sync.Mutex
	current crowd // those that a handler works on
	health  net.Listener
}

func newRunner(c Config, h Handler) *runner {
	r := &runner{
		Config: c, handle: h, fifo: fifo(c.QueueURL),
		slots:   newSlots(c.Concurrency),
		meter:   newMeter(c.AcceptableDelay),
		groups:  newGroups(),
		current: crowd{place: func(d *delivery) *int { return &d.atWork }},

		receiving: newNews(c.Log, slog.LevelError, "receive messages"),
		renewing:  newNews(c.Log, slog.LevelWarn, "extend leases"),
		setting:   newNews(c.Log, slog.LevelError, "set messages aside"),
	}
	r.stop, r.stopping = context.WithCancel(context.Background())
	r.work, r.cut = context.WithCancelCause(context.Background())
	r.base, r.end = context.WithCancel(context.Background())
	r.lastCall, r.cutLast = context.WithCancel(context.Background())

	r.gate = newGate(r.stop)
	r.pool = newPool(c.Concurrency)
	r.leases = newKeeper(c.VisibilityTimeout)
	r.leases.renew = r.renewLeases
	r.leases.lost = r.leaseLost
	calls := max(r.pool.size-1, 2) // as many as there are receives: no more is done than they bring
	r.deletes = newBatcher(calls, r.sendDeletes, newNews(c.Log, slog.LevelWarn, "delete messages").tell)
	r.changes = newBatcher(calls, r.sendChanges, newNews(c.Log, slog.LevelWarn, "give messages back").tell)
	r.guard = newGuard(c, r.gate)
	r.self = newTaskOnce(c)
	r.pulse = &pulse{since: make(map[int]time.Time)}
	if c.CloudWatch != nil {
		r.publish = newPublisher(c, r.meter)
	}
	return r
}

// start starts everything; receiving first, because that is what people wait for.
func (r *runner) start() {
	r.pulse.count(r.pool.size)
	for i := range r.pool.size {
		r.pollers.Go(func() {
			defer r.pulse.count(-1)
			r.poll(i)
		})
	}
	r.services.Go(func() { r.leases.run(r.base) })
	r.services.Go(func() { r.guard.run(r.base) })
	if r.publish != nil {
		r.services.Go(func() { r.publish.run(r.base, r.lastCall) })
	}
	r.serveHealth()
	r.Log.Info("started", "queue", r.QueueURL, "concurrency", r.Concurrency, "version", r.Version)
}

// drain ends what start started, in the order in which nothing is lost.
func (r *runner) drain() {
	began := time.Now()
	r.Log.Info("stopping: receiving nothing more", "in hand", r.working())
	r.deletes.rush()
	r.changes.rush()
	r.stopping()
	r.pollers.Wait()

	handled := make(chan struct{})
	go func() { r.inHand.Wait(); close(handled) }()
	if !r.waitFor(handled, began.Add(r.drainTime())) {
		r.Log.Warn("stopping: the time is up, handlers are told to end", "in hand", r.working())
		r.cut(fmt.Errorf("%w: a job in hand took longer than the %v that a drain can wait", ErrStopping, r.drainTime()))
		if !r.waitFor(handled, began.Add(r.drainTime()+r.margin()/2)) {
			r.abandonHandlers()
		}
		if !r.waitFor(handled, began.Add(r.drainTime()+r.margin())) {
			r.Log.Error("stopping: some messages could not be given back or deleted; they come back by themselves")
		}
	}
	r.deletes.close()
	r.changes.close()
	r.waitFor(handled, time.Now().Add(grace)) // for those that had to be given up to be told
	limit := time.AfterFunc(min(lastMetrics, time.Until(began.Add(r.StopTimeout-r.margin()/2))), r.cutLast)
	r.end()
	r.closeHealth()
	r.services.Wait()
	limit.Stop()
	r.cutLast()
	r.Log.Info("stopped", "after", time.Since(began))
}

func (r *runner) waitFor(done <-chan struct{}, until time.Time) bool {
	timer := time.NewTimer(max(time.Until(until), time.Millisecond))
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// abandonHandlers gives back the messages of handlers that do not end although they were told to.
func (r *runner) abandonHandlers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.current.all {
		if d.seal() {
			r.Log.Error("the handler does not heed its context; its message is given back", "message", d.ID)
			go r.putBack(d, 0)
		}
	}
}

// leaseLost ends the work on a message that is not ours any more.
func (r *runner) leaseLost(d *delivery, cause error) {
	r.Log.Warn("lease lost: the message may be with another worker", "message", d.ID, "error", cause)
	d.cancel(cause)
	if _, is := canaryOf(d.Message); !is {
		r.meter.leaseLost()
	}
}

// giveBack makes messages visible again at once, last first, so that what a FIFO queue delivered last is back before
// what has to come before it can be received again. It returns when that is done or has failed for good.
func (r *runner) giveBack(rest []*delivery) {
	var wait sync.WaitGroup
	for i := len(rest) - 1; i >= 0; i-- {
		if d := rest[i]; d.seal() {
			wait.Add(1)
			r.change(d, 0, wait.Done)
		}
	}
	wait.Wait()
}

// putBack makes one message visible again after a pause, and returns when that is done or has failed for good.
func (r *runner) putBack(d *delivery, pause time.Duration) {
	done := make(chan struct{})
	r.change(d, pause, func() { close(done) })
	<-done
}

// change ends the delivery by a change of its visibility.
func (r *runner) change(d *delivery, pause time.Duration, then func()) {
	end := func(err error) {
		if err != nil {
			r.Log.Warn("the message could not be given back; it comes back by itself", "message", d.ID, "error", err)
		}
		r.inHand.Done()
		then()
	}
	if !r.leases.release(d) {
		end(nil) // it is back already
		return
	}
	r.changes.add(&entry{delivery: d, visibility: wholeSeconds(pause), done: end})
}

// delete ends the delivery of a finished message. The lease is kept until the message is gone. deleted, where it is not
// nil, gets what came of it.
func (r *runner) delete(d *delivery, deleted chan<- error) {
	r.deletes.add(&entry{delivery: d, done: func(err error) {
		r.leases.forget(d)
		if err != nil {
			r.Log.Error("a finished message could not be deleted; it may be done again", "message", d.ID, "error", err)
		}
		if deleted != nil {
			deleted <- err
		}
		r.inHand.Done()
	}})
}

// A delivery is a message in hand.
type delivery struct {
	Message
	raw      types.Message
	leasedAt time.Time
	lease    lease
	held     int // place in the keeper's crowd
	atWork   int // place in the runner's crowd

	ctx    context.Context
	cancel context.CancelCauseFunc

	sealed atomic.Bool
}

// seal decides who decides on the message's fate: the first who asks.
func (d *delivery) seal() bool { return d.sealed.CompareAndSwap(false, true) }

// A crowd is a set of deliveries that costs next to nothing: each knows its place in it.
type crowd struct {
	all   []*delivery
	place func(*delivery) *int
}

func (c *crowd) add(d *delivery) {
	*c.place(d) = len(c.all)
	c.all = append(c.all, d)
}

func (c *crowd) has(d *delivery) bool {
	i := *c.place(d)
	return i < len(c.all) && c.all[i] == d
}

func (c *crowd) remove(d *delivery) {
	if !c.has(d) {
		return
	}
	i, last := *c.place(d), len(c.all)-1
	c.all[i] = c.all[last]
	*c.place(c.all[i]) = i
	c.all[last] = nil
	c.all = c.all[:last]
}

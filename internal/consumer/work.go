package consumer

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// accept takes messages that have just been received in hand, and sets the work on them going.
func (r *runner) accept(batch []*delivery) {
	if len(batch) == 0 {
		return
	}
	r.inHand.Add(len(batch))
	r.leases.hold(batch)
	if r.fifo {
		for _, s := range sequences(batch) {
			go r.workInOrder(s)
		}
		return
	}
	for _, d := range batch {
		go r.workOn(d, func(o outcome) {
			r.settle(d, o, nil)
			r.slots.put(1)
		})
	}
}

// An outcome is what the work on a message came to.
type outcome struct {
	fate  fate
	pause time.Duration // before a retry
}

// workOn does everything to a message that comes before its end, and tells then, once, which end that is. A message
// that was set aside is told as one to delete. A handler may end the goroutine; then is called nevertheless.
func (r *runner) workOn(d *delivery, then func(outcome)) {
	switch {
	case r.stop.Err() != nil:
		then(outcome{fate: fateGiveBack})
		return
	case d.ctx.Err() != nil:
		then(outcome{fate: fateAbandon}) // its lease was lost while it waited for its turn
		return
	}
	if c, is := canaryOf(d.Message); is {
		r.answer(d, c, then)
		return
	}
	if !r.guard.enter(r.stop, d) {
		then(outcome{fate: fateGiveBack}) // the drain began while protection was awaited
		return
	}
	begin := r.begin(d)
	safely(d.ctx, r.handle, d.Message, func(err error) {
		r.ended(d, begin, err)
		o := r.conclude(d, err)
		r.guard.leave(d)
		then(o)
	})
}

// begin notes that the handler is about to work on a message: for the metrics, and for a drain that cannot wait.
func (r *runner) begin(d *delivery) time.Time {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current.add(d)
	r.meter.begin(d.Message, now, len(r.current.all))
	return now
}

// ended notes that it has. A job that was cut short, or rejected, says nothing about how long jobs take.
func (r *runner) ended(d *delivery, begin time.Time, err error) {
	now := time.Now()
	took := now.Sub(begin)
	whole := d.ctx.Err() == nil && !rejected(err)
	r.mu.Lock()
	r.current.remove(d)
	r.meter.end(now, took, whole, len(r.current.all))
	r.mu.Unlock()
	if whole {
		r.guard.learn(took)
	}
}

// safely runs a handler and tells what it returned. A panic is an error, and so is the end of the goroutine.
func safely(ctx context.Context, h Handler, m Message, then func(error)) {
	returned := false
	defer func() {
		if !returned {
			then(&panicError{value: recover(), stack: debug.Stack()})
		}
	}()
	err := h(ctx, m)
	returned = true
	then(err)
}

func (r *runner) working() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.current.all)
}

// conclude judges a handler's result, counts it, and sets aside what is to be set aside.
func (r *runner) conclude(d *delivery, err error) outcome {
	switch f := judge(err, context.Cause(d.ctx)); f {
	case fateDelete, fateGiveBack:
		return outcome{fate: f}
	case fateAbandon:
		r.Log.Warn("a result came after the lease was lost; it does not count", "message", d.ID, "error", err)
		return outcome{fate: f}
	case fateSetAside:
		if r.setAside(d, err.Error()) {
			return outcome{fate: fateDelete}
		}
	case fateRetry:
	}
	r.meter.failed()
	pause := pauseAfter(err, d.ReceiveCount)
	arguments := []any{"message", d.ID, "delivery", d.ReceiveCount, "again after", pause, "error", err}
	var p *panicError
	if errors.As(err, &p) {
		arguments = append(arguments, "stack", string(p.stack))
	}
	r.Log.Warn("message failed", arguments...)
	return outcome{fate: fateRetry, pause: pause}
}

// settle does what the outcome demands. If the message is to be deleted, deleted, where it is not nil, is told what
// came of that; settle returns whether it will be.
func (r *runner) settle(d *delivery, o outcome, deleted chan<- error) bool {
	d.cancel(context.Canceled)
	if !d.seal() {
		return false // decided meanwhile by a drain that could not wait
	}
	switch o.fate {
	case fateDelete, fateSetAside:
		r.delete(d, deleted)
		return true
	case fateRetry, fateGiveBack:
		r.change(d, o.pause, func() {})
	case fateAbandon:
		r.leases.forget(d)
		r.inHand.Done()
	}
	return false
}

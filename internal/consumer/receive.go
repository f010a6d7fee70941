package consumer

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

const (
	longPoll      = 20 * time.Second // SQS's longest
	receiveMargin = 10 * time.Second // for the answer of a long poll to arrive
	lastBackoff   = 20 * time.Second // between receives that fail
)

// A pool says how many pollers there are and which of them rest. One always polls. Another is woken by each receive
// that brought something, and rests again after one that brought nothing.
type pool struct {
	size int
	mu   *sync.Mutex
	up   *int
	wake chan struct{}
}

// newPool makes a pool of as many pollers as can ask for full batches at once, and one that waits for the next ten
// slots meanwhile.
func newPool(concurrency int) pool {
	size := min(concurrency/batchSize+1, 20)
	up := size
	return pool{size: size, mu: new(sync.Mutex), up: &up, wake: make(chan struct{}, 1)}
}

// brought is told how many messages a receive brought; it returns false when its poller should rest.
func (p *pool) brought(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n == 0 {
		if *p.up > 1 {
			*p.up--
			return false
		}
		return true
	}
	if *p.up < p.size {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// rest waits until the poller is needed again; false when ctx ended.
func (p *pool) rest(ctx context.Context) bool {
	select {
	case <-p.wake:
		p.mu.Lock()
		*p.up++
		p.mu.Unlock()
		return true
	case <-ctx.Done():
		return false
	}
}

// A gate lets pollers receive, or not.
type gate struct {
	stop context.Context

	mu     sync.Mutex
	open   context.Context // while the gate is open; ends when it closes
	shut   context.CancelFunc
	opened chan struct{} // closed when the gate opens
}

func newGate(stop context.Context) *gate {
	g := &gate{stop: stop, opened: make(chan struct{})}
	g.openUp()
	return g
}

func (g *gate) openUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.shut = context.WithCancel(g.stop)
	close(g.opened)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut()
	g.opened = make(chan struct{})
}

// pass waits until the gate is open and returns a context for as long as it is. The error says that it never will be.
func (g *gate) pass() (context.Context, error) {
	for {
		g.mu.Lock()
		open, opened := g.open, g.opened
		g.mu.Unlock()
		if open.Err() == nil {
			return open, nil
		}
		select {
		case <-opened:
		case <-g.stop.Done():
			return nil, g.stop.Err()
		}
	}
}

// poll receives messages and sets the work on them going, until the drain begins.
func (r *runner) poll(me int) {
	failures := 0
	attemptID := newID()
	for {
		open, err := r.gate.pass()
		if err != nil {
			return
		}
		n := r.slots.take(open, batchSize)
		if n == 0 {
			continue // the gate has closed
		}
		if open.Err() != nil {
			r.slots.answered(n)
			continue
		}
		r.pulse.begin(me)
		batch, err := r.receive(open, n, attemptID)
		r.pulse.end(me)
		r.slots.answered(n - len(batch))
		switch {
		case err == nil:
			failures, attemptID = 0, newID()
			r.receiving.tell(nil)
			r.accept(batch)
			if !r.pool.brought(len(batch)) && !r.pool.rest(r.stop) {
				return
			}
		case open.Err() == nil:
			failures++
			r.receiving.tell(err)
			_ = sleep(open, jitter(exponential(firstRetry, lastBackoff, failures), 0.5))
		}
	}
}

// receive asks the queue for up to n messages. When open ends meanwhile, a call under way has a little time left.
func (r *runner) receive(open context.Context, n int, attemptID *string) ([]*delivery, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(open), longPoll+receiveMargin)
	defer cancel()
	disarm := context.AfterFunc(open, func() {
		_ = sleep(ctx, grace)
		cancel()
	})
	defer disarm()

	asked := time.Now()
	input := &sqs.ReceiveMessageInput{
		QueueUrl:                    &r.QueueURL,
		MaxNumberOfMessages:         int32(n),
		WaitTimeSeconds:             int32(longPoll / time.Second),
		VisibilityTimeout:           int32(r.VisibilityTimeout / time.Second),
		MessageSystemAttributeNames: systemAttributes,
		MessageAttributeNames:       allAttributes,
	}
	if r.fifo {
		input.ReceiveRequestAttemptId = attemptID
	}
	output, err := r.SQS.ReceiveMessage(ctx, input)
	if err != nil {
		return nil, err
	}
	received := time.Now()
	batch := make([]*delivery, len(output.Messages))
	for i, raw := range output.Messages {
		d := &delivery{Message: newMessage(raw, received), raw: raw}
		d.leasedAt = leasedSince(raw, d.ReceiveCount, asked, received, r.VisibilityTimeout)
		d.ctx, d.cancel = context.WithCancelCause(r.work)
		batch[i] = d
	}
	return batch, nil
}

// newID names a receive, so that a FIFO queue answers its repetition with the same messages.
func newID() *string {
	id := rand.Text()
	return &id
}

// allAttributes asks for every message attribute of a message.
var allAttributes = []string{"All"}

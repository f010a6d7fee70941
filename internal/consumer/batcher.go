package consumer

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

const (
	batchSize    = 10                     // entries of one call, SQS's limit
	batchBacklog = 10 * batchSize         // entries waiting before add makes its caller wait
	callTimeout  = 10 * time.Second       // of any call to the queue that is not a long poll
	firstRetry   = 100 * time.Millisecond // of calls and entries that failed
	lastRetry    = 5 * time.Second

	// A batch that is not full lingers while entries come so fast that it is worth it: so many within that time.
	dense       = batchSize
	denseTime   = 50 * time.Millisecond
	longLinger  = 20 * time.Millisecond
	shortLinger = time.Millisecond
)

var errGivenUp = errors.New("there is no time left to try again")

// An entry is one message of a batch: something to be done to it, and whom to tell.
type entry struct {
	*delivery
	visibility int32       // of a change of visibility
	done       func(error) // called once; nil: it is done
	attempt    int
}

// A batcher sends entries to the queue in batches, as group commits: an entry goes out at once when no call is under
// way, and what comes meanwhile goes together with the next. A full batch does not wait for the call under way. An
// entry that failed is tried again, alone or with others that wait then, until it is done, refused, or given up.
//
// Under load a batch that is not full lingers a little. That costs: what waits here when the process is killed is
// done twice. So it lingers longer than a millisecond only while that is at most 1 % of all that was done so far.
type batcher struct {
	// send makes one call. It returns an error for the whole call, or one for each entry that failed.
	send func(context.Context, []*entry) (map[int]error, error)
	// most is how many calls may be under way at once.
	most int
	// said is told about each whole call that failed, with nil for success.
	said func(error)

	ctx    context.Context // ends when there is no time left
	giveUp context.CancelFunc

	mu      sync.Mutex
	room    *sync.Cond // there may be room for another entry
	waiting []*entry
	delayed int // entries waiting for another attempt
	calls   int // under way, or about to be
	total   int // entries done
	hurry   bool
	closed  bool

	lingering bool
	full      chan struct{}    // ends lingering
	recent    [dense]time.Time // arrival of the latest entries, a ring
	next      int
}

func newBatcher(
	most int, send func(context.Context, []*entry) (map[int]error, error), said func(error),
) *batcher {
	b := &batcher{most: most, send: send, said: said, full: make(chan struct{}, 1)}
	b.room = sync.NewCond(&b.mu)
	b.ctx, b.giveUp = context.WithCancel(context.Background())
	return b
}

// add hands an entry over. It waits only while too many wait already.
func (b *batcher) add(e *entry) {
	b.mu.Lock()
	for len(b.waiting)+b.delayed >= batchBacklog && !b.closed {
		b.room.Wait()
	}
	b.recent[b.next] = time.Now()
	b.next = (b.next + 1) % dense
	b.push(e)
	b.mu.Unlock()
}

// push queues an entry and starts a call if there is reason to. The caller holds mu.
func (b *batcher) push(e *entry) {
	if b.closed {
		go e.done(errGivenUp) // not here: mu is held
		return
	}
	b.waiting = append(b.waiting, e)
	isFull := len(b.waiting) >= batchSize
	switch {
	case isFull && b.lingering:
		b.lingering = false
		b.full <- struct{}{}
	case b.calls == 0, isFull && b.calls < b.most:
		b.calls++
		go b.flush()
	}
}

// flush sends batches until nothing waits.
func (b *batcher) flush() {
	for {
		b.linger()
		b.mu.Lock()
		n := min(len(b.waiting), batchSize)
		// One call after the other is enough for what does not fill a batch.
		if n == 0 || n < batchSize && b.calls > 1 {
			b.calls--
			b.mu.Unlock()
			return
		}
		batch := append([]*entry(nil), b.waiting[:n]...)
		b.waiting = append(b.waiting[:0], b.waiting[n:]...)
		b.room.Broadcast()
		b.mu.Unlock()
		b.call(batch)
	}
}

// linger waits for a batch to fill, if that is worth it.
func (b *batcher) linger() {
	b.mu.Lock()
	if n := len(b.waiting); n == 0 || n >= batchSize || b.hurry || b.lingering {
		b.mu.Unlock()
		return
	}
	if time.Since(b.recent[b.next]) > denseTime {
		b.mu.Unlock()
		runtime.Gosched() // let those finish that are about to
		return
	}
	b.lingering = true
	wait := shortLinger
	if b.total >= 100*batchSize {
		wait = longLinger
	}
	b.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-b.full:
		return
	case <-timer.C:
	case <-b.ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lingering { // push was faster than the timer
		<-b.full
	}
	b.lingering = false
}

// call sends one batch and passes on what became of each entry.
func (b *batcher) call(batch []*entry) {
	ctx, cancel := context.WithTimeout(b.ctx, callTimeout)
	failed, err := b.send(ctx, batch)
	cancel()
	b.said(err)
	var again []*entry
	done := 0
	for i, e := range batch {
		reason := err
		if err == nil {
			reason = failed[i]
		}
		switch {
		case reason == nil:
			done++
			e.done(nil)
		case refused(reason):
			e.done(reason)
		default:
			e.attempt++
			again = append(again, e)
		}
	}
	b.mu.Lock()
	b.total += done
	b.delayed += len(again)
	b.mu.Unlock()
	if len(again) == 0 {
		return
	}
	pause := time.NewTimer(jitter(exponential(firstRetry, lastRetry, again[0].attempt), 0.5))
	go func() {
		select {
		case <-pause.C:
		case <-b.ctx.Done():
		}
		b.retry(again)
	}()
}

func (b *batcher) retry(again []*entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delayed -= len(again)
	for _, e := range again {
		b.push(e)
	}
}

// rush makes everything go out without lingering from now on.
func (b *batcher) rush() {
	b.mu.Lock()
	b.hurry = true
	b.mu.Unlock()
}

// close gives up what has not been sent: each entry is told so.
func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	rest := b.waiting
	b.waiting = nil
	b.room.Broadcast()
	b.mu.Unlock()
	b.giveUp()
	for _, e := range rest {
		e.done(errGivenUp)
	}
}

// refused tells whether SQS will never accept the entry: its receipt handle is no longer good.
func refused(err error) bool {
	if errors.Is(err, errGivenUp) {
		return true
	}
	var e *entryError
	if !errors.As(err, &e) || !e.sender {
		return false
	}
	switch e.code {
	case "ReceiptHandleIsInvalid", "InvalidParameterValue", "InvalidIdFormat",
		"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight":
		return true
	}
	return false
}

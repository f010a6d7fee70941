package consumer

import (
	"context"
	"sync"
	"time"
)

// patience is how long a receive waits for more free slots once it has at least one, so that calls are well filled.
const patience = 20 * time.Millisecond

// slots bounds what is in hand. A poller takes as many as it asks the queue for, before it asks, and puts back those
// for which no message came; a message puts its own back when it is finished. So messages in hand plus messages asked
// for are never more than there are slots.
type slots struct {
	turn  chan struct{} // held by the one poller that is taking
	freed chan struct{} // tells it that what it waits for may be there

	mu     sync.Mutex
	size   int
	free   int
	wanted int // free slots about which freed is told
}

func newSlots(size int) *slots {
	return &slots{turn: make(chan struct{}, 1), freed: make(chan struct{}, 1), size: size, free: size}
}

// take waits until there is a free slot, then at most for patience until there are as many as most, and takes what
// is there. It returns 0 when ctx ends first.
func (s *slots) take(ctx context.Context, most int) int {
	most = min(most, s.size)
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return 0
	}
	if n := s.grab(most, most); n > 0 {
		return n
	}
	if !s.await(ctx, 1, nil) {
		return 0
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	if !s.await(ctx, most, timer.C) {
		return 0
	}
	return s.grab(1, most)
}

// grab takes up to most slots, unless fewer than least are free.
func (s *slots) grab(least, most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free < least {
		return 0
	}
	n := min(s.free, most)
	s.free -= n
	return n
}

// await waits until n slots are free or late fires. It returns false when ctx ended first.
func (s *slots) await(ctx context.Context, n int, late <-chan time.Time) bool {
	for {
		s.mu.Lock()
		enough := s.free >= n
		s.wanted = n
		s.mu.Unlock()
		if ctx.Err() != nil {
			return false
		}
		if enough {
			return true
		}
		select {
		case <-s.freed:
		case <-late:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// put makes n slots free.
func (s *slots) put(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	s.free += n
	tell := s.free >= s.wanted
	s.mu.Unlock()
	if tell {
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}
}

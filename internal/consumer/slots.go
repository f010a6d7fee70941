package consumer

import (
	"context"
	"sync"
	"time"
)

// patience is how long a receive waits for more free slots once it has at least one, so that calls are well filled.
const patience = 20 * time.Millisecond

// slots bounds what is in hand. A poller takes as many as it asks the queue for, before it asks, and gives back those
// for which no message came; a message gives its own back when it is finished. So messages in hand plus messages asked
// for are never more than there are slots.
type slots struct {
	turn  chan struct{} // held by the one poller that is taking
	freed chan struct{} // tells it that what it waits for may be there

	mu     sync.Mutex
	size   int
	free   int
	asking int // receives under way
	wanted int // free slots about which freed is told
}

func newSlots(size int) *slots {
	return &slots{turn: make(chan struct{}, 1), freed: make(chan struct{}, 1), size: size, free: size}
}

// take waits until as many slots are free as most, or, after patience, until any is and no other receive is under way:
// that one would bring what there is just as well, so a small one beside it would only be one call more. It takes what
// is there; the receive that follows must end with answered. It returns 0 when ctx ends first.
func (s *slots) take(ctx context.Context, most int) int {
	most = min(most, s.size)
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return 0
	}
	var patient *time.Timer
	var late <-chan time.Time
	least := most
	for ctx.Err() == nil {
		n, some := s.grab(least, most)
		if n > 0 {
			return n
		}
		if some && patient == nil {
			patient = time.NewTimer(patience)
			defer patient.Stop()
			late = patient.C
		}
		select {
		case <-s.freed:
		case <-late:
			least = 1
		case <-ctx.Done():
		}
	}
	return 0
}

// grab takes up to most slots if at least that many are free, or at least least while no receive is under way. It also
// tells whether any is free.
func (s *slots) grab(least, most int) (n int, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free < most && (s.free < least || s.asking > 0) {
		s.wanted = least
		if s.free == 0 {
			s.wanted = 1 // patience begins
		}
		return 0, s.free > 0
	}
	n = min(s.free, most)
	s.free -= n
	s.asking++
	return n, true
}

// answered ends a receive; unused are the slots for which no message came.
func (s *slots) answered(unused int) {
	s.mu.Lock()
	s.asking--
	s.free += unused
	s.mu.Unlock()
	s.tell()
}

// put gives back the slots of n messages that are finished.
func (s *slots) put(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	s.free += n
	tell := s.free >= s.wanted
	s.mu.Unlock()
	if tell {
		s.tell()
	}
}

func (s *slots) tell() {
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

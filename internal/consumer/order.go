package consumer

import (
	"context"
	"sync"
)

// A sequence is what one receive brought of one group of a FIFO queue, in order. The queue delivers no more of the
// group until all of it is deleted or visible again; so a sequence is the group, as far as anybody may work on it.
type sequence struct {
	group string

	mu      sync.Mutex
	waiting []*delivery

	back sync.Mutex // held while what waits is given back
}

// sequences sorts a batch by group. A message without a group, which a FIFO queue does not have, is one of its own.
func sequences(batch []*delivery) []*sequence {
	var all []*sequence
	groups := make(map[string]*sequence)
	for _, d := range batch {
		s := groups[d.GroupID]
		if s == nil || d.GroupID == "" {
			s = &sequence{group: d.GroupID}
			groups[d.GroupID] = s
			all = append(all, s)
		}
		s.waiting = append(s.waiting, d)
	}
	return all
}

// next takes the first message that waits; nil if none does.
func (s *sequence) next() *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return nil
	}
	d := s.waiting[0]
	s.waiting = s.waiting[1:]
	return d
}

// rest takes all that wait.
func (s *sequence) rest() []*delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.waiting
	s.waiting = nil
	return rest
}

// workInOrder works on the messages of a sequence one by one. The next begins only when the one before it is gone from
// the queue: otherwise a crash in between would bring that back after its successor was done. When one is not done, or
// the drain begins, those that wait go back, before the one that is to be received first can be.
func (r *runner) workInOrder(s *sequence) {
	giveBackRest := func() {
		s.back.Lock()
		defer s.back.Unlock()
		rest := s.rest()
		r.giveBack(rest)
		r.slots.put(len(rest))
	}
	disarm := context.AfterFunc(r.stop, giveBackRest)
	defer disarm()
	unlock := r.groups.lock(s.group)
	defer unlock()
	for d := s.next(); d != nil; d = s.next() {
		told := make(chan outcome, 1)
		go r.workOn(d, func(o outcome) { told <- o })
		o := <-told
		if o.fate != fateDelete {
			giveBackRest()
		}
		deleted := make(chan error, 1)
		gone := r.settle(d, o, deleted)
		r.slots.put(1)
		if !gone || <-deleted != nil {
			giveBackRest()
			return
		}
	}
}

// groups keeps two sequences of one group apart. The queue does that too, until a lease is lost.
type groups struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the group is free
}

func newGroups() *groups { return &groups{busy: make(map[string]chan struct{})} }

// lock waits for the group and returns what frees it.
func (g *groups) lock(group string) (unlock func()) {
	if group == "" {
		return func() {}
	}
	mine := make(chan struct{})
	for {
		g.mu.Lock()
		theirs, busy := g.busy[group]
		if !busy {
			g.busy[group] = mine
			g.mu.Unlock()
			return func() {
				g.mu.Lock()
				delete(g.busy, group)
				g.mu.Unlock()
				close(mine)
			}
		}
		g.mu.Unlock()
		<-theirs
	}
}

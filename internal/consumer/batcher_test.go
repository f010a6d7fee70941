package consumer

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A sink is what a batcher sends to.
type sink struct {
	mu    sync.Mutex
	calls [][]string
	at    []time.Time
	takes time.Duration
	fail  func(id string) error
	down  bool
}

func (s *sink) send(ctx context.Context, batch []*entry) (map[int]error, error) {
	s.mu.Lock()
	var ids []string
	failed := make(map[int]error)
	for i, e := range batch {
		ids = append(ids, e.ID)
		if s.fail != nil {
			if err := s.fail(e.ID); err != nil {
				failed[i] = err
			}
		}
	}
	s.calls, s.at = append(s.calls, ids), append(s.at, time.Now())
	takes, down := s.takes, s.down
	s.mu.Unlock()
	if err := sleep(ctx, takes); err != nil {
		return nil, err
	}
	if down {
		return nil, errors.New("down")
	}
	return failed, nil
}

func (s *sink) sizes() (sizes []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		sizes = append(sizes, len(c))
	}
	return sizes
}

// outcomes collects what entries were told.
type outcomes struct {
	mu   sync.Mutex
	told map[string][]error
}

func (o *outcomes) add(b *batcher, ids ...string) {
	for _, id := range ids {
		b.add(&entry{delivery: &delivery{Message: Message{ID: id}}, done: func(err error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.told == nil {
				o.told = make(map[string][]error)
			}
			o.told[id] = append(o.told[id], err)
		}})
	}
}

// all is what the entries were told so far.
func (o *outcomes) all() map[string][]error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.told)
}

func letters(n int) (ids []string) {
	for i := range n {
		ids = append(ids, string(rune('a'+i)))
	}
	return ids
}

func batchers(t *testing.T, f func(t *testing.T, b *batcher, s *sink, o *outcomes)) {
	bubble(t, func(t *testing.T) {
		s := &sink{takes: 10 * time.Millisecond}
		b := newBatcher(4, s.send, func(error) {})
		f(t, b, s, &outcomes{})
		b.close()
	})
}

func TestWhatComesDuringACallGoesWithTheNext(t *testing.T) {
	batchers(t, func(t *testing.T, b *batcher, s *sink, o *outcomes) {
		begin := time.Now()
		o.add(b, "a")
		synctest.Wait()
		if len(s.sizes()) != 1 || !s.at[0].Equal(begin) {
			t.Fatal("the first does not go out at once")
		}
		for _, id := range []string{"b", "c", "d"} {
			time.Sleep(2 * time.Millisecond)
			o.add(b, id)
		}
		time.Sleep(time.Second)
		if got := s.sizes(); len(got) != 2 || got[1] != 3 {
			t.Errorf("batches %v, want 1 and 3", got)
		}
	})
}

func TestAFullBatchDoesNotWait(t *testing.T) {
	batchers(t, func(t *testing.T, b *batcher, s *sink, o *outcomes) {
		s.takes = 9 * time.Second
		o.add(b, "first")
		synctest.Wait()
		o.add(b, letters(25)...)
		time.Sleep(time.Second)
		if got := s.sizes(); len(got) != 3 || got[1] != 10 || got[2] != 10 {
			t.Errorf("batches %v after a second, want 1, 10 and 10", got)
		}
		time.Sleep(5 * time.Minute)
		if got := s.sizes(); len(got) != 4 || got[3] != 5 {
			t.Errorf("batches %v in the end, want 5 in the last", got)
		}
	})
}

func TestAFailedEntryIsTriedAgainAlone(t *testing.T) {
	batchers(t, func(t *testing.T, b *batcher, s *sink, o *outcomes) {
		failures := 0
		s.fail = func(id string) error {
			if id == "c" && failures < 2 {
				failures++
				return &entryError{code: "InternalError"}
			}
			if id == "d" {
				return &entryError{code: "ReceiptHandleIsInvalid", sender: true}
			}
			return nil
		}
		o.add(b, letters(5)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		sent := make(map[string]int)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, ids := range s.calls {
			for _, id := range ids {
				sent[id]++
			}
		}
		if sent["a"] != 1 || sent["b"] != 1 || sent["c"] != 3 || sent["d"] != 1 || sent["e"] != 1 {
			t.Errorf("sent %v, want c three times and the others once", sent)
		}
		for id, errs := range o.all() {
			if len(errs) != 1 || (errs[0] != nil) != (id == "d") {
				t.Errorf("%s was told %v", id, errs)
			}
		}
	})
}

func TestClosingTellsEveryEntryExactlyOnce(t *testing.T) {
	batchers(t, func(t *testing.T, b *batcher, s *sink, o *outcomes) {
		s.down = true
		s.takes = time.Hour
		o.add(b, letters(26)...)
		time.Sleep(time.Second)
		b.close()
		o.add(b, "late")
		synctest.Wait()
		if n := len(o.all()); n != 27 {
			t.Errorf("%d of 27 were told", n)
		}
		for id, errs := range o.all() {
			if len(errs) != 1 || errs[0] == nil {
				t.Errorf("%s was told %v", id, errs)
			}
		}
	})
}

func TestABusyBatcherLingersOnlyAsLongAsItHasCredit(t *testing.T) {
	run := func(t *testing.T, done int) (sizes []int) {
		batchers(t, func(_ *testing.T, b *batcher, s *sink, o *outcomes) {
			b.total = done
			for range 40 { // one in 1.5 ms: 15 ms for a batch, more than a call takes
				o.add(b, "x")
				time.Sleep(1500 * time.Microsecond)
			}
			time.Sleep(time.Second)
			sizes = s.sizes()
		})
		return sizes
	}
	if fresh, seasoned := len(run(t, 0)), len(run(t, 1000)); seasoned >= fresh || fresh > 10 {
		t.Errorf("%d calls without credit, %d with; want fewer with", fresh, seasoned)
	}
}

func TestAddWaitsWhileTooManyWait(t *testing.T) {
	batchers(t, func(t *testing.T, b *batcher, s *sink, o *outcomes) {
		s.takes = 9 * time.Second
		begin := time.Now()
		for range batchBacklog + (b.most+1)*batchSize {
			o.add(b, "x")
		}
		if time.Since(begin) < s.takes {
			t.Error("an endless number of entries can wait")
		}
	})
}

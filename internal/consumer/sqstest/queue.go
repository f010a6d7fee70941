// Package sqstest plays what a worker talks to, for tests: SQS with as much of its behaviour as a consumer can notice,
// in memory ([Service], which has the methods of the SDK's client and obeys the fake time of testing/synctest) or over
// HTTP in SQS's own protocol ([Server], which also takes the calls to CloudWatch, Step Functions and the ECS agent).
package sqstest

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A Message is one in a queue.
type Message struct {
	ID         string
	Body       string
	Group      string
	Dedup      string
	Attributes map[string]types.MessageAttributeValue
	Sent       time.Time

	FirstReceived time.Time
	Receives      int

	sequence  int
	receipt   string // while in flight
	visibleAt time.Time
	limit     time.Time // of visibleAt
	place     int       // in the heap
}

// A queue holds messages in three places: ready, in flight (by receipt), and, for those in flight, a heap by the time
// at which they come back. The Service's lock guards it.
type queue struct {
	url       string
	fifo      bool
	dead      *queue
	maxRecv   int
	ready     []*Message
	head      int // ready[:head] is gone
	flying    map[string]*Message
	returning byTime
	groups    map[string]int // messages in flight
	dedup     map[string]*Message
	next      int
	deleted   []string // ids, unless lean
	gone      int
	lean      bool
	changed   chan struct{} // closed when something may have become receivable
}

func newQueue(url string) *queue {
	return &queue{
		url: url, fifo: strings.HasSuffix(url, ".fifo"),
		flying: make(map[string]*Message), groups: make(map[string]int), dedup: make(map[string]*Message),
		changed: make(chan struct{}),
	}
}

func (q *queue) notify() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) send(m *Message) *Message {
	if q.fifo && m.Dedup != "" {
		if earlier := q.dedup[m.Dedup]; earlier != nil {
			return earlier
		}
		q.dedup[m.Dedup] = m
	}
	q.next++
	m.sequence = q.next
	if m.ID == "" {
		m.ID = "message-" + strconv.Itoa(q.next)
	}
	if m.Sent.IsZero() {
		m.Sent = time.Now()
	}
	q.ready = append(q.ready, m)
	q.notify()
	return m
}

// comeBack makes messages ready whose time in flight is over.
func (q *queue) comeBack(now time.Time) {
	for len(q.returning) > 0 && !q.returning[0].visibleAt.After(now) {
		q.land(q.returning[0])
	}
}

// land makes a message in flight ready again.
func (q *queue) land(m *Message) {
	q.ground(m)
	if !q.fifo {
		q.ready = append(q.ready, m)
		return
	}
	at, _ := slices.BinarySearchFunc(q.ready[q.head:], m, func(a, b *Message) int {
		return cmp.Compare(a.sequence, b.sequence)
	})
	q.ready = slices.Insert(q.ready, q.head+at, m)
}

// ground takes a message out of flight.
func (q *queue) ground(m *Message) {
	delete(q.flying, m.receipt)
	heap.Remove(&q.returning, m.place)
	m.receipt = ""
	if q.groups[m.Group]--; q.groups[m.Group] == 0 {
		delete(q.groups, m.Group)
	}
}

// take receives up to n messages.
func (q *queue) take(n int, visibility time.Duration, now time.Time) []*Message {
	q.comeBack(now)
	var taken []*Message
	blocked := make(map[string]bool)
	for i := q.head; i < len(q.ready) && len(taken) < n; {
		m := q.ready[i]
		if q.fifo && (q.groups[m.Group] > 0 && !flewNow(taken, m.Group) || blocked[m.Group]) {
			blocked[m.Group] = true
			i++
			continue
		}
		if i == q.head {
			q.ready[q.head] = nil
			q.head++
			i = q.head
		} else {
			q.ready = slices.Delete(q.ready, i, i+1)
		}
		if q.dead != nil && m.Receives >= q.maxRecv {
			q.dead.send(&Message{ID: m.ID, Body: m.Body, Group: m.Group, Attributes: m.Attributes, Sent: m.Sent})
			continue
		}
		q.fly(m, visibility, now)
		taken = append(taken, m)
	}
	if q.head > 1024 && q.head > len(q.ready)/2 {
		q.ready = append([]*Message(nil), q.ready[q.head:]...)
		q.head = 0
	}
	return taken
}

func flewNow(taken []*Message, group string) bool {
	return slices.ContainsFunc(taken, func(m *Message) bool { return m.Group == group })
}

func (q *queue) fly(m *Message, visibility time.Duration, now time.Time) {
	q.next++
	m.receipt = m.ID + "#" + strconv.Itoa(q.next)
	m.Receives++
	if m.FirstReceived.IsZero() {
		m.FirstReceived = now
	}
	m.visibleAt, m.limit = now.Add(visibility), now.Add(12*time.Hour)
	q.flying[m.receipt] = m
	heap.Push(&q.returning, m)
	q.groups[m.Group]++
}

// remove deletes the message with the receipt, if it is still in flight under it.
func (q *queue) remove(receipt string, now time.Time) bool {
	q.comeBack(now)
	m := q.flying[receipt]
	if m == nil {
		return false
	}
	q.ground(m)
	q.gone++
	if !q.lean {
		q.deleted = append(q.deleted, m.ID)
	}
	q.notify()
	return true
}

// change sets when a message in flight comes back; a text says why not.
func (q *queue) change(receipt string, visibility time.Duration, now time.Time) (fault string) {
	q.comeBack(now)
	m := q.flying[receipt]
	switch {
	case m == nil:
		return "MessageNotInflight"
	case now.Add(visibility).After(m.limit):
		return "InvalidParameterValue"
	case visibility == 0:
		q.land(m)
	default:
		m.visibleAt = now.Add(visibility)
		heap.Fix(&q.returning, m.place)
	}
	q.notify()
	return ""
}

// byTime is a heap of messages by the time at which they come back.
type byTime []*Message

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].visibleAt.Before(h[j].visibleAt) }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }

// Push is container/heap's.
func (h *byTime) Push(x any) { m := x.(*Message); m.place = len(*h); *h = append(*h, m) }

// Pop is container/heap's.
func (h *byTime) Pop() any {
	old := *h
	m := old[len(old)-1]
	*h = old[:len(old)-1]
	return m
}

package simulation

// queue holds the visible messages in the order in which they will be received.
type queue interface {
	push(message int32)
	// pop takes the next message that may be received now.
	pop() (message int32, ok bool)
	// settle tells that a message is no longer in flight, so that its group may go on.
	settle(message int32)
}

// line is a first-in-first-out list on a ring.
type line struct {
	items      []int32
	head, size int
}

func (l *line) push(item int32) {
	if l.size == len(l.items) {
		l.grow()
	}
	l.items[(l.head+l.size)&(len(l.items)-1)] = item
	l.size++
}

func (l *line) pop() (int32, bool) {
	if l.size == 0 {
		return 0, false
	}
	item := l.items[l.head]
	l.head = (l.head + 1) & (len(l.items) - 1)
	l.size--
	return item, true
}

func (l *line) grow() {
	items := make([]int32, max(4, 2*len(l.items))) // a power of two
	for i := range l.size {
		items[i] = l.items[(l.head+i)&(len(l.items)-1)]
	}
	l.items, l.head = items, 0
}

// standardQueue is a standard SQS queue. SQS promises best-effort order; here it is kept.
type standardQueue struct{ line }

func (standardQueue) settle(int32) {}

// fifoQueue is an SQS FIFO queue: of each message group at most one message is in flight, the others wait behind it.
type fifoQueue struct {
	groupOf []int32
	waiting []line // of each group
	locked  []bool // a message of the group is in flight
	open    line   // groups that have a message and are not locked
}

func newFIFO(groupOf []int32) *fifoQueue {
	groups := int32(0)
	for _, group := range groupOf {
		groups = max(groups, group+1)
	}
	return &fifoQueue{groupOf: groupOf, waiting: make([]line, groups), locked: make([]bool, groups)}
}

func (q *fifoQueue) push(message int32) {
	group := q.groupOf[message]
	q.waiting[group].push(message)
	if q.waiting[group].size == 1 && !q.locked[group] {
		q.open.push(group)
	}
}

func (q *fifoQueue) pop() (int32, bool) {
	group, ok := q.open.pop()
	if !ok {
		return 0, false
	}
	message, _ := q.waiting[group].pop()
	q.locked[group] = true
	return message, true
}

func (q *fifoQueue) settle(message int32) {
	group := q.groupOf[message]
	if !q.locked[group] {
		return
	}
	q.locked[group] = false
	if q.waiting[group].size > 0 {
		q.open.push(group)
	}
}

package monitoring

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

// queueWatch counts what passes through the queues and remembers how old their messages are, for the metrics that
// GetQueueAttributes does not tell.
type queueWatch struct {
	mu     sync.Mutex
	queues map[string]*queueRecord
}

type queueRecord struct {
	traffic
	open     map[string]*openMessage // by message id
	receipts map[string]string       // message id by receipt handle
	// filled is since when the queue was never seen empty; it dates messages that came another way, as a redrive
	// does.
	filled time.Time
}

type openMessage struct {
	sent     time.Time
	received int
	receipts []string
}

// traffic is what went through a queue in one period.
type traffic struct {
	sent, received, deleted, empty int
	bytes                          sample
	oldest                         time.Duration
}

// poisonous is from how many receives on a message does not count for ApproximateAgeOfOldestMessage (AWS
// documentation).
const poisonous = 3

// ObserveSQS takes note of a successful call of the SQS API.
func (s *Server) ObserveSQS(call sqswatch.Call) {
	if err := s.watch.observe(call); err != nil {
		s.Log.Warn("a queue's traffic was not counted", "action", call.Action, "error", err)
	}
}

// sqsBody are the members that are read of requests and responses of SQS.
type sqsBody struct {
	QueueURL      string `json:"QueueUrl"`
	MessageID     string `json:"MessageId"`
	MessageBody   string
	ReceiptHandle string
	Entries       []struct {
		ID            string `json:"Id"`
		MessageBody   string
		ReceiptHandle string
	}
	Successful []struct {
		ID        string `json:"Id"`
		MessageID string `json:"MessageId"`
	}
	Messages []struct {
		MessageID     string `json:"MessageId"`
		ReceiptHandle string
	}
}

func (w *queueWatch) observe(call sqswatch.Call) error {
	var in, out sqsBody
	if err := json.Unmarshal(call.Request, &in); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if len(call.Response) > 0 {
		if err := json.Unmarshal(call.Response, &out); err != nil {
			return fmt.Errorf("response: %w", err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queue(in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:])
	q.apply(call.Action, in, out, call.At)
	return nil
}

func (q *queueRecord) apply(action string, in, out sqsBody, at time.Time) {
	switch action {
	case "SendMessage":
		q.send(out.MessageID, len(in.MessageBody), at)
	case "SendMessageBatch":
		sizes := map[string]int{}
		for _, e := range in.Entries {
			sizes[e.ID] = len(e.MessageBody)
		}
		for _, e := range out.Successful {
			q.send(e.MessageID, sizes[e.ID], at)
		}
	case "ReceiveMessage":
		if len(out.Messages) == 0 {
			q.empty++
		}
		for _, m := range out.Messages {
			q.receive(m.MessageID, m.ReceiptHandle, at)
		}
	case "DeleteMessage":
		q.delete(in.ReceiptHandle)
	case "DeleteMessageBatch":
		handles := map[string]string{}
		for _, e := range in.Entries {
			handles[e.ID] = e.ReceiptHandle
		}
		for _, e := range out.Successful {
			q.delete(handles[e.ID])
		}
	case "PurgeQueue":
		q.clear()
	}
}

func (w *queueWatch) queue(name string) *queueRecord {
	q := w.queues[name]
	if q == nil {
		q = &queueRecord{}
		q.clear()
		w.queues[name] = q
	}
	return q
}

func (q *queueRecord) clear() {
	q.open, q.receipts = map[string]*openMessage{}, map[string]string{}
}

func (q *queueRecord) send(id string, size int, at time.Time) {
	q.sent++
	q.bytes.merge(single(float64(size)))
	q.open[id] = &openMessage{sent: at}
}

func (q *queueRecord) receive(id, receipt string, at time.Time) {
	q.received++
	m := q.open[id]
	if m == nil {
		m = &openMessage{sent: at}
		q.open[id] = m
	}
	m.received++
	m.receipts = append(m.receipts, receipt)
	q.receipts[receipt] = id
}

func (q *queueRecord) delete(receipt string) {
	q.deleted++
	id := q.receipts[receipt]
	if m := q.open[id]; m != nil {
		for _, r := range m.receipts {
			delete(q.receipts, r)
		}
	}
	delete(q.open, id)
}

// take returns the traffic since the last call, with the age of the oldest message at now.
func (w *queueWatch) take(counts QueueCounts, now time.Time) traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queue(counts.Name)
	t := q.traffic
	q.traffic = traffic{}
	if counts.Visible+counts.NotVisible+counts.Delayed == 0 {
		q.clear() // what is still open here went away another way: retention, redrive, purge
		q.filled = time.Time{}
		return t
	}
	if q.filled.IsZero() {
		q.filled = now
	}
	oldest := now
	for _, m := range q.open {
		if m.received < poisonous && m.sent.Before(oldest) {
			oldest = m.sent
		}
	}
	if len(q.open) == 0 {
		oldest = q.filled
	}
	t.oldest = max(0, now.Sub(oldest))
	return t
}

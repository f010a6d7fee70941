// Package sqswatch keeps the account of a local run: what became of every message, seen from between the clients and
// the queue. It believes no worker; what it counts are the calls that went through.
package sqswatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Call is one successful call of the SQS API, as it passed: bodies in the AWS JSON protocol.
type Call struct {
	Action            string // for example "SendMessageBatch"
	Request, Response []byte
	At                time.Time // when the response passed
}

// Ledger follows each message of every queue from its send to its delete. It is safe for concurrent use; the zero value
// is ready.
type Ledger struct {
	mu       sync.Mutex
	messages map[string]*message // by queue name and message id
	receipts map[string]*message // by queue name and receipt handle
	// early are effects on receipts that no receive has shown yet: the answer of a receive reaches its client before it
	// is observed, and a quick client may have its next call observed first.
	early map[string][]func(*message)
}

type message struct {
	queue      string
	sent       time.Time
	wait       time.Duration
	deliveries int
	givenBack  int // deliveries that ended with a visibility of 0
	deleted    int
	canary     bool // asks who works here
	aside      bool // a worker sent it on to another queue, because it could not be done
}

// Account is the sum of a queue's messages. Canaries are counted apart.
type Account struct {
	Sent      int
	Processed int // deleted by the worker that had received it, its work done
	SetAside  int // deleted by the worker after it had sent the message to the dead-letter queue
	// Repeated messages were delivered again although the first receiver had not given them back: their work was done
	// twice, or begun twice.
	Repeated  int
	GivenBack int             // deliveries that a worker ended with a visibility of 0, before or after it failed
	Open      int             // sent and not deleted yet
	Canaries  int             // messages that asked who works here (docs/worker-contract.md), answered or not
	Waits     []time.Duration // of every message that was received: from its send to its first receive, sorted
}

// Observe takes note of one call. A body that it cannot read is an error, for the emulator's format changed.
func (l *Ledger) Observe(call Call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.messages == nil {
		l.messages, l.receipts = map[string]*message{}, map[string]*message{}
		l.early = map[string][]func(*message){}
	}
	var err error
	switch call.Action {
	case "SendMessage", "SendMessageBatch":
		err = l.sent(call)
	case "ReceiveMessage":
		err = l.received(call)
	case "DeleteMessage", "DeleteMessageBatch":
		err = l.deleted(call)
	case "ChangeMessageVisibility", "ChangeMessageVisibilityBatch":
		err = l.visibilityChanged(call)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", call.Action, err)
	}
	return nil
}

// entry is one message in a request or response: of a batch, or the call itself.
type entry struct {
	ID                string `json:"Id"`
	MessageID         string `json:"MessageId"`
	ReceiptHandle     string
	VisibilityTimeout *int
	Attributes        map[string]string
	MessageAttributes map[string]struct{ StringValue string }
}

// Attributes by which a message says what it is: docs/worker-contract.md.
const (
	canaryToken = "CanaryTaskToken"
	setAside    = "SetAside"
)

type request struct {
	entry
	QueueURL string `json:"QueueUrl"`
	Entries  []entry
}

type response struct {
	entry
	Messages   []entry
	Successful []entry
}

func parse(call Call) (request, response, error) {
	var req request
	var resp response
	if err := json.Unmarshal(call.Request, &req); err != nil {
		return req, resp, fmt.Errorf("request: %w", err)
	}
	if len(call.Response) > 0 {
		if err := json.Unmarshal(call.Response, &resp); err != nil {
			return req, resp, fmt.Errorf("response: %w", err)
		}
	}
	if len(req.Entries) == 0 {
		// A single call is a batch of one.
		req.Entries, resp.Successful = []entry{req.entry}, []entry{resp.entry}
	}
	return req, resp, nil
}

func queueName(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func (l *Ledger) sent(call Call) error {
	req, resp, err := parse(call)
	if err != nil {
		return err
	}
	for _, sent := range resp.Successful {
		l.message(queueName(req.QueueURL), sent.MessageID, call.At)
	}
	for _, sent := range req.Entries {
		record, ok := sent.MessageAttributes[setAside]
		if !ok {
			continue
		}
		var original struct{ Queue, MessageID string }
		if err := json.Unmarshal([]byte(record.StringValue), &original); err != nil {
			return fmt.Errorf("attribute %s: %w", setAside, err)
		}
		l.message(queueName(original.Queue), original.MessageID, call.At).aside = true
	}
	return nil
}

// message finds or makes the record. A receive may pass before the response of the send that it belongs to.
func (l *Ledger) message(queue, id string, at time.Time) *message {
	key := queue + "/" + id
	found, ok := l.messages[key]
	if !ok {
		found = &message{queue: queue, sent: at}
		l.messages[key] = found
	}
	return found
}

func (l *Ledger) received(call Call) error {
	req, resp, err := parse(call)
	if err != nil {
		return err
	}
	queue := queueName(req.QueueURL)
	for _, received := range resp.Messages {
		m := l.message(queue, received.MessageID, call.At)
		m.deliveries++
		_, isCanary := received.MessageAttributes[canaryToken]
		m.canary = m.canary || isCanary
		if m.deliveries == 1 {
			m.wait = max(0, call.At.Sub(sentTime(received, m.sent)))
		}
		receipt := queue + "/" + received.ReceiptHandle
		l.receipts[receipt] = m
		for _, effect := range l.early[receipt] {
			effect(m)
		}
		delete(l.early, receipt)
	}
	return nil
}

// sentTime prefers the queue's own stamp.
func sentTime(received entry, otherwise time.Time) time.Time {
	milliseconds, err := strconv.ParseInt(received.Attributes["SentTimestamp"], 10, 64)
	if err != nil {
		return otherwise
	}
	return time.UnixMilli(milliseconds)
}

func (l *Ledger) deleted(call Call) error {
	return l.onAccepted(call, func(entry) func(*message) { return func(m *message) { m.deleted++ } })
}

func (l *Ledger) visibilityChanged(call Call) error {
	return l.onAccepted(call, func(e entry) func(*message) {
		if e.VisibilityTimeout == nil || *e.VisibilityTimeout != 0 {
			return nil
		}
		return func(m *message) { m.givenBack++ }
	})
}

// onAccepted has the entries of a batch that the queue accepted take their effect; a nil effect is none.
func (l *Ledger) onAccepted(call Call, effectOf func(entry) func(*message)) error {
	req, resp, err := parse(call)
	if err != nil {
		return err
	}
	accepted := map[string]bool{}
	for _, successful := range resp.Successful {
		accepted[successful.ID] = true
	}
	queue := queueName(req.QueueURL)
	for _, e := range req.Entries {
		effect := effectOf(e)
		if effect == nil || !accepted[e.ID] {
			continue
		}
		receipt := queue + "/" + e.ReceiptHandle
		if m, known := l.receipts[receipt]; known {
			effect(m)
		} else {
			l.early[receipt] = append(l.early[receipt], effect)
		}
	}
	return nil
}

// Account sums up the messages of the queue with that name.
func (l *Ledger) Account(queue string) Account {
	return l.AccountBetween(queue, time.Time{}, time.Now().Add(time.Hour))
}

// AccountBetween sums up the messages that were sent to the queue within [from, to).
func (l *Ledger) AccountBetween(queue string, from, to time.Time) Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum Account
	for m := range maps.Values(l.messages) {
		if m.queue != queue || m.sent.Before(from) || !m.sent.Before(to) {
			continue
		}
		if m.canary {
			sum.Canaries++
			continue
		}
		sum.Sent++
		sum.GivenBack += m.givenBack
		switch {
		case m.deleted == 0:
			sum.Open++
		case m.aside:
			sum.SetAside++
		default:
			sum.Processed++
		}
		if m.deleted > 1 || m.deliveries-m.givenBack > 1 {
			sum.Repeated++
		}
		if m.deliveries > 0 {
			sum.Waits = append(sum.Waits, m.wait)
		}
	}
	slices.Sort(sum.Waits)
	return sum
}

// Quantile is the wait below which the share q (0 to 1) of the received messages stayed; 0 when there are none.
func (a Account) Quantile(q float64) time.Duration {
	if len(a.Waits) == 0 {
		return 0
	}
	return a.Waits[min(int(q*float64(len(a.Waits))), len(a.Waits)-1)]
}

// Within is the share (0 to 1) of the received messages that waited no longer than the delay; 1 when there are none.
func (a Account) Within(delay time.Duration) float64 {
	if len(a.Waits) == 0 {
		return 1
	}
	late, _ := slices.BinarySearch(a.Waits, delay+1)
	return float64(late) / float64(len(a.Waits))
}

package localcloud

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

// maxWatchedBody is SQS's own limit of a request and of a response, with room for base64 and attributes.
const maxWatchedBody = 4 << 20

// WatchSQS calls f after each successful SQS call that moves messages, with its bodies, before the caller has the
// answer. It is called from the goroutine of the request, which waits for it.
func (c *Cloud) WatchSQS(f func(sqswatch.Call)) { c.proxy.sqs.add(f) }

// sqsWatchers tells what passes between clients and queues.
type sqsWatchers struct {
	giveBack func(ctx context.Context, queueURL string, receipts []string)

	mu       sync.RWMutex
	watchers []func(sqswatch.Call)
}

func (s *sqsWatchers) add(f func(sqswatch.Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = append(s.watchers, f)
}

func (s *sqsWatchers) tell(call sqswatch.Call) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, f := range s.watchers {
		f(call)
	}
}

// watchedAction is the action of a request that moves messages, in the JSON protocol; "" for all others.
func watchedAction(r *http.Request) string {
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if !ok {
		return ""
	}
	for _, prefix := range movingActions {
		if strings.HasPrefix(action, prefix) {
			return action
		}
	}
	return ""
}

// movingActions are the beginnings of the actions that move messages; batches have longer names.
var movingActions = []string{"SendMessage", receive, "DeleteMessage", "ChangeMessageVisibility", "PurgeQueue"}

// forward passes a request on, tells the watchers what came back, and only then answers: what a client does next with a
// message is seen after how it got the message. A receive whose client has gone meanwhile was not seen by it: what it
// brought goes back to the queue.
func (s *sqsWatchers) forward(next http.Handler, action string, w http.ResponseWriter, r *http.Request) {
	client := r.Context()
	// What the emulator does it does, also when the client has gone: it has to be seen. And it would not notice that a
	// client leaves its long poll, and go on to take messages for it.
	r = r.WithContext(context.WithoutCancel(client))
	request, err := readBody(r, maxWatchedBody)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := record(next, r)
	call := sqswatch.Call{Action: action, Request: request, Response: answer.body.Bytes(), At: time.Now()}
	switch {
	case answer.status != http.StatusOK:
	case action == receive && client.Err() != nil:
		if queueURL, receipts := returned(call); len(receipts) > 0 {
			s.giveBack(r.Context(), queueURL, receipts)
		}
	default:
		s.tell(call)
	}
	answer.send(w)
}

const receive = "ReceiveMessage"

// returned reads a receive: the queue and the receipts of what it brought.
func returned(call sqswatch.Call) (queueURL string, receipts []string) {
	var from struct {
		QueueURL string `json:"QueueUrl"`
	}
	var brought struct {
		Messages []struct{ ReceiptHandle string }
	}
	if json.Unmarshal(call.Request, &from) != nil || json.Unmarshal(call.Response, &brought) != nil {
		return "", nil // nothing was received
	}
	for _, message := range brought.Messages {
		receipts = append(receipts, message.ReceiptHandle)
	}
	return from.QueueURL, receipts
}

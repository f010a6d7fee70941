package localcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

// maxWatchedBody is SQS's own limit of a request and of a response, with room for base64 and attributes.
const maxWatchedBody = 4 << 20

// WatchSQS calls f after each successful SQS call that moves messages, with its bodies. It is called from the goroutine
// of the request, which waits for it.
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
	for _, prefix := range []string{"SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "PurgeQueue"} {
		if strings.HasPrefix(action, prefix) {
			return action
		}
	}
	return ""
}

// forward passes a request on and tells the watchers what came back. A receive whose client has gone meanwhile was not
// seen by it: what it brought goes back to the queue.
func (s *sqsWatchers) forward(next http.Handler, action string, w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(io.LimitReader(r.Body, maxWatchedBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	client := r.Context()
	passed := r
	if action == receive {
		// The emulator does not notice that a client leaves its long poll, and would go on to take messages for it.
		passed = r.WithContext(context.WithoutCancel(client))
	}
	passed.Body = io.NopCloser(io.MultiReader(bytes.NewReader(request), r.Body))
	tee := &teeWriter{ResponseWriter: w, client: client, status: http.StatusOK}
	next.ServeHTTP(tee, passed)
	call := sqswatch.Call{Action: action, Request: request, Response: tee.body.Bytes(), At: time.Now()}
	switch {
	case tee.status != http.StatusOK:
	case action == receive && tee.gone:
		if queueURL, receipts := returned(call); len(receipts) > 0 {
			s.giveBack(passed.Context(), queueURL, receipts)
		}
	default:
		s.tell(call)
	}
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

// makeVisible gives messages back to their queue as the root user.
func makeVisible(client *sqs.Client, log *slog.Logger) func(ctx context.Context, queueURL string, receipts []string) {
	return func(ctx context.Context, queueURL string, receipts []string) {
		for _, receipt := range receipts {
			_, err := client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: &queueURL, ReceiptHandle: &receipt, VisibilityTimeout: 0,
			})
			if err != nil {
				log.Warn("a message that nobody received stays in flight", "queue", queueURL, "error", err)
			}
		}
	}
}

// teeWriter keeps a copy of a response.
type teeWriter struct {
	http.ResponseWriter
	client context.Context // of the request; it tells whether somebody still reads the response
	status int
	gone   bool // the client had left before the response began
	body   bytes.Buffer
}

func (t *teeWriter) WriteHeader(status int) {
	t.status, t.gone = status, t.client.Err() != nil
	t.ResponseWriter.WriteHeader(status)
}

func (t *teeWriter) Write(p []byte) (int, error) {
	t.body.Write(p)
	if t.gone {
		return len(p), nil // what was received must be read to its end, to be given back
	}
	return t.ResponseWriter.Write(p)
}

// Unwrap lets the proxy flush.
func (t *teeWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

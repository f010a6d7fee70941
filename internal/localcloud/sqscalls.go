package localcloud

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

// maxWatchedBody is SQS's own limit of a request and of a response, with room for base64 and attributes.
const maxWatchedBody = 4 << 20

// WatchSQS calls f after each successful SQS call that moves messages, with its bodies. It is called from the goroutine
// of the request, which waits for it.
func (c *Cloud) WatchSQS(f func(sqswatch.Call)) { c.proxy.sqs.add(f) }

// sqsWatchers tells what passes between clients and queues.
type sqsWatchers struct {
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

// forward passes a request on and tells the watchers what came back.
func (s *sqsWatchers) forward(next http.Handler, action string, w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(io.LimitReader(r.Body, maxWatchedBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(request), r.Body))
	tee := &teeWriter{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(tee, r)
	if tee.status == http.StatusOK && r.Context().Err() == nil {
		s.tell(sqswatch.Call{Action: action, Request: request, Response: tee.body.Bytes(), At: time.Now()})
	}
}

// teeWriter keeps a copy of a response.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *teeWriter) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *teeWriter) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// Unwrap lets the proxy flush.
func (t *teeWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

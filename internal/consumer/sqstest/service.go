package sqstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// A Call is one call to the service.
type Call struct {
	Action  string // ReceiveMessage, DeleteMessageBatch, ...
	At      time.Time
	Entries int      // messages received, deleted, changed or sent
	IDs     []string // of the messages to delete or to change
	N       int      // counted from 1 over all actions
}

// A Fault is what goes wrong with one call; the zero value is nothing.
type Fault struct {
	Early time.Duration // so much time passes before the call reaches the service
	Late  time.Duration // the answer comes so much later
	Error string        // the code of the error that is answered, such as RequestThrottled
	Cut   bool          // the connection breaks instead of an answer
	Done  bool          // the call has its effect in spite of Error or Cut
	// Entries are the positions of batch entries that fail although the call does not.
	Entries []int
}

// A Service is SQS in memory. Its methods are those of the SDK's client.
type Service struct {
	// Fault decides what goes wrong with a call. Nil: nothing does. Set it before the first call.
	Fault func(Call) Fault

	mu     sync.Mutex
	queues map[string]*queue
	calls  []Call
	count  int
	lean   bool
	counts map[string]int
}

// New returns a service with queues of these URLs. Those that end in .fifo are FIFO queues.
func New(urls ...string) *Service {
	s := &Service{queues: make(map[string]*queue), counts: make(map[string]int)}
	for _, url := range urls {
		s.queues[url] = newQueue(url)
	}
	return s
}

// Redrive makes messages of a queue go to another at the receive after the given number of them.
func (s *Service) Redrive(from, to string, maxReceiveCount int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[from].dead, s.queues[from].maxRecv = s.queues[to], maxReceiveCount
}

// Lean makes the service count its calls without remembering each, for millions of them. Call it before the first call.
func (s *Service) Lean() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lean = true
	for _, q := range s.queues {
		q.lean = true
	}
}

// Send puts messages in a queue.
func (s *Service) Send(url string, messages ...Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		s.queues[url].send(&m)
	}
}

// Count returns how many messages of a queue are visible, in flight, and deleted.
func (s *Service) Count(url string) (visible, inFlight, deleted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[url]
	q.comeBack(time.Now())
	return len(q.ready) - q.head, len(q.flying), q.gone
}

// Deleted returns the ids of the messages that were deleted, in that order.
func (s *Service) Deleted(url string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queues[url].deleted)
}

// Visible returns copies of the messages that are visible, in the order of the queue.
func (s *Service) Visible(url string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[url]
	q.comeBack(time.Now())
	var all []Message
	for _, m := range q.ready[q.head:] {
		all = append(all, *m)
	}
	return all
}

// Calls returns the calls of an action so far.
func (s *Service) Calls(action string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, c := range s.calls {
		if c.Action == action {
			calls = append(calls, c)
		}
	}
	return calls
}

// Counts returns how often each action was called.
func (s *Service) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.counts))
	for action, n := range s.counts {
		counts[action] = n
	}
	return counts
}

// do makes one call: what goes wrong with it, and its effect on the queue.
func (s *Service) do(ctx context.Context, action, url string, ids []string, effect func(*queue, Fault) int) error {
	s.mu.Lock()
	s.count++
	s.counts[action]++
	call := Call{Action: action, At: time.Now(), Entries: len(ids), IDs: ids, N: s.count}
	q := s.queues[url]
	s.mu.Unlock()
	if q == nil {
		return apiError("AWS.SimpleQueueService.NonExistentQueue", "the queue "+url+" does not exist")
	}
	var f Fault
	if s.Fault != nil {
		f = s.Fault(call)
	}
	if f.Early > 0 {
		time.Sleep(f.Early) // even if the client does not wait for it
	}
	broken := f.Cut || f.Error != ""
	if !broken || f.Done {
		s.mu.Lock()
		if n := effect(q, f); n >= 0 {
			call.Entries = n
		}
		s.mu.Unlock()
	}
	if !s.lean {
		s.mu.Lock()
		s.calls = append(s.calls, call)
		s.mu.Unlock()
	}
	if f.Late > 0 {
		if err := pause(ctx, f.Late); err != nil {
			return err
		}
	}
	switch {
	case f.Cut:
		return fmt.Errorf("%s: %w", action, errCut)
	case f.Error != "":
		return apiError(f.Error, "a fault that the test wants")
	}
	return nil
}

var errCut = fmt.Errorf("connection reset: %w", io.ErrUnexpectedEOF)

func apiError(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultServer}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReceiveMessage is SQS's, with long polling.
func (s *Service) ReceiveMessage(
	ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options),
) (*sqs.ReceiveMessageOutput, error) {
	url := aws.ToString(in.QueueUrl)
	s.mu.Lock()
	q := s.queues[url]
	s.mu.Unlock()
	if q != nil && in.WaitTimeSeconds > 0 {
		if err := s.await(ctx, q, time.Duration(in.WaitTimeSeconds)*time.Second); err != nil {
			return nil, err
		}
	}
	out := &sqs.ReceiveMessageOutput{}
	err := s.do(ctx, "ReceiveMessage", url, nil, func(q *queue, _ Fault) int {
		if ctx.Err() != nil {
			return 0 // the client has gone
		}
		visibility := time.Duration(in.VisibilityTimeout) * time.Second
		taken := q.take(int(max(in.MaxNumberOfMessages, 1)), visibility, time.Now())
		for _, m := range taken {
			out.Messages = append(out.Messages, m.delivery(in))
		}
		return len(taken)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// await waits until a queue has something to receive, at most for d.
func (s *Service) await(ctx context.Context, q *queue, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		s.mu.Lock()
		now := time.Now()
		q.comeBack(now)
		ready, changed := q.receivable(), q.changed
		var back <-chan time.Time
		if len(q.returning) > 0 {
			back = time.After(q.returning[0].visibleAt.Sub(now))
		}
		s.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-back:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) receivable() bool {
	for _, m := range q.ready[q.head:] {
		if !q.fifo || q.groups[m.Group] == 0 {
			return true
		}
	}
	return false
}

// delivery is how a message looks to its receiver.
func (m *Message) delivery(in *sqs.ReceiveMessageInput) types.Message {
	all := map[string]string{
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceived.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"SenderId":                         "AIDAEXAMPLE",
	}
	if m.Group != "" {
		all["MessageGroupId"] = m.Group
		all["MessageDeduplicationId"] = m.Dedup
		all["SequenceNumber"] = fmt.Sprintf("%020d", m.sequence)
	}
	asked := make(map[string]string, len(all))
	for _, name := range in.MessageSystemAttributeNames {
		if name == types.MessageSystemAttributeNameAll {
			asked = all
			break
		}
		if v, ok := all[string(name)]; ok {
			asked[string(name)] = v
		}
	}
	d := types.Message{
		MessageId: aws.String(m.ID), ReceiptHandle: aws.String(m.receipt), Body: aws.String(m.Body), Attributes: asked,
	}
	if len(in.MessageAttributeNames) > 0 {
		d.MessageAttributes = m.Attributes
	}
	return d
}

// DeleteMessageBatch is SQS's.
func (s *Service) DeleteMessageBatch(
	ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options),
) (*sqs.DeleteMessageBatchOutput, error) {
	out := &sqs.DeleteMessageBatchOutput{}
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, idOf(e.ReceiptHandle))
	}
	err := s.do(ctx, "DeleteMessageBatch", aws.ToString(in.QueueUrl), ids, func(q *queue, f Fault) int {
		for i, e := range in.Entries {
			switch {
			case slices.Contains(f.Entries, i):
				out.Failed = append(out.Failed, failure(e.Id, "InternalError", false))
			case q.remove(aws.ToString(e.ReceiptHandle), time.Now()):
				out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
			case q.fifo: // a standard queue does not mind
				out.Failed = append(out.Failed, failure(e.Id, "ReceiptHandleIsInvalid", true))
			}
		}
		return -1
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ChangeMessageVisibilityBatch is SQS's.
func (s *Service) ChangeMessageVisibilityBatch(
	ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options),
) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	out := &sqs.ChangeMessageVisibilityBatchOutput{}
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, idOf(e.ReceiptHandle))
	}
	url := aws.ToString(in.QueueUrl)
	err := s.do(ctx, "ChangeMessageVisibilityBatch", url, ids, func(q *queue, f Fault) int {
		for i, e := range in.Entries {
			if slices.Contains(f.Entries, i) {
				out.Failed = append(out.Failed, failure(e.Id, "InternalError", false))
				continue
			}
			visibility := time.Duration(e.VisibilityTimeout) * time.Second
			if fault := q.change(aws.ToString(e.ReceiptHandle), visibility, time.Now()); fault != "" {
				out.Failed = append(out.Failed, failure(e.Id, fault, true))
			} else {
				out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: e.Id})
			}
		}
		return -1
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// idOf returns the id of the message that a receipt handle is for.
func idOf(receipt *string) string {
	id, _, _ := strings.Cut(aws.ToString(receipt), "#")
	return id
}

func failure(id *string, code string, sender bool) types.BatchResultErrorEntry {
	return types.BatchResultErrorEntry{Id: id, Code: aws.String(code), SenderFault: sender, Message: aws.String("test")}
}

// SendMessage is SQS's.
func (s *Service) SendMessage(
	ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options),
) (*sqs.SendMessageOutput, error) {
	if len(in.MessageAttributes) > 10 {
		return nil, errors.New("InvalidParameterValue: more than 10 message attributes")
	}
	out := &sqs.SendMessageOutput{}
	err := s.do(ctx, "SendMessage", aws.ToString(in.QueueUrl), nil, func(q *queue, _ Fault) int {
		m := q.send(&Message{
			Body: aws.ToString(in.MessageBody), Group: aws.ToString(in.MessageGroupId),
			Dedup: aws.ToString(in.MessageDeduplicationId), Attributes: in.MessageAttributes,
		})
		out.MessageId = aws.String(m.ID)
		return -1
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SendMessageBatch is SQS's.
func (s *Service) SendMessageBatch(
	ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options),
) (*sqs.SendMessageBatchOutput, error) {
	out := &sqs.SendMessageBatchOutput{}
	err := s.do(ctx, "SendMessageBatch", aws.ToString(in.QueueUrl), nil, func(q *queue, _ Fault) int {
		for _, e := range in.Entries {
			m := q.send(&Message{
				Body: aws.ToString(e.MessageBody), Group: aws.ToString(e.MessageGroupId),
				Dedup: aws.ToString(e.MessageDeduplicationId), Attributes: e.MessageAttributes,
			})
			out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{
				Id: e.Id, MessageId: aws.String(m.ID), MD5OfMessageBody: aws.String(digest(m.Body)),
			})
		}
		return -1
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Purge removes all messages of a queue, those in flight too.
func (s *Service) Purge(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[url] = newQueue(url)
}

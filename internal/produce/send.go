package produce

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

// batchSize is the most messages that SQS takes in one request.
const batchSize = 10

type batchSender interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (
		*sqs.SendMessageBatchOutput, error)
}

// Sender sends messages into a queue. Its methods may be called at the same time.
type Sender struct {
	Client   batchSender
	QueueURL string
	// FIFO gives each message its id as deduplication id and as group id, so that no message waits for another.
	FIFO bool
	// Parallelism is the number of requests at a time. Zero means 8.
	Parallelism int
	// Attempts to send a message that SQS refuses for a reason of its own. Zero means 6.
	Attempts int
	// Backoff is the pause before an attempt; the first repetition has number 1. Nil means up to 100 ms, doubling, at
	// most 5 s, with full jitter.
	Backoff func(repetition int) time.Duration
}

// Outcome counts what became of messages.
type Outcome struct {
	Sent    int `json:"sent"`
	Retried int `json:"retried"` // repetitions that were needed for refused messages
}

// MessagesUnsent says that the queue did not take all messages.
type MessagesUnsent struct {
	Unsent, Of int
	Code       string // of the last refusal
	Reason     string
}

func (e *MessagesUnsent) Error() string {
	return fmt.Sprintf("%d of %d messages were not taken by the queue; the last refusal: %s: %s",
		e.Unsent, e.Of, e.Code, e.Reason)
}

// ErrorName is the name under which a state machine sees the error.
func (*MessagesUnsent) ErrorName() string { return "MessagesUnsent" }

// SendRequest is the input of the step Send Batch.
type SendRequest struct {
	Spec  Spec  `json:"spec"`
	Range Range `json:"range"`
}

// RangeResult is the output of the step Send Batch.
type RangeResult struct {
	Range
	Outcome
	WorkSeconds float64 `json:"workSeconds"` // sum of the durations of the messages
}

// SendRange sends the messages of a range.
func (s *Sender) SendRange(ctx context.Context, request SendRequest) (RangeResult, error) {
	result := RangeResult{Range: request.Range}
	if r := request.Range; r.First < 0 || r.Count < 1 || r.Count > RangeSize ||
		r.First+r.Count > request.Spec.Messages {
		return RangeResult{}, &UnusableRange{Range: r, Messages: request.Spec.Messages}
	}
	messages := make([]Message, request.Range.Count)
	for i := range messages {
		messages[i] = request.Spec.Message(request.Range.First + i)
		result.WorkSeconds += messages[i].Duration
	}
	var err error
	result.Outcome, err = s.Send(ctx, messages)
	if err != nil {
		return RangeResult{}, fmt.Errorf("messages %d to %d: %w",
			request.Range.First, request.Range.First+request.Range.Count-1, err)
	}
	return result, nil
}

// UnusableRange says that a range is not one of a plan.
type UnusableRange struct {
	Range    Range
	Messages int
}

func (e *UnusableRange) Error() string {
	return fmt.Sprintf("range of %d messages from %d: allowed are 1 to %d messages within the plan's %d",
		e.Range.Count, e.Range.First, RangeSize, e.Messages)
}

// ErrorName is the name under which a state machine sees the error.
func (*UnusableRange) ErrorName() string { return "UnusableRange" }

// Send sends the messages in batches. A message that SQS refuses for a reason of its own is sent again, alone, after a
// pause. Send ends early when ctx does, and does not begin a pause that ctx's deadline would cut.
//
// If SQS refused messages for good, the error is *MessagesUnsent; a request that failed as a whole (after the retries
// of the client) ends Send with its error. Sending all messages again is then right: a FIFO queue drops those that it
// has.
func (s *Sender) Send(ctx context.Context, messages []Message) (Outcome, error) {
	var tally tally
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(valueOr(s.Parallelism, 8))
	for first := 0; first < len(messages) && groupCtx.Err() == nil; first += batchSize {
		batch := messages[first:min(first+batchSize, len(messages))]
		group.Go(func() error { return s.sendBatch(groupCtx, batch, &tally) })
	}
	err := group.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if unsent := len(messages) - tally.outcome.Sent; unsent == 0 {
		return tally.outcome, nil
	} else if err == nil {
		err = &MessagesUnsent{Unsent: unsent, Of: len(messages), Code: tally.code, Reason: tally.reason}
	}
	return tally.outcome, fmt.Errorf("send to %s: %w", s.QueueURL, err)
}

// sendBatch sends up to batchSize messages. Messages that remain refused are counted in tally; an error means that the
// request as a whole failed.
func (s *Sender) sendBatch(ctx context.Context, batch []Message, tally *tally) error {
	pending := s.entries(batch)
	for repetition := 1; ; repetition++ {
		answer, err := s.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{
			QueueUrl: aws.String(s.QueueURL), Entries: pending,
		})
		if err != nil {
			return err
		}
		refused, again := split(pending, answer)
		tally.add(len(pending)-len(refused), refused)
		if len(again) == 0 || repetition >= valueOr(s.Attempts, 6) || !pause(ctx, s.backoff(repetition)) {
			return nil
		}
		tally.retry(len(again))
		pending = again
	}
}

func (s *Sender) entries(batch []Message) []types.SendMessageBatchRequestEntry {
	entries := make([]types.SendMessageBatchRequestEntry, len(batch))
	for i, message := range batch {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(message.Body()),
		}
		if s.FIFO {
			entries[i].MessageDeduplicationId = aws.String(message.ID)
			entries[i].MessageGroupId = aws.String(message.ID)
		}
	}
	return entries
}

// split finds the entries that were not taken, and those among them that are worth another attempt: all but the ones
// that SQS blames on the sender. An entry that the answer does not mention was not taken.
func split(sent []types.SendMessageBatchRequestEntry, answer *sqs.SendMessageBatchOutput) (
	refused []types.BatchResultErrorEntry, again []types.SendMessageBatchRequestEntry,
) {
	taken := map[string]bool{}
	for _, entry := range answer.Successful {
		taken[aws.ToString(entry.Id)] = true
	}
	reasons := map[string]types.BatchResultErrorEntry{}
	for _, entry := range answer.Failed {
		reasons[aws.ToString(entry.Id)] = entry
	}
	for _, entry := range sent {
		id := aws.ToString(entry.Id)
		if taken[id] {
			continue
		}
		reason, known := reasons[id]
		if !known {
			reason = types.BatchResultErrorEntry{Id: entry.Id, Code: aws.String("NoAnswer")}
		}
		refused = append(refused, reason)
		if !reason.SenderFault {
			again = append(again, entry)
		}
	}
	return refused, again
}

func (s *Sender) backoff(repetition int) time.Duration {
	if s.Backoff != nil {
		return s.Backoff(repetition)
	}
	longest := min(100*time.Millisecond<<min(repetition-1, 10), 5*time.Second)
	return rand.N(longest) + time.Millisecond
}

// pause waits and reports true, unless ctx ends before.
func pause(ctx context.Context, duration time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= duration {
		return false
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// tally counts for batches that are sent at the same time.
type tally struct {
	mu           sync.Mutex
	outcome      Outcome
	code, reason string // of the last refusal
}

func (t *tally) add(sent int, refused []types.BatchResultErrorEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcome.Sent += sent
	if len(refused) > 0 {
		last := refused[len(refused)-1]
		t.code, t.reason = aws.ToString(last.Code), aws.ToString(last.Message)
	}
}

func (t *tally) retry(messages int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcome.Retried += messages
}

func valueOr(value, fallback int) int {
	if value > 0 {
		return value
	}
	return fallback
}

package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A Handler does the job that one message asks for. It is called by up to Config.Concurrency goroutines at once.
//
// What it returns decides what becomes of the message:
//
//	nil                 the message is deleted
//	Reject(reason)      it is set aside in the dead-letter queue: no later attempt could succeed
//	Retry(after, err)   it comes back after that time
//	any other error     it comes back after a pause that grows with each attempt
//	a panic             like any other error; the process lives on
//
// The context ends when the result could no longer count; context.Cause then tells why: an error that wraps
// [ErrLeaseLost] (the message may be with another worker already) or [ErrStopping] (the task is about to end, the
// message is given back). A handler that is done in spite of ErrStopping returns nil and is believed.
type Handler func(ctx context.Context, m Message) error

// A Message is one delivery of a message of the queue.
type Message struct {
	ID           string    // the queue's id: the same at each delivery
	Body         string    // as it was sent
	GroupID      string    // of a FIFO queue (or the tenant of a fair queue); blank if it has none
	SentAt       time.Time // by the queue's clock; zero if the queue did not say
	ReceivedAt   time.Time // by this machine's clock
	ReceiveCount int       // deliveries so far, this one included: 1 at the first

	// Attributes are the message attributes that its sender gave it.
	Attributes map[string]types.MessageAttributeValue
}

// Decode reads the body as one JSON value into what v points to. A body that is not JSON, is of another shape, has
// something after the value, or does not pass v's own Validate method (if it has one) is an error made by [Reject]:
// such a message would be no better at its next delivery. Unknown fields are allowed, so that senders may be newer.
func (m Message) Decode(v any) error {
	d := json.NewDecoder(strings.NewReader(m.Body))
	if err := d.Decode(v); err != nil {
		return Reject(fmt.Sprintf("the body is not the expected JSON: %v", err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Reject("the body goes on after its JSON value")
	}
	if j, ok := v.(interface{ Validate() error }); ok {
		if err := j.Validate(); err != nil {
			return Reject(fmt.Sprintf("the body asks for something impossible: %v", err))
		}
	}
	return nil
}

// JSON makes a Handler of a function that takes the message's body as a value of its own type. See [Message.Decode]
// for what is accepted; what is not is set aside and never reaches the function.
func JSON[T any](handle func(ctx context.Context, m Message, job T) error) Handler {
	return func(ctx context.Context, m Message) error {
		var job T
		if err := m.Decode(&job); err != nil {
			return err
		}
		return handle(ctx, m, job)
	}
}

// systemAttributes are the attributes of the queue's own that a delivery is asked to carry: what the consumer itself
// needs, and what must not be forgotten when the message is set aside.
var systemAttributes = []types.MessageSystemAttributeName{
	types.MessageSystemAttributeNameSentTimestamp,
	types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp,
	types.MessageSystemAttributeNameApproximateReceiveCount,
	types.MessageSystemAttributeNameSenderId,
	types.MessageSystemAttributeNameMessageGroupId,
	types.MessageSystemAttributeNameMessageDeduplicationId,
	types.MessageSystemAttributeNameSequenceNumber,
	types.MessageSystemAttributeNameAWSTraceHeader,
}

// newMessage reads what the queue delivered. It accepts everything: whatever is missing or unreadable is left zero.
func newMessage(raw types.Message, received time.Time) Message {
	m := Message{
		ID:           aws.ToString(raw.MessageId),
		Body:         aws.ToString(raw.Body),
		GroupID:      raw.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)],
		SentAt:       milliseconds(raw.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)]),
		ReceivedAt:   received,
		ReceiveCount: 1,
		Attributes:   raw.MessageAttributes,
	}
	count := raw.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]
	if n, err := strconv.Atoi(count); err == nil && n > 1 {
		m.ReceiveCount = n
	}
	return m
}

// milliseconds reads a time in Unix milliseconds; zero if it is none.
func milliseconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

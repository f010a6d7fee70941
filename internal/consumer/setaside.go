package consumer

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// AttributeSetAside is the message attribute that a message in the dead-letter queue carries beside its own: JSON that
// says why it is there and what it was (see [SetAside]). Its body is the original's, so that it can be redriven.
const AttributeSetAside = "SetAside"

// SetAside is the content of AttributeSetAside.
type SetAside struct {
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Queue   string    `json:"queue"`
	Message string    `json:"messageId"`
	Version string    `json:"workerVersion,omitempty"`
	// System holds the queue's own attributes of the message: SentTimestamp, SenderId, MessageGroupId and so on.
	System map[string]string `json:"system"`
	// Attributes holds the message attributes for which there was no room: a message has at most ten.
	Attributes map[string]types.MessageAttributeValue `json:"attributes,omitempty"`
}

const (
	maxAttributes = 10
	maxReason     = 1000 // bytes
	asideAttempts = 3
)

// setAside moves a message to the dead-letter queue, all but the deletion of the original. It returns false when there
// is no such queue or it does not take the message.
func (r *runner) setAside(d *delivery, reason string) bool {
	if r.DeadLetterQueueURL == "" {
		return false
	}
	input := asideInput(d, reason, r.QueueURL, r.Version, time.Now())
	input.QueueUrl = &r.DeadLetterQueueURL
	var err error
	for attempt := 1; attempt <= asideAttempts; attempt++ {
		ctx, cancel := context.WithTimeout(d.ctx, callTimeout)
		_, err = r.SQS.SendMessage(ctx, input)
		cancel()
		if err == nil {
			r.setting.tell(nil)
			r.meter.setAside()
			r.Log.Warn("message set aside", "message", d.ID, "reason", reason)
			return true
		}
		if sleep(d.ctx, jitter(exponential(firstRetry, lastRetry, attempt), 0.5)) != nil {
			break
		}
	}
	r.setting.tell(err)
	return false
}

// asideInput is the message that goes to the dead-letter queue, without the queue's URL.
func asideInput(d *delivery, reason, queue, version string, now time.Time) *sqs.SendMessageInput {
	record := SetAside{
		Reason: printable(reason), At: now.UTC(), Queue: queue, Message: d.ID, Version: version,
		System: d.raw.Attributes,
	}
	attributes := maps.Clone(d.Attributes)
	if attributes == nil {
		attributes = make(map[string]types.MessageAttributeValue, 1)
	}
	delete(attributes, AttributeSetAside) // of an earlier time
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if len(attributes) < maxAttributes {
			break
		}
		if record.Attributes == nil {
			record.Attributes = make(map[string]types.MessageAttributeValue)
		}
		record.Attributes[name] = attributes[name]
		delete(attributes, name)
	}
	text, err := json.Marshal(record)
	if err != nil { // not possible with these types
		text = []byte(`{"reason":"unknown"}`)
	}
	attributes[AttributeSetAside] = types.MessageAttributeValue{
		DataType: aws.String("String"), StringValue: aws.String(string(text)),
	}
	input := &sqs.SendMessageInput{MessageBody: d.raw.Body, MessageAttributes: attributes}
	if group, ok := d.raw.Attributes["MessageGroupId"]; ok {
		input.MessageGroupId = &group
	}
	if fifo(queue) {
		input.MessageDeduplicationId = d.raw.MessageId // a second attempt is the same message
	}
	if trace, ok := d.raw.Attributes["AWSTraceHeader"]; ok {
		input.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: &trace},
		}
	}
	return input
}

// printable makes a reason fit for a message attribute: short, valid UTF-8, without control characters.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0xFFFE || c == 0xFFFF {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

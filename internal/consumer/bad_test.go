package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

type numbered struct {
	Number int `json:"number"`
}

// Defect 10 of the original: no dead-letter queue, so that one malformed body loops until retention ends.
func TestDefect10AMalformedMessageIsSetAsideAtItsFirstReceive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		for i := range 29 {
			b.sqs.Send(queueURL, sqstest.Message{Body: fmt.Sprintf(`{"number":%d}`, i)})
		}
		mark := types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("blue")}
		b.sqs.Send(queueURL, sqstest.Message{
			ID: "the-bad-one", Body: `{"number":`, Attributes: map[string]types.MessageAttributeValue{"Colour": mark},
		})
		sent := time.Now()
		var done atomic.Int32
		b.start(JSON(func(context.Context, Message, numbered) error {
			done.Add(1)
			return nil
		}))
		time.Sleep(time.Second)
		b.finish()

		b.expect(queueURL, 0, 0, 30)
		if done.Load() != 29 {
			t.Errorf("%d messages done, want 29", done.Load())
		}
		dead := b.sqs.Visible(deadURL)
		if len(dead) != 1 || dead[0].Body != `{"number":` {
			t.Fatalf("in the dead-letter queue: %+v, want the malformed body as it was", dead)
		}
		if got := dead[0].Attributes["Colour"]; aws.ToString(got.StringValue) != "blue" {
			t.Errorf("its own attribute is gone: %+v", dead[0].Attributes)
		}
		var record SetAside
		text := aws.ToString(dead[0].Attributes[AttributeSetAside].StringValue)
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			t.Fatalf("%s is not JSON: %v", text, err)
		}
		if !strings.Contains(record.Reason, "not the expected JSON") || record.Message != "the-bad-one" ||
			record.Queue != queueURL || record.System["SentTimestamp"] != fmt.Sprint(sent.UnixMilli()) {
			t.Errorf("the record does not say what it was: %s", text)
		}
		if _, n := b.cloud.samples(MetricSetAside); n != 1 {
			t.Errorf("%s is %v, want 1", MetricSetAside, n)
		}
		if _, n := b.cloud.samples(MetricFailed); n != 0 {
			t.Errorf("%s is %v, want 0", MetricFailed, n)
		}
	})
}

func TestTheOriginalStaysWhileTheDeadLetterQueueDoesNotTakeIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(1)
		var up atomic.Bool
		b.sqs.Fault = func(c sqstest.Call) sqstest.Fault {
			if c.Action == "SendMessage" && !up.Load() {
				return sqstest.Fault{Error: "AccessDenied"}
			}
			return sqstest.Fault{}
		}
		b.start(func(context.Context, Message) error { return Reject("no good") })
		time.Sleep(10 * time.Second)
		if _, _, deleted := b.sqs.Count(queueURL); deleted != 0 {
			t.Error("the original was deleted although it is nowhere else")
		}
		if n := b.log.count("cannot set messages aside"); n != 1 {
			t.Errorf("%d lines say so, want 1", n)
		}
		up.Store(true)
		time.Sleep(10 * time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
		b.expect(deadURL, 1, 0, 0)
	})
}

func TestWithoutADeadLetterQueueABadMessageIsLeftToTheRedrivePolicy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.DeadLetterQueueURL = ""
		b.sqs.Redrive(queueURL, deadURL, 3)
		b.send(1)
		var calls atomic.Int32
		b.start(func(context.Context, Message) error {
			calls.Add(1)
			return Reject("no good")
		})
		time.Sleep(time.Hour)
		b.finish()
		b.expect(queueURL, 0, 0, 0)
		b.expect(deadURL, 1, 0, 0)
		if calls.Load() != 3 {
			t.Errorf("handler called %d times, want 3", calls.Load())
		}
		if n := len(b.sqs.Calls("SendMessage")); n != 0 {
			t.Errorf("%d messages sent", n)
		}
	})
}

func TestAFailingMessageComesBackAfterAGrowingPause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(1)
		var at []time.Time
		b.start(func(context.Context, Message) error {
			at = append(at, time.Now())
			if len(at) < 14 {
				return errJob
			}
			return nil
		})
		time.Sleep(3 * time.Hour)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
		for i := 1; i < len(at); i++ {
			full := exponential(firstPause, longestPause, i)
			if pause := at[i].Sub(at[i-1]); pause < full/2 || pause > full+time.Second {
				t.Errorf("pause %d is %v, want between %v and %v", i, pause, full/2, full)
			}
		}
		if _, n := b.cloud.samples(MetricFailed); n != 13 {
			t.Errorf("%s is %v, want 13", MetricFailed, n)
		}
	})
}

func TestAHandlerCanHarmOnlyItsOwnMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.send(30)
		b.start(func(_ context.Context, m Message) error {
			if m.ReceiveCount == 1 {
				switch m.Body {
				case "3":
					panic("three")
				case "4":
					panic(nil)
				case "5":
					runtime.Goexit()
				case "6":
					return errors.Join(errJob, Retry(40*time.Second, nil))
				case "7":
					return fmt.Errorf("wrapped: %w", Reject("seven"))
				}
			}
			return nil
		})
		time.Sleep(30 * time.Second)
		b.expect(queueURL, 0, 1, 29) // "6" asked for 40 s
		time.Sleep(30 * time.Second)
		b.finish()
		b.expect(queueURL, 0, 0, 30)
		b.expect(deadURL, 1, 0, 0)
		if n := b.log.count("the handler panicked", "stack="); n != 3 {
			t.Errorf("%d panics are logged with their stacks, want 3", n)
		}
	})
}

func TestAsideInputKeepsEverythingWithinTheLimits(t *testing.T) {
	raw := types.Message{
		MessageId: aws.String("m"), Body: aws.String("body"),
		MessageAttributes: map[string]types.MessageAttributeValue{},
		Attributes:        map[string]string{"MessageGroupId": "g", "SequenceNumber": "7", "AWSTraceHeader": "Root=1"},
	}
	for i := range maxAttributes {
		value := types.MessageAttributeValue{StringValue: aws.String(fmt.Sprint(i))}
		raw.MessageAttributes[fmt.Sprintf("A%d", i)] = value
	}
	d := &delivery{Message: newMessage(raw, time.Now()), raw: raw}
	in := asideInput(d, "bad\x00byte\xff"+strings.Repeat("x", 2*maxReason), fifoURL, "v", time.Now())
	if len(in.MessageAttributes) != maxAttributes {
		t.Errorf("%d attributes, SQS allows %d", len(in.MessageAttributes), maxAttributes)
	}
	var record SetAside
	if err := json.Unmarshal([]byte(*in.MessageAttributes[AttributeSetAside].StringValue), &record); err != nil {
		t.Fatal(err)
	}
	if len(record.Attributes) != 1 || *record.Attributes["A0"].StringValue != "0" {
		t.Errorf("the attribute without room is not in the record: %+v", record.Attributes)
	}
	if len(record.Reason) > maxReason || strings.ContainsRune(record.Reason, 0) {
		t.Errorf("reason %q", record.Reason)
	}
	if *in.MessageGroupId != "g" || *in.MessageDeduplicationId != "m" || record.System["SequenceNumber"] != "7" {
		t.Errorf("group, deduplication or sequence lost: %+v", in)
	}
	if len(raw.MessageAttributes) != maxAttributes {
		t.Error("the original's attributes were changed")
	}
}

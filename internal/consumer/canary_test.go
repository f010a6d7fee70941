package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// sendCanary puts a canary in the queue; blank attributes are left out.
func (b *bench) sendCanary(token, version, digest string) {
	attributes := make(map[string]sqstypes.MessageAttributeValue)
	for name, value := range map[string]string{
		AttributeCanaryToken: token, AttributeCanaryVersion: version, AttributeCanaryDigest: digest,
	} {
		if value != "" {
			attributes[name] = sqstypes.MessageAttributeValue{
				DataType: aws.String("String"), StringValue: aws.String(value),
			}
		}
	}
	b.sqs.Send(b.QueueURL, sqstest.Message{Body: "canary", Attributes: attributes})
}

func TestACanaryIsAnsweredAndIsInNoMetric(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.Task = b.agent
		b.sendCanary("token", "v2", "sha256:new")
		var r record
		b.start(r.sleeper(0))
		time.Sleep(time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
		if len(b.states.success) != 1 || *b.states.success[0].TaskToken != "token" {
			t.Fatalf("answers %+v", b.states.success)
		}
		var a CanaryAnswer
		if err := json.Unmarshal([]byte(*b.states.success[0].Output), &a); err != nil {
			t.Fatal(err)
		}
		if want := (CanaryAnswer{
			Version: "v2", ImageDigest: "sha256:new", TaskID: "task-1", TaskDefinition: "jobs:7",
		}); a != want {
			t.Errorf("answer %+v, want %+v", a, want)
		}
		if len(r.seen()) != 0 {
			t.Error("the canary reached the handler")
		}
		for _, name := range []string{MetricDuration, MetricWait, MetricWithinDelay} {
			if n, _ := b.cloud.samples(name); n != 0 {
				t.Errorf("%v samples of %s", n, name)
			}
		}
		for _, name := range []string{MetricFailed, MetricSetAside, MetricLeaseLost, MetricSlotsBusy} {
			if _, sum := b.cloud.samples(name); sum != 0 {
				t.Errorf("%s is %v", name, sum)
			}
		}
	})
}

func TestACanaryForAnotherWorkerIsGivenBack(t *testing.T) {
	for _, asked := range [][2]string{{"v3", ""}, {"", "sha256:other"}} {
		bubble(t, func(t *testing.T) {
			b := setup(t)
			b.Task = b.agent
			b.sqs.Redrive(queueURL, deadURL, 5)
			b.sendCanary("token", asked[0], asked[1])
			b.start((&record{}).sleeper(0))
			time.Sleep(8 * time.Second)
			b.finish()
			if v, f, _ := b.sqs.Count(queueURL); v+f != 1 || len(b.states.success)+len(b.states.failures) != 0 {
				t.Errorf("%d messages in the queue, answers %v", v+f, b.states.success)
			}
			if _, failed := b.cloud.samples(MetricFailed); failed != 0 {
				t.Errorf("%s %v", MetricFailed, failed)
			}
		})
	}
}

func TestACanaryReachesTheTeamWhereItAsksForIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.sendCanary("good", "", "")
		b.sendCanary("bad", "", "")
		var calls atomic.Int64
		b.OnCanary = func(_ context.Context, m Message) error {
			if calls.Add(1); *m.Attributes[AttributeCanaryToken].StringValue == "bad" {
				return errors.New("the database is out of reach")
			}
			return nil
		}
		b.start(func(context.Context, Message) error { t.Error("the handler got a canary"); return nil })
		time.Sleep(time.Second)
		b.finish()
		b.expect(queueURL, 0, 0, 2)
		if calls.Load() != 2 || len(b.states.success) != 1 || len(b.states.failures) != 1 {
			t.Fatalf("%d calls, answers %v, %v", calls.Load(), b.states.success, b.states.failures)
		}
		var cause CanaryAnswer
		if err := json.Unmarshal([]byte(*b.states.failures[0].Cause), &cause); err != nil ||
			cause.Version != "v2" || cause.Message != "the database is out of reach" {
			t.Errorf("cause %s", *b.states.failures[0].Cause)
		}
	})
}

func TestACanaryThatNobodyWaitsForIsDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.states.err = &types.TaskTimedOut{}
		b.sendCanary("old", "", "")
		b.start((&record{}).sleeper(0))
		time.Sleep(time.Second)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
	})
}

func TestACanaryIsKeptUntilItCouldBeAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t)
		b.states.err = errors.New("no network")
		b.sendCanary("token", "", "")
		b.start((&record{}).sleeper(0))
		time.Sleep(10 * time.Second)
		b.states.mu.Lock()
		b.states.err = nil
		b.states.mu.Unlock()
		time.Sleep(time.Minute)
		b.finish()
		b.expect(queueURL, 0, 0, 1)
	})
}

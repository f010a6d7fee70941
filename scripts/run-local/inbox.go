package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// inbox is somebody who reads what the stack's topic sends.
type inbox struct {
	sqs *sqs.Client
	url string

	mu   sync.Mutex
	read []notification
}

// notification is one message of the topic.
type notification struct {
	at      time.Time
	subject string
}

// openInbox subscribes to the topic.
func (w *world) openInbox(ctx context.Context) (*inbox, error) {
	cfg := w.cloud.AWSConfig()
	name := w.stack + "-reader"
	arn := fmt.Sprintf("arn:aws:sqs:%s:%s:%s", ministack.Region, ministack.Account, name)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage",`+
		`"Principal":{"Service":"sns.amazonaws.com"},"Resource":%q,`+
		`"Condition":{"ArnEquals":{"aws:SourceArn":%q}}}]}`, arn, w.topic)
	made, err := w.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: &name, Attributes: map[string]string{"Policy": policy},
	})
	if err != nil {
		return nil, fmt.Errorf("make a queue for the topic's messages: %w", err)
	}
	if _, err := sns.NewFromConfig(cfg).Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &w.topic, Protocol: aws.String("sqs"), Endpoint: &arn,
	}); err != nil {
		return nil, fmt.Errorf("subscribe to the topic %s: %w", w.topic, err)
	}
	return &inbox{sqs: w.sqs, url: *made.QueueUrl}, nil
}

// follow reads what comes until ctx ends, and tells each message.
func (b *inbox) follow(ctx context.Context, tell func(notification)) error {
	for {
		out, err := b.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &b.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("read the topic's messages: %w", err)
		}
		if err != nil {
			return nil //nolint:nilerr // the story is over
		}
		for _, m := range out.Messages {
			n := notification{at: time.Now(), subject: subjectOf(aws.ToString(m.Body))}
			b.mu.Lock()
			b.read = append(b.read, n)
			b.mu.Unlock()
			tell(n)
			if _, err := b.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{
				QueueUrl: &b.url, ReceiptHandle: m.ReceiptHandle,
			}); err != nil && ctx.Err() == nil {
				return fmt.Errorf("delete a message of the topic: %w", err)
			}
		}
	}
}

// subjectOf is the subject of a message that came through a topic, or its first line.
func subjectOf(body string) string {
	var envelope struct{ Subject, Message string }
	if json.Unmarshal([]byte(body), &envelope) != nil {
		envelope.Message = body
	}
	if envelope.Subject != "" && envelope.Subject != ofARule {
		return envelope.Subject
	}
	first, _, _ := strings.Cut(strings.TrimSpace(envelope.Message), "\n")
	return strings.Trim(first, `"`) // an input transformer's lines are quoted
}

// ofARule is the subject that the emulator gives to what a rule of EventBridge sends; on AWS that has none.
const ofARule = "EventBridge Notification"

// since counts what was read since then.
func (b *inbox) since(then time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := 0
	for _, n := range b.read {
		if !n.at.Before(then) {
			count++
		}
	}
	return count
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Config is what [Run] needs to know. Only SQS and QueueURL are required; a zero value elsewhere means the default.
type Config struct {
	// SQS is the client for both queues. Give it no retries of its own (aws.NopRetryer): the consumer decides itself
	// what is tried again, when, and for how long it still makes sense.
	SQS queueAPI
	// CloudWatch takes the metrics. Nil: none are published.
	CloudWatch metricsAPI
	// StepFunctions takes the answers of canaries. Nil: a canary is treated like a message of another version.
	StepFunctions callbackAPI
	// Protection switches scale-in protection, see [NewAgent]. Nil: there is none.
	Protection protectionAPI
	// Task tells which task this is, see [NewAgent]. Nil: unknown. It is asked when a canary comes, not before.
	Task taskAPI

	// QueueURL is where messages come from. A name that ends in .fifo makes it a FIFO queue.
	QueueURL string
	// QueueName is the metrics' dimension. Default: the last part of QueueURL.
	QueueName string
	// DeadLetterQueueURL is where messages go that can never succeed. Blank: they are left to the redrive policy.
	DeadLetterQueueURL string

	// Concurrency is the most messages in hand at once. Default 1, at most 1000.
	Concurrency int
	// VisibilityTimeout is the lease taken on a message, in whole seconds from 2 s to 12 h, and by how much it is
	// extended each time. It is how long a message is out of sight after a crash, not how long a job may last.
	// Default 2 minutes.
	VisibilityTimeout time.Duration
	// StopTimeout is the time between SIGTERM and SIGKILL: stopTimeout of the task definition. Default 2 minutes.
	StopTimeout time.Duration
	// ProtectionSpell is the longest time for which the task may be protected from scale-in in one go before it lets
	// ECS stop it. Default 10 minutes.
	ProtectionSpell time.Duration
	// MayLast tells how long the work on a message may take at most, so that the task is protected when a drain
	// could not wait for it. Nil: judged by the durations measured so far, and presumed long before the first.
	MayLast func(Message) time.Duration

	// AcceptableDelay is the promise: the longest that a message may wait. Default 1 minute.
	AcceptableDelay time.Duration
	// MetricNamespace and MetricType place the metrics. Default ECS-SQS-BPI and Single-Queue.
	MetricNamespace, MetricType string
	// MetricPeriod is the length of a datapoint and how often metrics are sent. Default 1 minute.
	MetricPeriod time.Duration

	// Version is what a canary is answered with, and what it may ask for. Blank: none.
	Version string
	// OnCanary is run for a canary before it is answered, where a team wants its own checks in it; an error fails the
	// canary. Nil: canaries are answered by the consumer alone. Canaries never reach the Handler.
	OnCanary Handler

	// HealthSocket is the Unix socket on which health is told ("@name" is an abstract one). Blank: nowhere.
	HealthSocket string
	// Log gets what people should know. Default: nothing is logged.
	Log *slog.Logger
}

// What the consumer asks of AWS, and nothing else.
type (
	queueAPI interface {
		ReceiveMessage(
			context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options),
		) (*sqs.ReceiveMessageOutput, error)
		DeleteMessageBatch(
			context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options),
		) (*sqs.DeleteMessageBatchOutput, error)
		ChangeMessageVisibilityBatch(
			context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options),
		) (*sqs.ChangeMessageVisibilityBatchOutput, error)
		SendMessage(
			context.Context, *sqs.SendMessageInput, ...func(*sqs.Options),
		) (*sqs.SendMessageOutput, error)
	}
	metricsAPI interface {
		PutMetricData(
			context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options),
		) (*cloudwatch.PutMetricDataOutput, error)
	}
	callbackAPI interface {
		SendTaskSuccess(
			context.Context, *sfn.SendTaskSuccessInput, ...func(*sfn.Options),
		) (*sfn.SendTaskSuccessOutput, error)
		SendTaskFailure(
			context.Context, *sfn.SendTaskFailureInput, ...func(*sfn.Options),
		) (*sfn.SendTaskFailureOutput, error)
	}
	protectionAPI interface {
		// Protect switches protection on, for at least that long, or off. A refusal may wrap ErrBlocked.
		Protect(ctx context.Context, on bool, expires time.Duration) error
	}
	taskAPI interface {
		Task(ctx context.Context) (Task, error)
	}
)

// withDefaults fills in what was left zero.
func (c Config) withDefaults() Config {
	if c.QueueName == "" {
		c.QueueName = path.Base(c.QueueURL)
	}
	setDefault(&c.Concurrency, 1)
	setDefault(&c.VisibilityTimeout, 2*time.Minute)
	setDefault(&c.StopTimeout, 2*time.Minute)
	setDefault(&c.ProtectionSpell, 10*time.Minute)
	setDefault(&c.AcceptableDelay, time.Minute)
	setDefault(&c.MetricNamespace, "ECS-SQS-BPI")
	setDefault(&c.MetricType, "Single-Queue")
	setDefault(&c.MetricPeriod, time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns every fault of the configuration at once, nil if there is none. Run calls it.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(bad bool, format string, arguments ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, arguments...))
		}
	}
	fault(c.SQS == nil, "SQS: no client given")
	fault(c.QueueURL == "", "QueueURL: missing; give the URL of the queue to work on")
	fault(c.Concurrency < 1 || c.Concurrency > 1000, "Concurrency: %d is not between 1 and 1000", c.Concurrency)
	v := c.VisibilityTimeout
	fault(v < 2*time.Second || v > maxVisibility || v%time.Second != 0,
		"VisibilityTimeout: %v is not a whole number of seconds between 2s and 12h", v)
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"StopTimeout", c.StopTimeout}, {"ProtectionSpell", c.ProtectionSpell},
		{"AcceptableDelay", c.AcceptableDelay}, {"MetricPeriod", c.MetricPeriod},
	} {
		fault(d.value <= 0, "%s: %v is not longer than 0", d.name, d.value)
	}
	dead := c.DeadLetterQueueURL
	fault(dead != "" && fifo(dead) != fifo(c.QueueURL),
		"DeadLetterQueueURL: %q must be a FIFO queue if and only if QueueURL %q is one", dead, c.QueueURL)
	fault(dead != "" && dead == c.QueueURL, "DeadLetterQueueURL: %q is the queue itself", dead)
	return errors.Join(faults...)
}

func fifo(queueURL string) bool { return strings.HasSuffix(queueURL, ".fifo") }

// margin is what a drain leaves of StopTimeout twice: once for handlers that were told to stop and for what is still
// to be sent, and once unused, because the clock of whoever sends SIGKILL started earlier than ours.
func (c Config) margin() time.Duration { return min(5*time.Second, c.StopTimeout/10) }

// drainTime is how long a drain waits for the work in hand.
func (c Config) drainTime() time.Duration { return c.StopTimeout - 2*c.margin() }

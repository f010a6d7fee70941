package steps

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/band"
)

// LookRequest is the input of the step Look at Queue.
type LookRequest struct {
	Execution string `json:"execution"` // that looks
	// Before is what the look before saw in this run; null at the first. The metrics have a datapoint a minute, so one
	// reading a run is enough.
	Before *Seen `json:"before"`
	// Memory is of the look before in this run; null at the first, which reads it.
	Memory *band.Memory `json:"memory"`
}

// Seen is the output of the step Look at Queue.
type Seen struct {
	Look   band.Look   `json:"look"`
	Memory band.Memory `json:"memory"`
}

// AnotherRunAtWork says that a run began while another one had not ended. It leaves the bounds to that one.
type AnotherRunAtWork struct{ Run string }

func (e *AnotherRunAtWork) Error() string {
	return fmt.Sprintf("the run %s is still at work; this one leaves the bounds to it", e.Run)
}

// ErrorName is the name under which a state machine sees the error.
func (*AnotherRunAtWork) ErrorName() string { return "AnotherRunAtWork" }

// BandSwitchedOff says that the bounds are not the band's.
type BandSwitchedOff struct{}

func (*BandSwitchedOff) Error() string {
	return "the bounds are the template's: BandState is not ENABLED"
}

// ErrorName is the name under which a state machine sees the error.
func (*BandSwitchedOff) ErrorName() string { return "BandSwitchedOff" }

// NothingToLookAt says that the service or its scalable target is gone.
type NothingToLookAt struct{ What string }

func (e *NothingToLookAt) Error() string {
	return fmt.Sprintf("%s does not exist; deploy the stack again", e.What)
}

// ErrorName is the name under which a state machine sees the error.
func (*NothingToLookAt) ErrorName() string { return "NothingToLookAt" }

type queueReader interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (
		*sqs.GetQueueAttributesOutput, error)
}

type serviceReader interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (
		*ecs.DescribeServicesOutput, error)
}

// Looker looks at the queue, its tasks and the bounds.
type Looker struct {
	Queues     queueReader
	Services   serviceReader
	Scaling    boundsReader
	Metrics    statisticsReader
	Parameters parameters

	QueueURL         string
	Cluster, Service string
	Target           Target
	Source           MetricSource
	Parameter        string // name of the parameter that holds the State
	// LookInterval is the time between two looks, and Initial the processing duration while none was ever measured.
	LookInterval, Initial time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Look sees what a decision needs. The first look of a run claims the parameter, and reads memory and metrics; the
// others make sure that the claim still holds.
//
// Errors that the machine matches are *AnotherRunAtWork and *BandSwitchedOff; others are *StateUnreadable and
// *NothingToLookAt.
func (l Looker) Look(ctx context.Context, request LookRequest) (Seen, error) {
	var seen Seen
	if request.Before == nil || request.Memory == nil {
		var err error
		if seen, err = l.begin(ctx, request.Execution); err != nil {
			return Seen{}, err
		}
	} else {
		if _, err := holds(ctx, l.Parameters, l.Parameter, request.Execution); err != nil {
			return Seen{}, err
		}
		seen.Memory = *request.Memory
		seen.Look.Sent, seen.Look.ProcessingSeconds = request.Before.Look.Sent, request.Before.Look.ProcessingSeconds
	}
	if err := l.live(ctx, &seen.Look); err != nil {
		return Seen{}, err
	}
	return seen, nil
}

// begin claims the parameter and reads what a run reads once.
func (l Looker) begin(ctx context.Context, execution string) (Seen, error) {
	state, err := l.claim(ctx, execution)
	if err != nil {
		return Seen{}, err
	}
	seen := Seen{Memory: state.Memory}
	now := l.now()
	if seen.Look.Sent, err = l.Source.sent(ctx, l.Metrics, now); err != nil {
		return Seen{}, err
	}
	measured, err := l.Source.processing(ctx, l.Metrics, now)
	if err != nil {
		return Seen{}, err
	}
	seen.Look.ProcessingSeconds = cmp.Or(measured, state.ProcessingSeconds, l.Initial.Seconds())
	return seen, nil
}

// claim makes this run the only one at work. A repetition of the step finds its own claim and goes on.
func (l Looker) claim(ctx context.Context, execution string) (State, error) {
	state, version, err := readState(ctx, l.Parameters, l.Parameter)
	switch {
	case err != nil:
		return State{}, err
	case state.Owner == OfTemplate:
		return State{}, &BandSwitchedOff{}
	case state.busy(execution, l.now()):
		return State{}, &AnotherRunAtWork{Run: state.Run}
	}
	claim := state
	claim.Run, claim.Until = execution, l.now().Add(time.Duration(longestRun*float64(l.LookInterval))).UTC()
	written, err := writeState(ctx, l.Parameters, l.Parameter, claim)
	if err != nil {
		return State{}, err
	}
	if written != version+1 {
		return State{}, &AnotherRunAtWork{Run: "that wrote " + l.Parameter + " in the same moment"}
	}
	return state, nil
}

// live reads what changes within seconds, the counts last: they are the look.
func (l Looker) live(ctx context.Context, look *band.Look) error {
	bounds, err := l.Target.bounds(ctx, l.Scaling)
	if err != nil {
		return err
	}
	look.InForce = bounds
	if err := l.tasks(ctx, look); err != nil {
		return err
	}
	return l.counts(ctx, look)
}

func (l Looker) tasks(ctx context.Context, look *band.Look) error {
	got, err := l.Services.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &l.Cluster, Services: []string{l.Service},
	})
	if err != nil {
		return fmt.Errorf("describe the service %s: %w", l.Service, err)
	}
	if len(got.Services) == 0 {
		return &NothingToLookAt{What: "the service " + l.Service}
	}
	service := got.Services[0]
	look.Running, look.Desired = int(service.RunningCount), int(service.DesiredCount)
	for _, deployment := range service.Deployments {
		if deployment.RolloutState == ecstypes.DeploymentRolloutStateInProgress {
			look.Deploying = true
		}
	}
	return nil
}

func (l Looker) counts(ctx context.Context, look *band.Look) error {
	const visible = sqstypes.QueueAttributeNameApproximateNumberOfMessages
	const inFlight = sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	look.At = l.now().UTC().Truncate(time.Millisecond)
	got, err := l.Queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(l.QueueURL), AttributeNames: []sqstypes.QueueAttributeName{visible, inFlight},
	})
	if err != nil {
		return fmt.Errorf("count the messages of %s: %w", l.QueueURL, err)
	}
	for name, count := range map[sqstypes.QueueAttributeName]*int{visible: &look.Visible, inFlight: &look.InFlight} {
		text, found := got.Attributes[string(name)]
		if *count, err = strconv.Atoi(text); !found || err != nil {
			return fmt.Errorf("count the messages of %s: %s is %q, not a number", l.QueueURL, name, text)
		}
	}
	return nil
}

func (l Looker) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/band"
)

const (
	resource  = "service/main/orders"
	parameter = "/orders/band"
	run       = "arn:aws:states:eu-west-1:111122223333:express:orders-band:1:1"
)

var noon = time.Date(2026, 11, 28, 12, 0, 30, 0, time.UTC)

// cloud is the account: one queue, one service, one scalable target, one parameter. It records what is written.
type cloud struct {
	visible, inFlight string
	service           *ecstypes.Service
	bounds            *band.Bounds
	actions           map[string]*applicationautoscaling.PutScheduledActionInput
	parameter         string // empty: there is none
	version           int64
	sent, processed   []cwtypes.Datapoint

	statistics []*cloudwatch.GetMetricStatisticsInput
	registered []band.Bounds
	puts       int              // of the parameter
	meanwhile  func(*cloud)     // happens once, between the reading of the parameter and what follows
	disarmed   func(*cloud)     // happens once, when the dead man is disarmed
	fail       map[string]error // by the name of the call
}

// world is a busy queue whose bounds are the band's.
func world(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{
		visible: "40", inFlight: "8", bounds: &band.Bounds{Floor: 8, Ceiling: 10}, version: 7,
		service:   &ecstypes.Service{RunningCount: 8, DesiredCount: 9},
		actions:   map[string]*applicationautoscaling.PutScheduledActionInput{},
		processed: []cwtypes.Datapoint{point(2, 300, 60), point(1, 500, 100)},
		sent: []cwtypes.Datapoint{
			point(0, 5, 5), point(2, 96, 96), point(4, 90, 90), point(3, 80, 80), point(1, 100, 100),
		},
		fail: map[string]error{},
	}
	c.store(t, State{Owner: OfBand, Memory: band.Memory{LookedAt: noon.Add(-20 * time.Second), Ceiling: 9.5},
		ProcessingSeconds: 7})
	return c
}

// point is a datapoint of the minute that began so many minutes before the minute of noon.
func point(minutesAgo int, sum, samples float64) cwtypes.Datapoint {
	at := noon.Truncate(time.Minute).Add(-time.Duration(minutesAgo) * time.Minute)
	return cwtypes.Datapoint{Timestamp: &at, Sum: &sum, SampleCount: &samples}
}

func (c *cloud) store(t *testing.T, s State) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c.parameter = string(text)
}

func (c *cloud) state(t *testing.T) State {
	t.Helper()
	var s State
	if err := json.Unmarshal([]byte(c.parameter), &s); err != nil {
		t.Fatalf("%s: %v", c.parameter, err)
	}
	return s
}

func (c *cloud) looker() Looker {
	return Looker{
		Queues: c, Services: c, Scaling: c, Metrics: c, Parameters: c, QueueURL: "https://queue", Cluster: "main",
		Service: "orders", Target: Target{resource}, Parameter: parameter,
		Source:       MetricSource{Namespace: "Own", Type: "Worker", Queue: "orders", Period: time.Minute},
		LookInterval: band.LookInterval, Initial: 5 * time.Second, Now: func() time.Time { return noon },
	}
}

func (c *cloud) GetQueueAttributes(
	context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options),
) (*sqs.GetQueueAttributesOutput, error) {
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
		"ApproximateNumberOfMessages": c.visible, "ApproximateNumberOfMessagesNotVisible": c.inFlight,
	}}, c.fail["GetQueueAttributes"]
}

func (c *cloud) DescribeServices(
	context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options),
) (*ecs.DescribeServicesOutput, error) {
	out := &ecs.DescribeServicesOutput{}
	if c.service != nil {
		out.Services = []ecstypes.Service{*c.service}
	}
	return out, c.fail["DescribeServices"]
}

func (c *cloud) DescribeScalableTargets(
	context.Context, *applicationautoscaling.DescribeScalableTargetsInput, ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.DescribeScalableTargetsOutput, error) {
	out := &applicationautoscaling.DescribeScalableTargetsOutput{}
	if c.bounds != nil {
		out.ScalableTargets = []aastypes.ScalableTarget{{
			MinCapacity: aws.Int32(int32(c.bounds.Floor)), MaxCapacity: aws.Int32(int32(c.bounds.Ceiling)),
		}}
	}
	return out, c.fail["DescribeScalableTargets"]
}

func (c *cloud) RegisterScalableTarget(
	_ context.Context, in *applicationautoscaling.RegisterScalableTargetInput,
	_ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.RegisterScalableTargetOutput, error) {
	if err := c.fail["RegisterScalableTarget"]; err != nil {
		return nil, err
	}
	if *in.ResourceId != resource || in.SuspendedState != nil || in.RoleARN != nil {
		return nil, fmt.Errorf("more than the bounds of the target are written: %v", in)
	}
	c.bounds = &band.Bounds{Floor: int(*in.MinCapacity), Ceiling: int(*in.MaxCapacity)}
	c.registered = append(c.registered, *c.bounds)
	return &applicationautoscaling.RegisterScalableTargetOutput{}, nil
}

func (c *cloud) PutScheduledAction(
	_ context.Context, in *applicationautoscaling.PutScheduledActionInput, _ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.PutScheduledActionOutput, error) {
	if err := c.fail["PutScheduledAction"]; err != nil {
		return nil, err
	}
	c.actions[*in.ScheduledActionName] = in
	return &applicationautoscaling.PutScheduledActionOutput{}, nil
}

func (c *cloud) DeleteScheduledAction(
	_ context.Context, in *applicationautoscaling.DeleteScheduledActionInput,
	_ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.DeleteScheduledActionOutput, error) {
	if err := c.fail["DeleteScheduledAction"]; err != nil {
		return nil, err
	}
	if happens := c.disarmed; happens != nil && *in.ScheduledActionName == FloorAction {
		c.disarmed = nil
		happens(c)
	}
	if c.actions[*in.ScheduledActionName] == nil {
		return nil, &aastypes.ObjectNotFoundException{}
	}
	delete(c.actions, *in.ScheduledActionName)
	return &applicationautoscaling.DeleteScheduledActionOutput{}, nil
}

func (c *cloud) GetMetricStatistics(
	_ context.Context, in *cloudwatch.GetMetricStatisticsInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.GetMetricStatisticsOutput, error) {
	c.statistics = append(c.statistics, in)
	points := c.processed
	if *in.Namespace == "AWS/SQS" {
		points = c.sent
	}
	return &cloudwatch.GetMetricStatisticsOutput{Datapoints: points}, c.fail[*in.MetricName]
}

func (c *cloud) GetParameter(
	context.Context, *ssm.GetParameterInput, ...func(*ssm.Options),
) (*ssm.GetParameterOutput, error) {
	if c.parameter == "" {
		return nil, &ssmtypes.ParameterNotFound{}
	}
	out := &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: aws.String(c.parameter), Version: c.version}}
	if happens := c.meanwhile; happens != nil {
		c.meanwhile = nil
		happens(c)
	}
	return out, c.fail["GetParameter"]
}

func (c *cloud) PutParameter(
	_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options),
) (*ssm.PutParameterOutput, error) {
	if err := c.fail["PutParameter"]; err != nil {
		return nil, err
	}
	c.parameter, c.version, c.puts = *in.Value, c.version+1, c.puts+1
	return &ssm.PutParameterOutput{Version: c.version}, nil
}

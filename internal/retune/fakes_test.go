package retune

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/backlog"
)

const (
	resource  = "service/main/orders"
	parameter = "/orders/tuning"
	arn       = "arn:aws:states:eu-west-1:111122223333:execution:orders-retune:1"
)

var (
	names   = Policies{ResourceID: resource, Backlog: "orders-backlog", Rate: "orders-rate"}
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	promise = backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
)

// fakeMetrics answers GetMetricData page by page and records the requests.
type fakeMetrics struct {
	requests []cloudwatch.GetMetricDataInput
	pages    [][]cwtypes.MetricDataResult
	err      error
	put      []*cloudwatch.PutMetricDataInput
}

func (f *fakeMetrics) GetMetricData(
	_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.GetMetricDataOutput, error) {
	f.requests = append(f.requests, *in)
	if f.err != nil {
		return nil, f.err
	}
	page := len(f.requests) - 1
	if want := fmt.Sprint("page ", page); page > 0 && aws.ToString(in.NextToken) != want {
		return nil, fmt.Errorf("token %q, want %q", aws.ToString(in.NextToken), want)
	}
	out := &cloudwatch.GetMetricDataOutput{}
	if page < len(f.pages) {
		out.MetricDataResults = f.pages[page]
	}
	if page+1 < len(f.pages) {
		out.NextToken = aws.String(fmt.Sprint("page ", page+1))
	}
	return out, nil
}

func (f *fakeMetrics) PutMetricData(
	_ context.Context, in *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricDataOutput, error) {
	f.put = append(f.put, in)
	return &cloudwatch.PutMetricDataOutput{}, f.err
}

// answered makes one page in which every query is Complete; values are by query id.
func answered(values map[string][]float64) []cwtypes.MetricDataResult {
	var page []cwtypes.MetricDataResult
	for _, query := range (MetricSource{}).queries(60) {
		id := aws.ToString(query.Id)
		page = append(page, cwtypes.MetricDataResult{
			Id: aws.String(id), StatusCode: cwtypes.StatusCodeComplete, Values: values[id],
		})
	}
	return page
}

// fakeScaling holds policies like the service does and records the writes. Its failures are by number of the write,
// from 1.
type fakeScaling struct {
	policies []aastypes.ScalingPolicy
	paged    bool // one policy a page, as the service may do
	reads    []applicationautoscaling.DescribeScalingPoliciesInput
	writes   []applicationautoscaling.PutScalingPolicyInput
	readErr  error
	writeErr map[int]error
	onWrite  func(number int, policies []aastypes.ScalingPolicy)
}

func (f *fakeScaling) DescribeScalingPolicies(
	_ context.Context, in *applicationautoscaling.DescribeScalingPoliciesInput,
	_ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.DescribeScalingPoliciesOutput, error) {
	f.reads = append(f.reads, *in)
	if f.readErr != nil {
		return nil, f.readErr
	}
	if !f.paged {
		return &applicationautoscaling.DescribeScalingPoliciesOutput{ScalingPolicies: slices.Clone(f.policies)}, nil
	}
	page := 0
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &page); err != nil {
			return nil, err
		}
	}
	out := &applicationautoscaling.DescribeScalingPoliciesOutput{ScalingPolicies: f.policies[page : page+1]}
	if page+1 < len(f.policies) {
		out.NextToken = aws.String(fmt.Sprint(page + 1))
	}
	return out, nil
}

func (f *fakeScaling) PutScalingPolicy(
	ctx context.Context, in *applicationautoscaling.PutScalingPolicyInput, _ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.PutScalingPolicyOutput, error) {
	f.writes = append(f.writes, *in)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.writeErr[len(f.writes)]; err != nil {
		return nil, err
	}
	for i := range f.policies {
		if aws.ToString(f.policies[i].PolicyName) == aws.ToString(in.PolicyName) &&
			aws.ToString(f.policies[i].ResourceId) == aws.ToString(in.ResourceId) {
			f.policies[i].TargetTrackingScalingPolicyConfiguration = in.TargetTrackingScalingPolicyConfiguration
		}
	}
	if f.onWrite != nil {
		f.onWrite(len(f.writes), f.policies)
	}
	return &applicationautoscaling.PutScalingPolicyOutput{}, nil
}

func (f *fakeScaling) targets(t *testing.T) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, policy := range f.policies {
		out[aws.ToString(policy.ResourceId)+" "+aws.ToString(policy.PolicyName)] = target(policy)
	}
	return out
}

// policy is a whole policy with metric math, like the template's.
func policy(name, resourceID string, value float64) aastypes.ScalingPolicy {
	return aastypes.ScalingPolicy{
		PolicyName: aws.String(name), PolicyType: aastypes.PolicyTypeTargetTrackingScaling,
		PolicyARN:        aws.String("arn:aws:autoscaling:::scalingPolicy:" + name),
		ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: aws.String(resourceID),
		ScalableDimension: aastypes.ScalableDimensionECSServiceDesiredCount,
		TargetTrackingScalingPolicyConfiguration: &aastypes.TargetTrackingScalingPolicyConfiguration{
			TargetValue: aws.Float64(value), ScaleInCooldown: aws.Int32(240), ScaleOutCooldown: aws.Int32(300),
			DisableScaleIn: aws.Bool(false),
			CustomizedMetricSpecification: &aastypes.CustomizedMetricSpecification{
				Metrics: []aastypes.TargetTrackingMetricDataQuery{
					{
						Id: aws.String("m1"), ReturnData: aws.Bool(false),
						MetricStat: &aastypes.TargetTrackingMetricStat{
							Metric: &aastypes.TargetTrackingMetric{
								Namespace:  aws.String("AWS/SQS"),
								MetricName: aws.String("ApproximateNumberOfMessagesVisible"),
								Dimensions: []aastypes.TargetTrackingMetricDimension{
									{Name: aws.String("QueueName"), Value: aws.String("orders")},
								},
							},
							Stat: aws.String("Average"),
						},
					},
					{Id: aws.String("e1"), Expression: aws.String("m1 / 2"), ReturnData: aws.Bool(true)},
				},
			},
		},
	}
}

func bothPolicies() []aastypes.ScalingPolicy {
	return []aastypes.ScalingPolicy{policy(names.Backlog, resource, 13), policy(names.Rate, resource, 9.6)}
}

// fakeParameters is a parameter store with one parameter.
type fakeParameters struct {
	value *string
	err   error
	puts  []*ssm.PutParameterInput
}

func (f *fakeParameters) GetParameter(
	_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options),
) (*ssm.GetParameterOutput, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.value == nil || aws.ToString(in.Name) != parameter:
		return nil, &ssmtypes.ParameterNotFound{}
	}
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{Value: f.value}}, nil
}

func (f *fakeParameters) PutParameter(
	_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options),
) (*ssm.PutParameterOutput, error) {
	f.puts = append(f.puts, in)
	if f.err == nil {
		f.value = in.Value
	}
	return &ssm.PutParameterOutput{}, f.err
}

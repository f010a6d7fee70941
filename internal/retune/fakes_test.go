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
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
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
	requests []cloudwatch.GetMetricDataInput // for the series of a window
	pages    [][]cwtypes.MetricDataResult
	wholes   []cloudwatch.GetMetricDataInput // for one datapoint of a whole window
	whole    map[string]float64
	err      error
	put      []*cloudwatch.PutMetricDataInput

	eachRequest bool // the first page is the answer to each request
}

func (f *fakeMetrics) GetMetricData(
	_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.GetMetricDataOutput, error) {
	if f.err != nil {
		return nil, f.err
	}
	if aws.ToString(in.MetricDataQueries[0].Id) != durationSum {
		f.wholes = append(f.wholes, *in)
		out := &cloudwatch.GetMetricDataOutput{}
		for _, query := range in.MetricDataQueries {
			result := cwtypes.MetricDataResult{Id: query.Id, StatusCode: cwtypes.StatusCodeComplete}
			if value, known := f.whole[*query.Id]; known {
				result.Timestamps, result.Values = []time.Time{*in.StartTime}, []float64{value}
			}
			out.MetricDataResults = append(out.MetricDataResults, result)
		}
		return out, nil
	}
	f.requests = append(f.requests, *in)
	page := len(f.requests) - 1
	if f.eachRequest {
		page = 0
	}
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
			Timestamps: minutesBefore(noon, len(values[id])),
		})
	}
	return page
}

// minutesBefore are the beginnings of the last n minutes before a time.
func minutesBefore(end time.Time, n int) []time.Time {
	var all []time.Time
	for i := range n {
		all = append(all, end.Add(time.Duration(i-n)*time.Minute))
	}
	return all
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

	bounds     *Bounds // nil: there is no scalable target
	registered []applicationautoscaling.RegisterScalableTargetInput
	boundErr   error // of writing bounds
}

func (f *fakeScaling) DescribeScalableTargets(
	_ context.Context, in *applicationautoscaling.DescribeScalableTargetsInput,
	_ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.DescribeScalableTargetsOutput, error) {
	other := aastypes.ScalableTarget{
		ResourceId: aws.String("service/main/another"), MinCapacity: aws.Int32(7), MaxCapacity: aws.Int32(8),
	}
	out := &applicationautoscaling.DescribeScalableTargetsOutput{ScalableTargets: []aastypes.ScalableTarget{other}}
	if f.bounds != nil {
		out.ScalableTargets = append(out.ScalableTargets, aastypes.ScalableTarget{
			ResourceId: aws.String(in.ResourceIds[0]), MinCapacity: aws.Int32(int32(f.bounds.MinTasks)),
			MaxCapacity: aws.Int32(int32(f.bounds.MaxTasks)),
		})
	}
	return out, f.readErr
}

func (f *fakeScaling) RegisterScalableTarget(
	_ context.Context, in *applicationautoscaling.RegisterScalableTargetInput,
	_ ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.RegisterScalableTargetOutput, error) {
	f.registered = append(f.registered, *in)
	if f.boundErr != nil {
		return nil, f.boundErr
	}
	f.bounds = &Bounds{MinTasks: int(*in.MinCapacity), MaxTasks: int(*in.MaxCapacity)}
	return &applicationautoscaling.RegisterScalableTargetOutput{}, nil
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

// fakeAlarms is CloudWatch with one alarm.
type fakeAlarms struct {
	alarm *cwtypes.MetricAlarm
	err   error
	puts  []cloudwatch.PutMetricAlarmInput
}

func (f *fakeAlarms) DescribeAlarms(
	context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options),
) (*cloudwatch.DescribeAlarmsOutput, error) {
	out := &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []cwtypes.MetricAlarm{{AlarmName: aws.String("another")}}}
	if f.alarm != nil {
		out.MetricAlarms = append(out.MetricAlarms, *f.alarm)
	}
	return out, f.err
}

func (f *fakeAlarms) PutMetricAlarm(
	_ context.Context, in *cloudwatch.PutMetricAlarmInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricAlarmOutput, error) {
	f.puts = append(f.puts, *in)
	return &cloudwatch.PutMetricAlarmOutput{}, nil
}

const driftAlarmName = "orders-drift"

// driftAlarm is the template's, for a reference of 5 s.
func driftAlarm() *cwtypes.MetricAlarm {
	return &cwtypes.MetricAlarm{
		AlarmName: aws.String(driftAlarmName), AlarmDescription: aws.String("drift"), ActionsEnabled: aws.Bool(true),
		AlarmActions: []string{"arn:aws:sns:eu-west-1:111122223333:somebody"},
		Metrics: []cwtypes.MetricDataQuery{
			{Id: aws.String("duration"), ReturnData: aws.Bool(false), MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{
					MetricName: aws.String(durationMetric),
				}, Period: aws.Int32(60), Stat: aws.String("Average"),
			}},
			{Id: aws.String("times"), Expression: aws.String("duration / 5"), ReturnData: aws.Bool(false)},
			{
				Id:         aws.String("drift"),
				Expression: aws.String("IF(times > 1, times, 1 / times)"),
				ReturnData: aws.Bool(true),
			},
		},
		ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold, Threshold: aws.Float64(1.5),
		EvaluationPeriods: aws.Int32(5), DatapointsToAlarm: aws.Int32(5), TreatMissingData: aws.String("notBreaching"),
	}
}

// fakeServices is ECS with one service.
type fakeServices struct {
	deployments []ecstypes.Deployment
	past        []ecstypes.ServiceDeploymentBrief
	err         error
}

func (f *fakeServices) DescribeServices(
	context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options),
) (*ecs.DescribeServicesOutput, error) {
	return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{{Deployments: f.deployments}}}, f.err
}

// ListServiceDeployments answers one a page.
func (f *fakeServices) ListServiceDeployments(
	_ context.Context, in *ecs.ListServiceDeploymentsInput, _ ...func(*ecs.Options),
) (*ecs.ListServiceDeploymentsOutput, error) {
	page := 0
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &page); err != nil {
			return nil, err
		}
	}
	out := &ecs.ListServiceDeploymentsOutput{}
	if page < len(f.past) {
		out.ServiceDeployments = f.past[page : page+1]
	}
	if page+1 < len(f.past) {
		out.NextToken = aws.String(fmt.Sprint(page + 1))
	}
	return out, nil
}

// fakeLogs is a log group whose stream has to be made first.
type fakeLogs struct {
	stream bool
	lines  []string
	err    error
}

func (f *fakeLogs) PutLogEvents(
	_ context.Context, in *cloudwatchlogs.PutLogEventsInput, _ ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.PutLogEventsOutput, error) {
	if f.err != nil {
		return nil, f.err
	}
	if !f.stream {
		return nil, &logstypes.ResourceNotFoundException{}
	}
	for _, event := range in.LogEvents {
		f.lines = append(f.lines, *event.Message)
	}
	return &cloudwatchlogs.PutLogEventsOutput{}, nil
}

func (f *fakeLogs) CreateLogStream(
	context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	if f.stream {
		return nil, &logstypes.ResourceAlreadyExistsException{}
	}
	f.stream = true
	return &cloudwatchlogs.CreateLogStreamOutput{}, nil
}

// GetLogEvents answers two lines a page, from the end, and repeats its token there, as the service does.
func (f *fakeLogs) GetLogEvents(
	_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.GetLogEventsOutput, error) {
	if !f.stream {
		return nil, &logstypes.ResourceNotFoundException{}
	}
	end := len(f.lines)
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &end); err != nil {
			return nil, err
		}
	}
	begin := max(0, end-2)
	out := &cloudwatchlogs.GetLogEventsOutput{NextBackwardToken: aws.String(fmt.Sprint(begin))}
	for _, line := range f.lines[begin:end] {
		out.Events = append(out.Events, logstypes.OutputLogEvent{Message: aws.String(line)})
	}
	return out, nil
}

package autoscaling

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"sqs-dynamic-target-tracking/internal/localcloud/monitoring"
)

// world is what a test needs: the two servers, clients that talk to them without a network, and services of ECS whose
// tasks run as soon as they are wanted.
type world struct {
	*aas.Client
	server  *Server
	monitor *monitoring.Server
	metrics *cloudwatch.Client
	ecs     *fakeECS
}

const (
	resource  = "service/jobs/worker"
	dimension = types.ScalableDimensionECSServiceDesiredCount
)

func setup(t *testing.T, adjust func(*Config)) *world {
	t.Helper()
	w := &world{ecs: &fakeECS{desired: map[string]int{"jobs/worker": 1}}}
	w.monitor = monitoring.New(monitoring.Config{})
	c := Config{ECS: w.ecs, Monitor: w.monitor}
	if adjust != nil {
		adjust(&c)
	}
	w.server = New(c)
	w.Client = aas.NewFromConfig(configFor(w.server))
	w.metrics = cloudwatch.NewFromConfig(configFor(w.monitor))
	return w
}

// configFor makes SDK clients that call a handler directly; so they also work in a synctest bubble.
func configFor(h http.Handler) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws.invalid"), HTTPClient: directly{h},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1,
	}
}

type directly struct{ http.Handler }

func (d directly) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// fakeECS has services that start what is wanted at once, and records the counts that were set.
type fakeECS struct {
	mu      sync.Mutex
	desired map[string]int
	running map[string]int // where it differs from desired
	set     []int
	refuse  error
}

func (f *fakeECS) DescribeServices(
	_ context.Context,
	in *ecs.DescribeServicesInput,
	_ ...func(*ecs.Options),
) (*ecs.DescribeServicesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := *in.Cluster + "/" + in.Services[0]
	n, known := f.desired[name]
	if !known {
		return &ecs.DescribeServicesOutput{}, nil
	}
	running, differs := f.running[name]
	if !differs {
		running = n
	}
	return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{{
		Status: aws.String("ACTIVE"), DesiredCount: int32(n), RunningCount: int32(running),
	}}}, nil
}

func (f *fakeECS) UpdateService(
	_ context.Context,
	in *ecs.UpdateServiceInput,
	_ ...func(*ecs.Options),
) (*ecs.UpdateServiceOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.desired[*in.Cluster+"/"+*in.Service] = int(*in.DesiredCount)
	f.set = append(f.set, int(*in.DesiredCount))
	return &ecs.UpdateServiceOutput{}, nil
}

func (f *fakeECS) counts() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.set)
}

func (w *world) register(t *testing.T, least, most int32) string {
	t.Helper()
	out, err := w.RegisterScalableTarget(t.Context(), &aas.RegisterScalableTargetInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ResourceId: aws.String(resource), ScalableDimension: dimension,
		MinCapacity: &least, MaxCapacity: &most,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ScalableTargetARN
}

// backlogPolicy is the policy of the template: messages per task.
func backlogPolicy(name string, target float64) *aas.PutScalingPolicyInput {
	stat := func(namespace, metric string, dimensions ...string) *types.TargetTrackingMetricStat {
		m := &types.TargetTrackingMetric{Namespace: &namespace, MetricName: &metric}
		for i := 0; i < len(dimensions); i += 2 {
			m.Dimensions = append(m.Dimensions,
				types.TargetTrackingMetricDimension{Name: &dimensions[i], Value: &dimensions[i+1]})
		}
		return &types.TargetTrackingMetricStat{Metric: m, Stat: aws.String("Average")}
	}
	return &aas.PutScalingPolicyInput{
		PolicyName: &name, ServiceNamespace: types.ServiceNamespaceEcs, ResourceId: aws.String(resource),
		ScalableDimension: dimension, PolicyType: types.PolicyTypeTargetTrackingScaling,
		TargetTrackingScalingPolicyConfiguration: &types.TargetTrackingScalingPolicyConfiguration{
			TargetValue: &target,
			CustomizedMetricSpecification: &types.CustomizedMetricSpecification{
				Metrics: []types.TargetTrackingMetricDataQuery{
					{Id: aws.String("visible"), ReturnData: aws.Bool(false),
						MetricStat: stat("Test/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "jobs")},
					{Id: aws.String("tasks"), ReturnData: aws.Bool(false),
						MetricStat: stat("Test/ECS", "RunningTaskCount", "ClusterName", "jobs", "ServiceName",
							"worker")},
					{
						Id:         aws.String("backlog"),
						Expression: aws.String("visible / IF(FILL(tasks, REPEAT) > 1, FILL(tasks, REPEAT), 1)"),
						ReturnData: aws.Bool(true),
					},
				},
			},
		},
	}
}

func faultOf(err error) (code, message string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	return api.ErrorCode(), api.ErrorMessage()
}

package verify

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Versions of the tests: old ran, bad came.
const (
	family    = "arn:aws:ecs:us-east-1:123456789012:task-definition/worker:"
	oldArn    = family + "7"
	badArn    = family + "8"
	otherArn  = family + "9"
	oldDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000007"
	badDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000008"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an account as far as one service and its queue concern it. Its methods are those of the SDK's clients.
type world struct {
	service     *types.Service // nil: there is none
	past        []types.ServiceDeploymentBrief
	definitions map[string]string // image by task definition
	stopped     []types.Task
	depths      map[string][2]int // visible and in flight, by queue URL
	series      map[string][]point
	incomplete  string // id of a series that CloudWatch cannot answer
	fail        map[string]error

	updates  []*ecs.UpdateServiceInput
	measured []*cloudwatch.GetMetricDataInput
}

func newWorld() *world {
	w := &world{
		definitions: map[string]string{oldArn: "registry/worker@" + oldDigest, badArn: "registry/worker@" + badDigest},
		depths:      map[string][2]int{"queue": {0, 0}, "dead": {0, 0}},
		series:      map[string][]point{}, fail: map[string]error{},
	}
	w.deploy(deployment("PRIMARY", badArn, types.DeploymentRolloutStateCompleted, 2, 2))
	w.remember(badArn, types.ServiceDeploymentStatusSuccessful, noon.Add(-time.Minute))
	w.remember(oldArn, types.ServiceDeploymentStatusSuccessful, noon.Add(-time.Hour))
	return w
}

func deployment(status, definition string, state types.DeploymentRolloutState, desired,
	running int32) types.Deployment {
	return types.Deployment{
		Status: &status, TaskDefinition: &definition, RolloutState: state,
		RolloutStateReason: aws.String("as ECS says"),
		DesiredCount:       desired, RunningCount: running, CreatedAt: aws.Time(noon.Add(-time.Minute)),
	}
}

func (w *world) deploy(deployments ...types.Deployment) {
	w.service = &types.Service{
		Status: aws.String("ACTIVE"), TaskDefinition: deployments[0].TaskDefinition,
		DesiredCount: deployments[0].DesiredCount, RunningCount: deployments[0].RunningCount, Deployments: deployments,
	}
}

func (w *world) remember(definition string, status types.ServiceDeploymentStatus, created time.Time) {
	w.past = append(w.past, types.ServiceDeploymentBrief{
		Status: status, CreatedAt: &created, TargetServiceRevisionArn: aws.String("revision of " + definition),
		StatusReason: aws.String("as the history says"),
	})
}

func (w *world) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (
	*ecs.DescribeServicesOutput, error,
) {
	if w.service == nil {
		return &ecs.DescribeServicesOutput{}, w.fail["DescribeServices"]
	}
	return &ecs.DescribeServicesOutput{Services: []types.Service{*w.service}}, w.fail["DescribeServices"]
}

func (w *world) DescribeTaskDefinition(
	_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options),
) (*ecs.DescribeTaskDefinitionOutput, error) {
	return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("worker"), Image: aws.String(w.definitions[*in.TaskDefinition]),
		}},
	}}, nil
}

// ListServiceDeployments answers one deployment a page.
func (w *world) ListServiceDeployments(
	_ context.Context, in *ecs.ListServiceDeploymentsInput, _ ...func(*ecs.Options),
) (*ecs.ListServiceDeploymentsOutput, error) {
	page, _ := strconv.Atoi(aws.ToString(in.NextToken))
	if page >= len(w.past) {
		return &ecs.ListServiceDeploymentsOutput{}, nil
	}
	return &ecs.ListServiceDeploymentsOutput{
		ServiceDeployments: w.past[page : page+1], NextToken: aws.String(strconv.Itoa(page + 1)),
	}, nil
}

func (w *world) DescribeServiceRevisions(
	_ context.Context, in *ecs.DescribeServiceRevisionsInput, _ ...func(*ecs.Options),
) (*ecs.DescribeServiceRevisionsOutput, error) {
	var out ecs.DescribeServiceRevisionsOutput
	for _, arn := range in.ServiceRevisionArns {
		definition := strings.TrimPrefix(arn, "revision of ")
		image := w.definitions[definition]
		_, digest, _ := strings.Cut(image, "@")
		if digest == "" {
			digest = "sha256:of-the-tag"
		}
		out.ServiceRevisions = append(out.ServiceRevisions, types.ServiceRevision{
			ServiceRevisionArn: aws.String(arn), TaskDefinition: aws.String(definition),
			ContainerImages: []types.ContainerImage{{
				ContainerName: aws.String("worker"), Image: aws.String(image), ImageDigest: aws.String(digest),
			}},
		})
	}
	return &out, nil
}

func (w *world) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (
	*ecs.UpdateServiceOutput, error,
) {
	w.updates = append(w.updates, in)
	return &ecs.UpdateServiceOutput{}, w.fail["UpdateService"]
}

func (w *world) ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	var out ecs.ListTasksOutput
	for _, task := range w.stopped {
		out.TaskArns = append(out.TaskArns, *task.TaskArn)
	}
	return &out, w.fail["ListTasks"]
}

func (w *world) DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (
	*ecs.DescribeTasksOutput, error,
) {
	return &ecs.DescribeTasksOutput{Tasks: w.stopped}, nil
}

func (w *world) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (
	*sqs.GetQueueAttributesOutput, error,
) {
	counts := w.depths[*in.QueueUrl]
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(counts[0]),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(counts[1]),
	}}, w.fail["GetQueueAttributes"]
}

// GetMetricData answers the points of the asked span, one series a page.
func (w *world) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (
	*cloudwatch.GetMetricDataOutput, error,
) {
	page, _ := strconv.Atoi(aws.ToString(in.NextToken))
	if page == 0 {
		w.measured = append(w.measured, in)
	}
	id := *in.MetricDataQueries[page].Id
	result := cwtypes.MetricDataResult{Id: &id, StatusCode: cwtypes.StatusCodeComplete}
	if id == w.incomplete {
		result.StatusCode = cwtypes.StatusCodeInternalError
	}
	for _, p := range w.series[id] {
		if !p.at.Before(*in.StartTime) && p.at.Before(*in.EndTime) {
			result.Timestamps = append(result.Timestamps, p.at)
			result.Values = append(result.Values, p.value)
		}
	}
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []cwtypes.MetricDataResult{result}}
	if page+1 < len(in.MetricDataQueries) {
		out.NextToken = aws.String(strconv.Itoa(page + 1))
	}
	return out, w.fail["GetMetricData"]
}

// stop adds a stopped task of the version.
func (w *world) stop(definition string, code types.TaskStopCode, reason string, exit *int32) {
	w.stopped = append(w.stopped, types.Task{
		TaskArn:           aws.String(fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/c/%d", len(w.stopped))),
		TaskDefinitionArn: &definition, StopCode: code, StoppedReason: &reason, CreatedAt: &noon,
		Containers: []types.Container{{Name: aws.String("worker"), ExitCode: exit}},
	})
}

func (w *world) preparer() Preparer {
	return Preparer{
		ECS: w, CloudWatch: w, SQS: w, Service: service, Metrics: metrics, DeadLetterQueue: "dead",
		AcceptableDelay: time.Minute, Start: 90 * time.Second, Baseline: time.Hour, Rollback: 15 * time.Minute,
		Defaults: Request{
			Reason: "by hand", Canary: true, RollBack: true, Rollout: 30 * time.Minute, Soak: 5 * time.Minute,
		},
		Now: func() time.Time { return noon },
	}
}

var (
	service = Service{Cluster: "c", Name: "s", Container: "worker"}
	metrics = Metrics{Namespace: "n", Type: "Single-Queue", Queue: "q", Period: time.Minute}
)

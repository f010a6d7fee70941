package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// stopped are tasks of the version that ended although nobody wanted them to, in words.
type stopped struct {
	Crashed  []string // ended by themselves
	NotBegun []string // could not be started
}

type taskClient interface {
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
}

// stoppedTasks finds the stopped tasks of the version that were made or stopped since then. ECS shows a stopped task
// for about an hour.
func (s Service) stoppedTasks(ctx context.Context, client taskClient, version Version, since time.Time) (
	stopped, error,
) {
	var out stopped
	request := &ecs.ListTasksInput{
		Cluster: &s.Cluster, ServiceName: &s.Name, DesiredStatus: types.DesiredStatusStopped,
	}
	for {
		page, err := client.ListTasks(ctx, request)
		if err != nil {
			return stopped{}, fmt.Errorf("list the stopped tasks of service %s: %w", s.Name, err)
		}
		if len(page.TaskArns) > 0 {
			described, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{
				Cluster: &s.Cluster, Tasks: page.TaskArns,
			})
			if err != nil {
				return stopped{}, fmt.Errorf("describe the stopped tasks of service %s: %w", s.Name, err)
			}
			for _, task := range described.Tasks {
				late := !aws.ToTime(task.CreatedAt).Before(since) || !aws.ToTime(task.StoppedAt).Before(since)
				if late && aws.ToString(task.TaskDefinitionArn) == version.TaskDefinitionArn {
					out.add(task, s.Container)
				}
			}
		}
		if request.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			return out, nil
		}
	}
}

// add counts a task by why it stopped. Scaling in, a deployment, a person and the end of Spot capacity are no fault of
// the version.
func (s *stopped) add(task types.Task, container string) {
	arn := aws.ToString(task.TaskArn)
	words := arn[strings.LastIndexByte(arn, '/')+1:] + ": " + aws.ToString(task.StoppedReason)
	for _, c := range task.Containers {
		if aws.ToString(c.Name) != container {
			continue
		}
		if c.ExitCode != nil {
			words += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
		}
		if reason := aws.ToString(c.Reason); reason != "" {
			words += ": " + reason
		}
	}
	switch {
	case task.StopCode == types.TaskStopCodeEssentialContainerExited, unhealthy(task):
		s.Crashed = append(s.Crashed, words)
	case task.StopCode == types.TaskStopCodeTaskFailedToStart:
		s.NotBegun = append(s.NotBegun, words)
	}
}

// unhealthy tells whether the scheduler ended the task because its health check failed; the stop code does not say so.
func unhealthy(task types.Task) bool {
	return task.StopCode == types.TaskStopCodeServiceSchedulerInitiated &&
		strings.Contains(aws.ToString(task.StoppedReason), "health check")
}

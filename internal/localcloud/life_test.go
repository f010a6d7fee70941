//go:build local

package localcloud_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/localcloud/agent"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

const stack = "life"

// TestLocalLife takes the real template through its life on the engine: two deployments, messages, tasks that are
// killed, protected and replaced, a new task definition, and the end, after which no process is left.
func TestLocalLife(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cloud := start(t, localcloud.Config{Speed: 20, StartupDelay: 20 * time.Second})
	l := life{t: t, ctx: ctx, cloud: cloud, ecs: ecs.NewFromConfig(cloud.AWSConfig()),
		sqs: sqs.NewFromConfig(cloud.AWSConfig())}
	l.deploy(nil)
	l.outputs = l.readOutputs()
	l.holdScaling()

	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"messages are handled with the task's role", l.messages},
		{"a killed task is replaced", l.kill},
		{"a protected task is not scaled in", l.protection},
		{"the same deployment again changes nothing", l.again},
		{"a new task definition rolls", l.rolling},
		{"a task definition that does not run is rolled back", l.rollback},
		{"nothing is left", l.end},
	} {
		if !t.Run(step.name, step.run) {
			break
		}
	}
}

type life struct {
	t       *testing.T
	ctx     context.Context
	cloud   *localcloud.Cloud
	ecs     *ecs.Client
	sqs     *sqs.Client
	outputs map[string]string
}

func start(t *testing.T, c localcloud.Config) *localcloud.Cloud {
	t.Helper()
	c.Root = "../.."
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	c.Progress = func(line string) { t.Log(line) }
	began := time.Now()
	cloud, err := localcloud.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %.1f s", time.Since(began).Seconds())
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud
}

func (l *life) deploy(parameters map[string]string) {
	l.t.Helper()
	began := time.Now()
	if err := l.cloud.Deploy(l.ctx, stack, parameters, io.Discard); err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("deployed in %.1f s", time.Since(began).Seconds())
}

func (l *life) readOutputs() map[string]string {
	l.t.Helper()
	out, err := cloudformation.NewFromConfig(l.cloud.AWSConfig()).DescribeStacks(l.ctx,
		&cloudformation.DescribeStacksInput{StackName: aws.String(stack)})
	if err != nil {
		l.t.Fatal(err)
	}
	outputs := map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return outputs
}

// running are the agent's tasks that run and are to go on running.
func (l *life) running() []agent.Task {
	return slices.DeleteFunc(l.cloud.Tasks(), func(t agent.Task) bool { return t.Status != "RUNNING" })
}

// eventually waits for something that the machine needs a while for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s in vain: %s", what)
		}
	}
}

func (l *life) messages(t *testing.T) {
	var once sync.Once
	done := make(chan struct{})
	const count = 5
	deleted := 0
	var mu sync.Mutex
	l.cloud.WatchSQS(func(c sqswatch.Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Action == "DeleteMessage" || c.Action == "DeleteMessageBatch" {
			deleted += max(1, strings.Count(string(c.Request), "ReceiptHandle"))
		}
		if deleted >= count {
			once.Do(func() { close(done) })
		}
	})
	for i := range count {
		body := fmt.Sprintf(`{"id":"life-%d","duration":0.05}`, i)
		if _, err := l.sqs.SendMessage(l.ctx, &sqs.SendMessageInput{
			QueueUrl: aws.String(l.outputs["QueueUrl"]), MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("of %d messages %d were deleted after 20 s", count, deleted)
	}
	for _, task := range l.running() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", task.PID))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(env), "AWS_ACCESS_KEY_ID") {
			t.Error("the worker has keys in its environment, so it does not show what its role may do")
		}
		t.Logf("process %d of task %s, its log: %s", task.PID, task.ID, task.LogPath)
	}
}

// kill ends a worker like the kernel does when memory runs out.
func (l *life) kill(t *testing.T) {
	victim := l.running()[0]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another task runs", func() bool {
		tasks := l.running()
		return len(tasks) == 1 && tasks[0].ARN != victim.ARN
	})
	out, err := l.ecs.DescribeTasks(l.ctx, &ecs.DescribeTasksInput{
		Cluster: aws.String(l.outputs["ClusterName"]), Tasks: []string{victim.ARN}})
	if err != nil {
		t.Fatal(err)
	}
	task := out.Tasks[0]
	t.Logf("%s: %s, exit code %d", aws.ToString(task.LastStatus), aws.ToString(task.StoppedReason),
		aws.ToInt32(task.Containers[0].ExitCode))
	if aws.ToInt32(task.Containers[0].ExitCode) != 137 || task.StopCode != "EssentialContainerExited" {
		t.Errorf("stop code %s, container %+v", task.StopCode, task.Containers[0])
	}
}

func (l *life) desire(t *testing.T, count int32) {
	t.Helper()
	if _, err := l.ecs.UpdateService(l.ctx, &ecs.UpdateServiceInput{Cluster: aws.String(l.outputs["ClusterName"]),
		Service: aws.String(l.outputs["ServiceName"]), DesiredCount: aws.Int32(count)}); err != nil {
		t.Fatal(err)
	}
}

func (l *life) protect(t *testing.T, arn string, on bool) {
	t.Helper()
	out, err := l.ecs.UpdateTaskProtection(l.ctx, &ecs.UpdateTaskProtectionInput{
		Cluster: aws.String(l.outputs["ClusterName"]), Tasks: []string{arn}, ProtectionEnabled: on})
	if err != nil || len(out.ProtectedTasks) != 1 {
		t.Fatalf("protection of %s: %+v, %v", arn, out, err)
	}
}

func (l *life) protection(t *testing.T) {
	l.desire(t, 3)
	eventually(t, "three tasks run", func() bool { return len(l.running()) == 3 })
	newest := l.running()[2]
	l.protect(t, newest.ARN, true)
	l.desire(t, 1)
	eventually(t, "one task runs", func() bool { return len(l.running()) == 1 })
	if left := l.running()[0]; left.ARN != newest.ARN {
		t.Errorf("the task that is left is %s, not the protected one", left.ID)
	}
	l.desire(t, 0)
	time.Sleep(time.Second) // the scheduler has no reason to wait
	if len(l.running()) != 1 {
		t.Error("the protected task was stopped")
	}
	l.protect(t, newest.ARN, false)
	eventually(t, "no task runs", func() bool { return len(l.running()) == 0 })
	l.desire(t, 1)
	eventually(t, "one task runs", func() bool { return len(l.running()) == 1 })
}

func (l *life) again(*testing.T) {
	before := l.running()[0].ARN
	l.deploy(nil)
	if after := l.running(); len(after) != 1 || after[0].ARN != before {
		l.t.Errorf("after the same deployment other tasks run: %v", after)
	}
}

func (l *life) rolling(t *testing.T) {
	before := l.running()[0].ARN
	l.deploy(map[string]string{"TaskMemory": "1024"})
	eventually(t, "the old task has gone and one runs", func() bool {
		tasks := l.running()
		return len(tasks) == 1 && tasks[0].ARN != before
	})
	for _, task := range l.cloud.Tasks() {
		if task.ARN == before {
			eventually(t, "the old task has stopped", func() bool { return l.find(before).Status == "STOPPED" })
			old := l.find(before)
			if old.ExitCode == nil || *old.ExitCode != 0 {
				t.Errorf("the old task ended with %v: %s", old.ExitCode, old.Reason)
			}
			t.Logf("the old task: %s, exit code %d", old.Reason, *old.ExitCode)
		}
	}
}

// deployments are the service's deployments, newest first.
func (l *life) deployments(t *testing.T) []ecstypes.ServiceDeploymentBrief {
	t.Helper()
	out, err := l.ecs.ListServiceDeployments(l.ctx, &ecs.ListServiceDeploymentsInput{
		Cluster: aws.String(l.outputs["ClusterName"]), Service: aws.String(l.outputs["ServiceName"])})
	if err != nil {
		t.Fatal(err)
	}
	return out.ServiceDeployments
}

// rollback deploys a worker that ends at once, because it lacks its environment.
func (l *life) rollback(t *testing.T) {
	good := l.running()[0].ARN
	out, err := l.ecs.DescribeServices(l.ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(l.outputs["ClusterName"]), Services: []string{l.outputs["ServiceName"]}})
	if err != nil {
		t.Fatal(err)
	}
	definition := aws.ToString(out.Services[0].TaskDefinition)
	bad, err := l.ecs.RegisterTaskDefinition(l.ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("bad"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("worker"),
			Image: aws.String(localcloud.WorkerImage), Essential: aws.Bool(true)}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.ecs.UpdateService(l.ctx, &ecs.UpdateServiceInput{
		Cluster: aws.String(l.outputs["ClusterName"]), Service: aws.String(l.outputs["ServiceName"]),
		TaskDefinition: bad.TaskDefinition.TaskDefinitionArn}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deployment is rolled back", func() bool {
		return l.deployments(t)[0].Status == ecstypes.ServiceDeploymentStatusRollbackSuccessful
	})
	var seen []string
	for _, d := range l.deployments(t) {
		seen = append(seen, string(d.Status))
	}
	t.Logf("deployments: %s; %s", strings.Join(seen, ", "), aws.ToString(l.deployments(t)[0].StatusReason))
	if want := []string{"ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"}; !slices.Equal(seen, want) {
		t.Errorf("deployments %q, want %q", seen, want)
	}
	revision, err := l.ecs.DescribeServiceRevisions(l.ctx, &ecs.DescribeServiceRevisionsInput{
		ServiceRevisionArns: []string{aws.ToString(l.deployments(t)[1].TargetServiceRevisionArn)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(revision.ServiceRevisions[0].TaskDefinition); got != definition {
		t.Errorf("the revision before has the task definition %s, want %s", got, definition)
	}
	if l.find(good).Status != "RUNNING" {
		t.Error("the good task did not stay")
	}

	// The service is as if nothing had been, and what is wanted from now on is wanted of the old version.
	l.desire(t, 2)
	eventually(t, "two tasks run", func() bool { return len(l.running()) == 2 })
	if out, err = l.ecs.DescribeServices(l.ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(l.outputs["ClusterName"]), Services: []string{l.outputs["ServiceName"]}}); err != nil {
		t.Fatal(err)
	}
	if left := out.Services[0].Deployments; len(left) != 1 || left[0].DesiredCount != 2 ||
		aws.ToString(left[0].TaskDefinition) != definition {
		t.Errorf("after the rollback the deployments are %+v", left)
	}
}

func (l *life) find(arn string) agent.Task {
	for _, task := range l.cloud.Tasks() {
		if task.ARN == arn {
			return task
		}
	}
	return agent.Task{}
}

// holdScaling keeps the autoscaler from changing counts that this test sets itself.
func (l *life) holdScaling() {
	l.t.Helper()
	resource := strings.Split(l.outputs["ScalableTargetId"], "|")[0]
	if err := suspendScaling(l.ctx, l.cloud.AWSConfig(), resource); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) end(t *testing.T) {
	began := time.Now()
	if err := l.cloud.Delete(l.ctx, stack, io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Logf("deleted in %.1f s", time.Since(began).Seconds())
	for _, task := range l.cloud.Tasks() {
		if task.Status != "STOPPED" {
			t.Errorf("task %s is %s after the stack has gone", task.ID, task.Status)
		}
	}
	began = time.Now()
	if err := l.cloud.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("closed in %.1f s", time.Since(began).Seconds())
	if left := processesOf(t, l.cloud.Dir()); len(left) > 0 {
		t.Errorf("processes are left: %s", strings.Join(left, "; "))
	}
}

// processesOf lists the living processes that have the folder of a run in their command or environment.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, pid := range pidsOf(t, dir) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended just now
		found = append(found, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(command), "\x00", " ")))
	}
	return found
}

func pidsOf(t *testing.T, dir string) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range paths {
		env, _ := os.ReadFile(path) // it may have ended just now
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil &&
			strings.Contains(string(command)+string(env), dir) {
			found = append(found, pid)
		}
	}
	return found
}

// suspendScaling lets a count stay as a test sets it.
func suspendScaling(ctx context.Context, config aws.Config, resource string) error {
	_, err := applicationautoscaling.NewFromConfig(config).RegisterScalableTarget(ctx,
		&applicationautoscaling.RegisterScalableTargetInput{
			ServiceNamespace: types.ServiceNamespaceEcs, ResourceId: &resource,
			ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
			MinCapacity:       aws.Int32(0),
			SuspendedState: &types.SuspendedState{DynamicScalingInSuspended: aws.Bool(true),
				DynamicScalingOutSuspended: aws.Bool(true), ScheduledScalingSuspended: aws.Bool(true)},
		})
	return err
}

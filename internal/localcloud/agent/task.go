package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// defaultStopTimeout is ECS's, for a container that does not say.
const defaultStopTimeout = 30 * time.Second

// task is one task's life. Its goroutine is live; other goroutines read snapshots and give the order to stop.
type task struct {
	agent     *Agent
	record    ministack.Task
	container ministack.ContainerDefinition
	token     string // in the paths of its endpoints
	keys      *keys  // of its role; nil without one
	execution *keys  // of its execution role, likewise

	ordered   chan struct{} // closed by order
	orderOnce sync.Once

	mu   sync.Mutex
	view Task
}

func newTask(a *Agent, record ministack.Task) *task {
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	service, isService := strings.CutPrefix(record.Group, "service:")
	if !isService {
		service = ""
	}
	t := &task{
		agent:     a,
		record:    record,
		container: overridden(record.Definition.Containers[0], record.ContainerOverrides),
		token:     hex.EncodeToString(secret[:]),
		ordered:   make(chan struct{}),
		view: Task{ARN: record.ARN, ID: lastPart(record.ARN), Cluster: lastPart(record.ClusterARN), Service: service,
			Status: "PENDING", Health: "UNKNOWN", Created: time.Now()},
	}
	t.view.LogPath = a.logPath(t.view)
	if role := record.Definition.TaskRoleARN; role != "" {
		t.keys = &keys{source: a.emulator, role: role, session: t.view.ID}
	}
	if role := record.Definition.ExecutionRoleARN; role != "" {
		t.execution = &keys{source: a.emulator, role: role, session: t.view.ID}
	}
	return t
}

// overridden is a container as RunTask changed it.
func overridden(
	c ministack.ContainerDefinition, overrides []ministack.ContainerOverride,
) ministack.ContainerDefinition {
	for _, o := range overrides {
		if o.Name != c.Name {
			continue
		}
		if len(o.Command) > 0 {
			c.Command = o.Command
		}
		c.Environment = append(append([]ministack.Variable{}, c.Environment...), o.Environment...)
	}
	return c
}

func (t *task) snapshot() Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view
}

// change changes what is known of the task.
func (t *task) change(f func(*Task)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.view)
}

// order says that the task is to end.
func (t *task) order(reason string) {
	t.orderOnce.Do(func() {
		t.change(func(v *Task) {
			if v.Status != "STOPPED" {
				v.Status, v.Reason = "STOPPING", reason
			}
		})
		close(t.ordered)
	})
}

// live runs the task from PENDING to STOPPED.
func (t *task) live() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	t.change(func(*Task) {})
	end := t.run(ctx)
	t.change(func(v *Task) {
		v.Status, v.Stopped, v.ExitCode = "STOPPED", time.Now(), end.ExitCode
		if v.Reason == "" {
			v.Reason = end.Reason
		}
	})
	if t.stopOrdered() {
		end.Reason, end.Code = t.snapshot().Reason, "UserInitiated"
	} else {
		t.countFailure()
	}
	if t.agent.closing.Err() != nil {
		return // the records end with the emulator
	}
	if err := t.agent.emulator.TaskStopped(ctx, t.view.ARN, end); err != nil {
		t.agent.config.Log.Warn("the emulator did not take the end of a task", "task", t.view.ID, "error", err)
	}
}

// run starts the process and follows it to its end.
func (t *task) run(ctx context.Context) ministack.TaskStop {
	image, failed := t.prepare(ctx)
	if failed != nil || image == nil {
		return orNeverStarted(failed)
	}
	logs, err := t.openLog(ctx)
	if err != nil {
		return notStarted("ResourceInitializationError: failed to validate logger args: "+err.Error(), "")
	}
	defer logs.Close()
	p, err := startProcess(t.command(*image), logs)
	if err != nil {
		return notStarted("CannotStartContainerError: "+err.Error(), "CannotStartContainerError: "+err.Error())
	}
	t.change(func(v *Task) {
		v.Digest = image.Digest
		v.Started, v.PID = time.Now(), p.pid()
		if v.Status == "PENDING" {
			v.Status = "RUNNING"
		}
	})
	if err := t.agent.emulator.TaskRunning(ctx, t.view.ARN, image.Digest); err != nil {
		t.agent.config.Log.Warn("the emulator did not take the start of a task", "task", t.view.ID, "error", err)
	}
	return t.follow(ctx, *image, p)
}

// prepare waits out the start-up and finds the image. Without an image and a failure the task was told to stop.
func (t *task) prepare(ctx context.Context) (*Image, *ministack.TaskStop) {
	timer := time.NewTimer(t.startDelay())
	defer timer.Stop()
	type answer struct {
		image Image
		err   error
	}
	pulled := make(chan answer, 1)
	go func() {
		image, err := t.agent.config.Images.Find(ctx, t.container.Image, t.asExecutionRole())
		pulled <- answer{image, err}
	}()
	var image *Image
	for waited := false; image == nil || !waited; {
		select {
		case <-t.ordered:
			return nil, nil
		case <-t.agent.closing.Done():
			return nil, nil
		case <-timer.C:
			waited = true
		case a := <-pulled:
			if a.err != nil {
				reason := "CannotPullContainerError: " + a.err.Error()
				failed := notStarted(reason, reason)
				return nil, &failed
			}
			image = &a.image
		}
	}
	if t.keys != nil {
		if _, err := t.keys.get(ctx); err != nil {
			failed := notStarted(err.Error(), "")
			return nil, &failed
		}
	}
	return image, nil
}

func (t *task) startDelay() time.Duration {
	c := t.agent.config
	delay := time.Duration(float64(c.StartupDelay) / c.Speed)
	return delay + t.agent.failures.delay(t.record.ClusterARN+t.record.Group)
}

// follow waits for the process's end or for a reason to end it.
func (t *task) follow(ctx context.Context, image Image, p *process) ministack.TaskStop {
	checking, stopChecking := context.WithCancel(ctx)
	defer stopChecking()
	unhealthy := t.checkHealth(checking, image)
	end := ministack.TaskStop{Reason: "Essential container in task exited", Code: "EssentialContainerExited"}
	select {
	case <-p.done:
	case <-t.ordered:
		p.terminate(t.stopTimeout())
	case <-t.agent.closing.Done():
		p.terminate(min(t.stopTimeout(), t.agent.config.CloseGrace))
	case <-unhealthy:
		p.terminate(t.stopTimeout())
		end = ministack.TaskStop{Reason: "Task failed container health checks", Code: "ServiceSchedulerInitiated"}
	}
	code := p.exitCode()
	end.ExitCode = &code
	if code == 137 {
		end.ContainerReason = "the process was killed (SIGKILL)"
	}
	return end
}

// asExecutionRole is what ECS itself does for the task: pull its image, write its log. Without such a role it is root.
func (t *task) asExecutionRole() aws.Config {
	config := t.agent.config.AWS.Copy()
	if t.execution != nil {
		config.Credentials = t.execution
	}
	return config
}

func (t *task) stopTimeout() time.Duration {
	if t.container.StopTimeout > 0 {
		return time.Duration(t.container.StopTimeout) * time.Second
	}
	return defaultStopTimeout
}

func (t *task) stopOrdered() bool {
	select {
	case <-t.ordered:
		return true
	default:
		return false
	}
}

// countFailure remembers how a task ended that nobody had asked to stop.
func (t *task) countFailure() {
	view := t.snapshot()
	lived := time.Duration(0)
	if !view.Started.IsZero() {
		lived = view.Stopped.Sub(view.Started)
	}
	t.agent.failures.ended(t.record.ClusterARN+t.record.Group, lived)
}

func notStarted(reason, containerReason string) ministack.TaskStop {
	return ministack.TaskStop{Reason: reason, Code: "TaskFailedToStart", ContainerReason: containerReason}
}

func orNeverStarted(failed *ministack.TaskStop) ministack.TaskStop {
	if failed != nil {
		return *failed
	}
	return notStarted("the task was stopped before it started", "")
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// TestTaskLife runs real processes: shell scripts in the place of a worker.
func TestTaskLife(t *testing.T) {
	const graceful = `trap 'exit 0' TERM; echo up; while :; do sleep 0.02; done`
	tests := []struct {
		name   string
		script string
		change func(*ministack.Task)
		stop   bool // ordered once the script has said "up"
		want   ministack.TaskStop
		code   int // -1: none
	}{
		{name: "stops in order when it is told to", script: graceful, stop: true, code: 0,
			want: ministack.TaskStop{Reason: "enough", Code: "UserInitiated"}},
		{name: "is killed when it does not stop in time", stop: true, code: 137,
			script: `trap '' TERM; echo up; while :; do sleep 0.02; done`,
			want: ministack.TaskStop{Reason: "enough", Code: "UserInitiated",
				ContainerReason: "the process was killed (SIGKILL)"}},
		{name: "ends by itself", script: `exit 3`, code: 3,
			want: ministack.TaskStop{Reason: "Essential container in task exited", Code: "EssentialContainerExited"}},
		{name: "ends by a signal", script: `kill -SEGV $$`, code: 139,
			want: ministack.TaskStop{Reason: "Essential container in task exited", Code: "EssentialContainerExited"}},
		{name: "has an image that is not there", code: -1,
			change: func(r *ministack.Task) { r.Definition.Containers[0].Image = "other" },
			want: ministack.TaskStop{Reason: "CannotPullContainerError: no image other", Code: "TaskFailedToStart",
				ContainerReason: "CannotPullContainerError: no image other"}},
		{name: "has an entry point that is not there", code: -1,
			change: func(r *ministack.Task) { r.Definition.Containers[0].EntryPoint = []string{"/missing"} },
			want:   ministack.TaskStop{Code: "TaskFailedToStart"}},
		{name: "has a role that nobody may assume", code: -1,
			change: func(r *ministack.Task) { r.Definition.TaskRoleARN = "arn:aws:iam::000000000000:role/bad" },
			want:   ministack.TaskStop{Reason: "ECS was unable to assume the role", Code: "TaskFailedToStart"}},
		{name: "fails its health check", script: graceful, code: 0,
			change: func(r *ministack.Task) {
				r.Definition.Containers[0].HealthCheck = &ministack.HealthCheck{
					Command: []string{"CMD-SHELL", "exit 1"}, Interval: 1, Retries: 2}
			},
			want: ministack.TaskStop{Reason: "Task failed container health checks", Code: "ServiceSchedulerInitiated"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := setup(t, test.script)
			record := b.record("one")
			if test.change != nil {
				test.change(&record)
			}
			if err := b.agent.RunTask(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			if test.stop {
				b.await(t, func() bool { return strings.Contains(b.log(t, record.ARN), "up") })
				if err := b.agent.StopTask(t.Context(), record.ARN, "enough"); err != nil {
					t.Fatal(err)
				}
			}
			got := <-b.emulator.stopped
			code := -1
			if got.ExitCode != nil {
				code = *got.ExitCode
			}
			if code != test.code || got.Code != test.want.Code || !strings.HasPrefix(got.Reason, test.want.Reason) {
				t.Errorf("stopped with %+v, exit code %d; want %+v, %d", got, code, test.want, test.code)
			}
			if test.want.ContainerReason != "" && got.ContainerReason != test.want.ContainerReason {
				t.Errorf("the container's reason is %q, want %q", got.ContainerReason, test.want.ContainerReason)
			}
			if started := b.emulator.ran(record.ARN); started != (test.code >= 0) {
				t.Errorf("reported as running: %v", started)
			}
		})
	}
}

func TestStopBeforeRun(t *testing.T) {
	b := setup(t, "exit 0")
	record := b.record("early")
	if err := b.agent.StopTask(t.Context(), record.ARN, "changed my mind"); err != nil {
		t.Fatal(err)
	}
	if got := <-b.emulator.stopped; got.ExitCode != nil || got.Reason != "changed my mind" {
		t.Errorf("stopped with %+v", got)
	}
	if err := b.agent.RunTask(t.Context(), record); err == nil {
		t.Error("a task ran that had been stopped before")
	}
}

func TestStopWhilePending(t *testing.T) {
	b := setup(t, "exit 0")
	b.agent.config.StartupDelay = time.Hour
	record := b.record("pending")
	if err := b.agent.RunTask(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if err := b.agent.StopTask(t.Context(), record.ARN, "scaled in"); err != nil {
		t.Fatal(err)
	}
	if got := <-b.emulator.stopped; got.ExitCode != nil || got.Reason != "scaled in" {
		t.Errorf("stopped with %+v", got)
	}
}

func TestSeveralContainersAreRefused(t *testing.T) {
	b := setup(t, "exit 0")
	record := b.record("pair")
	record.Definition.Containers = append(record.Definition.Containers, record.Definition.Containers[0])
	if err := b.agent.RunTask(t.Context(), record); err == nil || !strings.Contains(err.Error(), "one container") {
		t.Errorf("error %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "must not reach a task")
	b := setup(t, `env; echo up; sleep 60`)
	record := b.record("env")
	record.Definition.TaskRoleARN = "arn:aws:iam::000000000000:role/good"
	record.Definition.Containers[0].Environment = []ministack.Variable{{Name: "QUEUE_URL", Value: "q"}}
	record.ContainerOverrides = []ministack.ContainerOverride{{Name: "worker",
		Environment: []ministack.Variable{{Name: "EXTRA", Value: "1"}}}}
	if err := b.agent.RunTask(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	b.await(t, func() bool { return strings.Contains(b.log(t, record.ARN), "up") })
	env := b.log(t, record.ARN)
	for _, want := range []string{"QUEUE_URL=q", "EXTRA=1", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://engine",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:", "ECS_AGENT_URI=http://127.0.0.1:",
		"ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:", "AWS_EXECUTION_ENV=AWS_ECS_FARGATE"} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	if strings.Contains(env, "AWS_ACCESS_KEY_ID") {
		t.Error("the keys of this process reach a task")
	}
}

func TestCloseStopsEverything(t *testing.T) {
	b := setup(t, `trap '' TERM; echo up; while :; do sleep 0.02; done`)
	b.agent.config.CloseGrace = 50 * time.Millisecond
	for i := range 3 {
		if err := b.agent.RunTask(t.Context(), b.record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	var pids []int
	b.await(t, func() bool {
		pids = nil
		for _, task := range b.agent.Tasks() {
			if task.PID != 0 {
				pids = append(pids, task.PID)
			}
		}
		return len(pids) == 3
	})
	if err := b.agent.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is left", pid)
		}
	}
	if err := b.agent.RunTask(t.Context(), b.record("late")); err == nil {
		t.Error("a closed agent took a task")
	}
}

// bundle is an agent with a fake emulator and one image, "worker", whose /worker is a script.
type bundle struct {
	agent    *Agent
	emulator *fakeEmulator
}

func setup(t *testing.T, script string) *bundle {
	t.Helper()
	root := t.TempDir()
	file := "#!/bin/sh\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(root, "worker"), []byte(file), 0o755); err != nil {
		t.Fatal(err)
	}
	emulator := &fakeEmulator{running: map[string]bool{}, stopped: make(chan ministack.TaskStop, 10)}
	a, err := New(emulator, Config{Images: oneImage{root}, Dir: t.TempDir(), Speed: 100,
		Environ: []string{"AWS_ENDPOINT_URL=http://engine"}, CloseGrace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return &bundle{a, emulator}
}

func (b *bundle) record(id string) ministack.Task {
	return ministack.Task{
		Region: "us-east-1", ARN: "arn:aws:ecs:us-east-1:000000000000:task/c/" + id, Group: "service:s",
		ClusterARN: "arn:aws:ecs:us-east-1:000000000000:cluster/c",
		Definition: ministack.TaskDefinition{Family: "f", Revision: 7, CPU: "256", Memory: "512",
			Containers: []ministack.ContainerDefinition{{Name: "worker", Image: "worker", StopTimeout: 1}}},
	}
}

func (b *bundle) log(t *testing.T, arn string) string {
	t.Helper()
	for _, task := range b.agent.Tasks() {
		if task.ARN == arn {
			text, _ := os.ReadFile(task.LogPath) // not before it starts
			return string(text)
		}
	}
	return ""
}

// await waits for what a process does.
func (b *bundle) await(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 10 s in vain")
		}
	}
}

type oneImage struct{ root string }

func (o oneImage) Find(_ context.Context, name string, _ aws.Config) (Image, error) {
	if name != "worker" {
		return Image{}, errors.New("no image " + name)
	}
	return Image{Root: o.root, EntryPoint: []string{"/worker"}}, nil
}

type fakeEmulator struct {
	mu      sync.Mutex
	running map[string]bool
	keys    int // how often credentials were asked for
	stopped chan ministack.TaskStop
}

func (f *fakeEmulator) TaskRunning(_ context.Context, arn, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[arn] = true
	return nil
}

func (f *fakeEmulator) ran(arn string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[arn]
}

func (f *fakeEmulator) TaskHealth(context.Context, string, string) error { return nil }

func (f *fakeEmulator) TaskStopped(_ context.Context, _ string, stop ministack.TaskStop) error {
	f.stopped <- stop
	return nil
}

func (f *fakeEmulator) TaskCredentials(_ context.Context, role, session string, valid time.Duration) (
	ministack.Credentials, error,
) {
	if strings.HasSuffix(role, "/bad") {
		return ministack.Credentials{}, errors.New("ECS was unable to assume the role '" + role + "'")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys++
	return ministack.Credentials{AccessKey: "ASIA", SecretKey: "secret of " + session, SessionToken: "token",
		Expiration: float64(time.Now().Add(valid).Unix())}, nil
}

func get(t *testing.T, url, authorization string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Package agent is the ECS agent of the local engine: for each task that the emulator says is to run, it runs one real
// process.
//
// The emulator keeps the records (task definitions, services, desired counts, deployments) and decides which tasks
// there are; this package carries it out and reports:
//
//	Run   -> PENDING, start-up delay -> process starts -> RUNNING -> process ends -> STOPPED with exit code
//	Stop  ->                                              SIGTERM, stopTimeout, SIGKILL -> STOPPED
//
// A process gets what a container on Fargate gets: its environment from the task definition, credentials of the task's
// role, the metadata endpoint (version 4) and the agent endpoint for task protection. So the permissions of the role
// apply. What it does not get is isolation: it runs on this machine as the user who started the engine.
package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// emulator keeps the records of the tasks. *ministack.Process is one.
type emulator interface {
	TaskRunning(ctx context.Context, arn, imageDigest string) error
	TaskHealth(ctx context.Context, arn, status string) error
	TaskStopped(ctx context.Context, arn string, stop ministack.TaskStop) error
	TaskCredentials(ctx context.Context, role, session string, valid time.Duration) (ministack.Credentials, error)
}

// Config says how tasks run.
type Config struct {
	// AWS reaches the engine as the root user: for the logs of the tasks.
	AWS aws.Config
	// Images finds the files of a container image.
	Images Images
	// Environ is set for every task before its own environment: how to reach the engine.
	Environ []string
	// Dir gets one log file for each task.
	Dir string
	// Speed divides the start-up delay, back-off, and the interval of health checks; 0 means 1.
	Speed float64
	// StartupDelay is how long a task is PENDING, before Speed.
	StartupDelay time.Duration
	// CloseGrace is how long Close waits between SIGTERM and SIGKILL; 0 means 5 s.
	CloseGrace time.Duration
	// Log receives what goes wrong; nil discards it.
	Log *slog.Logger
}

// Task is what the agent knows of one task.
type Task struct {
	ARN, ID          string
	Cluster, Service string // Service is empty for a task that RunTask started
	Status           string // PENDING, RUNNING, STOPPING, STOPPED
	Health           string // UNKNOWN, HEALTHY, UNHEALTHY
	PID              int    // of its process, 0 before it has one
	Digest           string // of its image, "" for one that was built here
	LogPath          string
	Created          time.Time
	Started, Stopped time.Time // zero: not yet
	ExitCode         *int      // nil: it has none
	Reason           string    // why it stopped
}

// Agent runs tasks. Make one with New.
type Agent struct {
	config   Config
	emulator emulator
	server   *http.Server
	endpoint string // of this agent, for the tasks
	failures failures

	closing context.Context // done when Close begins
	stop    context.CancelFunc

	mu     sync.Mutex
	tasks  map[string]*task // by ARN; stopped ones stay for a while
	early  map[string]bool  // ARNs that were stopped before they came
	closed bool
	wait   sync.WaitGroup // one for each task that is not yet STOPPED
}

// keptTasks is how many stopped tasks the agent remembers.
const keptTasks = 200

// New starts the endpoints for tasks on a loopback port. Close must be called.
func New(e emulator, c Config) (*Agent, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Speed = cmp.Or(c.Speed, 1)
	c.CloseGrace = cmp.Or(c.CloseGrace, 5*time.Second)
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of task logs: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for tasks: %w", err)
	}
	a := &Agent{config: c, emulator: e, endpoint: "http://" + listener.Addr().String(),
		tasks: map[string]*task{}, early: map[string]bool{}}
	a.closing, a.stop = context.WithCancel(context.Background())
	a.failures.scale = c.Speed
	a.server = &http.Server{Handler: a.endpoints(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.server.Serve(listener) }() // ends with Close
	return a, nil
}

// RunTask takes a task that is to run; it returns at once. An error means that the task cannot run at all.
func (a *Agent) RunTask(_ context.Context, record ministack.Task) error {
	if n := len(record.Definition.Containers); n != 1 {
		return fmt.Errorf("the local engine runs tasks of one container; %s has %d", record.Definition.Family, n)
	}
	t := newTask(a, record)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return fmt.Errorf("the local engine is closing")
	}
	if a.early[record.ARN] {
		delete(a.early, record.ARN)
		return fmt.Errorf("the task was stopped before it started")
	}
	a.tasks[record.ARN] = t
	a.forgetOld()
	a.wait.Go(t.live)
	return nil
}

// StopTask ends a task; it returns at once. The task may be unknown: an order to stop can overtake the one to run.
func (a *Agent) StopTask(ctx context.Context, arn, reason string) error {
	a.mu.Lock()
	t := a.tasks[arn]
	if t == nil {
		a.early[arn] = true
	}
	a.mu.Unlock()
	if t == nil {
		return a.emulator.TaskStopped(ctx, arn, ministack.TaskStop{Reason: reason, Code: "UserInitiated"})
	}
	t.order(reason)
	return nil
}

// Tasks lists the tasks, oldest first, with those that stopped lately.
func (a *Agent) Tasks() []Task {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Task, 0, len(a.tasks))
	for _, t := range a.tasks {
		list = append(list, t.snapshot())
	}
	slices.SortFunc(list, func(x, y Task) int { return x.Created.Compare(y.Created) })
	return list
}

// Close stops every task and returns when none of their processes is left.
func (a *Agent) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.stop()
	a.wait.Wait()
	return a.server.Close()
}

// forgetOld drops the tasks that stopped longest ago. The caller holds the lock.
func (a *Agent) forgetOld() {
	var stopped []Task
	for _, t := range a.tasks {
		if view := t.snapshot(); view.Status == "STOPPED" {
			stopped = append(stopped, view)
		}
	}
	slices.SortFunc(stopped, func(x, y Task) int { return x.Stopped.Compare(y.Stopped) })
	for _, old := range stopped[:max(0, len(stopped)-keptTasks)] {
		delete(a.tasks, old.ARN)
	}
}

// byToken finds a running task by the secret in the paths of its endpoints.
func (a *Agent) byToken(token string) *task {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tasks {
		if t.token == token {
			return t
		}
	}
	return nil
}

func (a *Agent) logPath(t Task) string {
	name := t.Service
	if name == "" {
		name = "task"
	}
	return filepath.Join(a.config.Dir, name+"-"+t.ID[:min(8, len(t.ID))]+".log")
}

// lastPart is what stands behind the last slash of an ARN.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

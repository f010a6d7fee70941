package agent

import (
	"cmp"
	"context"
	"io"
	"syscall"
	"time"
)

// ECS's defaults of a health check.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 5 * time.Second
	defaultRetries  = 3
)

// checkHealth runs the container's health check until ctx ends. The channel is closed when the task is unhealthy; it
// never is without a health check.
func (t *task) checkHealth(ctx context.Context, image Image) <-chan struct{} {
	unhealthy := make(chan struct{})
	check, ok := t.healthCommand(image)
	if !ok {
		return unhealthy
	}
	go func() {
		if t.watchHealth(ctx, check) {
			close(unhealthy)
		}
	}()
	return unhealthy
}

// watchHealth answers true when the check has failed too often in a row, false when ctx has ended.
func (t *task) watchHealth(ctx context.Context, check command) bool {
	settings := t.container.HealthCheck
	seconds := func(n int, otherwise time.Duration) time.Duration {
		return cmp.Or(time.Duration(n)*time.Second, otherwise)
	}
	interval := time.Duration(float64(seconds(int(settings.Interval), defaultInterval)) / t.agent.config.Speed)
	timeout := seconds(int(settings.Timeout), defaultTimeout) // of a real process: not scaled
	graceEnds := time.Now().Add(time.Duration(float64(seconds(int(settings.StartPeriod), 0)) / t.agent.config.Speed))
	retries := cmp.Or(int(settings.Retries), defaultRetries)

	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failed := 0
	for {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
		switch healthy := runCheck(ctx, check, timeout); {
		case healthy:
			failed = 0
			t.setHealth(ctx, "HEALTHY")
		case ctx.Err() == nil && time.Now().After(graceEnds):
			failed++
		}
		if failed >= retries {
			t.setHealth(ctx, "UNHEALTHY")
			return true
		}
	}
}

func runCheck(ctx context.Context, check command, timeout time.Duration) bool {
	p, err := startProcess(check, io.Discard)
	if err != nil {
		return false
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.signal(syscall.SIGKILL)
		<-p.done
		return false
	case <-ctx.Done():
		p.signal(syscall.SIGKILL)
	}
	return p.exitCode() == 0
}

func (t *task) setHealth(ctx context.Context, status string) {
	if t.snapshot().Health == status {
		return
	}
	t.change(func(v *Task) { v.Health = status })
	if err := t.agent.emulator.TaskHealth(ctx, t.view.ARN, status); err != nil && ctx.Err() == nil {
		t.agent.config.Log.Warn("the emulator did not take a task's health", "task", t.view.ID, "error", err)
	}
}

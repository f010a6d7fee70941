package localcloud

import (
	"path/filepath"
	"sync"

	"sqs-dynamic-target-tracking/internal/localcloud/agent"
)

// Tasks lists the tasks that the engine runs and those that stopped lately, oldest first.
func (c *Cloud) Tasks() []agent.Task { return c.agent.Tasks() }

// WatchTasks calls f after each change of a task's state, from the task's own goroutine.
func (c *Cloud) WatchTasks(f func(agent.Task)) { c.watchers.add(f) }

func (c *Cloud) startAgent(parts *hooks) (err error) {
	found := &images{root: c.config.Root, progress: c.config.Progress}
	c.atClose(found.close)
	c.agent, err = agent.New(c.emulator, agent.Config{
		AWS:          c.AWSConfig(),
		Images:       found,
		Environ:      []string{"AWS_ENDPOINT_URL=" + c.endpoint, "AWS_EC2_METADATA_DISABLED=true"},
		Dir:          filepath.Join(c.dir, "tasks"),
		Speed:        c.config.Speed,
		StartupDelay: c.config.StartupDelay,
		Changed:      c.watchers.tell,
		Log:          c.config.Log.With("part", "agent"),
	})
	if err != nil {
		return err
	}
	parts.agent = c.agent
	c.atClose(func() { _ = c.agent.Close() })
	return nil
}

// taskWatchers tells what happens to tasks.
type taskWatchers struct {
	mu       sync.RWMutex
	watchers []func(agent.Task)
}

func (t *taskWatchers) add(f func(agent.Task)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers = append(t.watchers, f)
}

func (t *taskWatchers) tell(task agent.Task) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, f := range t.watchers {
		f(task)
	}
}

package localcloud

import (
	"path/filepath"

	"sqs-dynamic-target-tracking/internal/localcloud/agent"
)

// Tasks lists the tasks that the engine runs and those that stopped lately, oldest first.
func (c *Cloud) Tasks() []agent.Task { return c.agent.Tasks() }

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
		Log:          c.config.Log.With("part", "agent"),
	})
	if err != nil {
		return err
	}
	parts.agent = c.agent
	c.atClose(func() { _ = c.agent.Close() })
	return nil
}

package localcloud

import (
	"context"

	"sqs-dynamic-target-tracking/internal/localcloud/agent"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/resources"
)

// hooks gives the emulator what it asks of us. Its parts exist before the first client can make the emulator ask.
type hooks struct {
	resources *resources.Maker
	agent     *agent.Agent
}

// Resource implements ministack.Hooks.
func (h *hooks) Resource(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	return h.resources.Resource(ctx, r)
}

// RunTask implements ministack.Hooks.
func (h *hooks) RunTask(ctx context.Context, t ministack.Task) error { return h.agent.RunTask(ctx, t) }

// StopTask implements ministack.Hooks.
func (h *hooks) StopTask(ctx context.Context, arn, reason string) error {
	return h.agent.StopTask(ctx, arn, reason)
}

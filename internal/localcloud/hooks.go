package localcloud

import (
	"context"
	"errors"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// Resource implements ministack.Hooks.
func (c *Cloud) Resource(context.Context, ministack.ResourceRequest) (ministack.ResourceResult, error) {
	return ministack.ResourceResult{}, errors.New("not yet")
}

// RunTask implements ministack.Hooks.
func (c *Cloud) RunTask(context.Context, ministack.Task) error { return errors.New("not yet") }

// StopTask implements ministack.Hooks.
func (c *Cloud) StopTask(context.Context, string, string) error { return nil }

package localcloud

import (
	"context"

	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
)

// Scaling shows every scalable target with its policies, how far their alarms are, and the activities.
func (c *Cloud) Scaling(ctx context.Context) ([]autoscaling.View, error) {
	return c.autoscaling.Views(ctx)
}

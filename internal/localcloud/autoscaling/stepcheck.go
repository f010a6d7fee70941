package autoscaling

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

func checkStepMembers(v *wire.Violations, c *types.StepScalingPolicyConfiguration) {
	const at = "stepScalingPolicyConfiguration."
	wire.Enum(v, at+"adjustmentType", c.AdjustmentType, c.AdjustmentType.Values())
	wire.Enum(v, at+"metricAggregationType", c.MetricAggregationType, c.MetricAggregationType.Values())
	for i, a := range c.StepAdjustments {
		wire.Required(v, fmt.Sprintf("%sstepAdjustments.%d.member.scalingAdjustment", at, i+1), a.ScalingAdjustment)
	}
}

// checkStep checks the meaning of a step policy: steps are adjacent intervals that do not overlap, with at most one
// open end below and one above.
func checkStep(c *types.StepScalingPolicyConfiguration) error {
	switch {
	case c.AdjustmentType == "":
		return validation("The adjustment type is required for step scaling policies.")
	case len(c.StepAdjustments) == 0:
		return validation("At least one step adjustment is required for step scaling policies.")
	case len(c.StepAdjustments) > maxStepAdjustments:
		return limitExceeded("There can be at most %d step adjustments per scaling policy.", maxStepAdjustments)
	case aws.ToInt32(c.Cooldown) < 0:
		return validation("Cooldown must not be negative: %d.", *c.Cooldown)
	case c.MinAdjustmentMagnitude != nil && c.AdjustmentType != types.AdjustmentTypePercentChangeInCapacity &&
		*c.MinAdjustmentMagnitude > 0:
		return validation(
			"MinAdjustmentMagnitude is only supported for the adjustment type PercentChangeInCapacity, not %s.",
			c.AdjustmentType,
		)
	}
	return checkIntervals(c)
}

func checkIntervals(c *types.StepScalingPolicyConfiguration) error {
	type interval struct{ low, high float64 }
	intervals := make([]interval, len(c.StepAdjustments))
	for i, a := range c.StepAdjustments {
		one := interval{math.Inf(-1), math.Inf(1)}
		if a.MetricIntervalLowerBound != nil {
			one.low = *a.MetricIntervalLowerBound
		}
		if a.MetricIntervalUpperBound != nil {
			one.high = *a.MetricIntervalUpperBound
		}
		switch {
		case math.IsInf(one.low, -1) && math.IsInf(one.high, 1) && len(c.StepAdjustments) > 1,
			a.MetricIntervalLowerBound == nil && a.MetricIntervalUpperBound == nil:
			return validation(
				"At least one of MetricIntervalLowerBound and MetricIntervalUpperBound must be specified" +
					" for each step adjustment.",
			)
		case one.low >= one.high:
			return validation("MetricIntervalLowerBound (%v) must be less than MetricIntervalUpperBound (%v).",
				one.low, one.high)
		case c.AdjustmentType == types.AdjustmentTypeExactCapacity && *a.ScalingAdjustment < 0:
			return validation("ScalingAdjustment must not be negative for ExactCapacity: %d.", *a.ScalingAdjustment)
		}
		intervals[i] = one
	}
	slices.SortFunc(intervals, func(a, b interval) int { return cmp.Compare(a.low, b.low) })
	for i := 1; i < len(intervals); i++ {
		switch before, next := intervals[i-1], intervals[i]; {
		case before.high > next.low:
			return validation("Step adjustment intervals can't overlap.")
		case before.high < next.low:
			return validation("There can't be a gap between step adjustment intervals.")
		}
	}
	return nil
}

package retune

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

// ApplyRequest is the input of the step Apply Targets.
type ApplyRequest struct {
	Targets Targets `json:"targets"`
}

// Applied is the output of the step Apply Targets.
type Applied struct {
	Summary string  `json:"summary"`
	Before  Targets `json:"before"` // as read before writing
	After   Targets `json:"after"`  // as read after writing
}

type policyWriter interface {
	policyReader
	PutScalingPolicy(context.Context, *applicationautoscaling.PutScalingPolicyInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.PutScalingPolicyOutput, error)
}

// Applier writes targets into the policies.
type Applier struct {
	Scaling  policyWriter
	Policies Policies
	// Pause before another look at a policy that does not read as it was written. Zero means one second.
	Pause time.Duration
}

// looks is how often a written policy is read: nothing promises that a write can be read at once.
const looks = 3

// restoreTime is what is kept of the time of an Apply to put the first policy back.
const restoreTime = 15 * time.Second

// TargetsRestored says that the second policy could not be changed and that the first has its old target again: nothing
// changed.
type TargetsRestored struct {
	Failed, Restored string // policy names
	Cause            error
}

func (e *TargetsRestored) Error() string {
	return fmt.Sprintf(
		"the scaling policy %s could not be changed, so %s was given its old target back: nothing changed: %v",
		e.Failed,
		e.Restored,
		e.Cause,
	)
}

// Unwrap is what kept the second policy from being changed.
func (e *TargetsRestored) Unwrap() error { return e.Cause }

// ErrorName is the name under which a state machine sees the error.
func (*TargetsRestored) ErrorName() string { return "TargetsRestored" }

// TargetsTorn says that one policy has its new target and the other its old one.
type TargetsTorn struct {
	Changed, Unchanged   string // policy names
	Cause, RestoringFail error
}

func (e *TargetsTorn) Error() string {
	return fmt.Sprintf(
		"the scaling policy %s has its new target, %s could not be changed (%v), and the first could not be "+
			"given its old target back (%v); the next retune or a deployment makes them agree again",
		e.Changed,
		e.Unchanged,
		e.Cause,
		e.RestoringFail,
	)
}

// Unwrap is what kept the second policy from being changed.
func (e *TargetsTorn) Unwrap() error { return e.Cause }

// ErrorName is the name under which a state machine sees the error.
func (*TargetsTorn) ErrorName() string { return "TargetsTorn" }

// PolicyNotAsWritten says that a policy, read again, is not what was written: somebody else writes it too.
type PolicyNotAsWritten struct {
	Name          string
	Wrote, Reread float64 // target values
}

func (e *PolicyNotAsWritten) Error() string {
	if e.Wrote == e.Reread {
		return fmt.Sprintf(
			"the scaling policy %s, read again, differs from what was written in more than its target",
			e.Name,
		)
	}
	return fmt.Sprintf(
		"the scaling policy %s was given the target %g and, read again, has %g",
		e.Name,
		e.Wrote,
		e.Reread,
	)
}

// ErrorName is the name under which a state machine sees the error.
func (*PolicyNotAsWritten) ErrorName() string { return "PolicyNotAsWritten" }

// Apply reads both policies, changes only their target values, writes them back and reads them again. A policy that has
// its target already is not written. If the second cannot be changed, the first gets its old target back.
//
// Errors that a machine can match are *PolicyMissing, *PolicyUnusable, *PolicyNotAsWritten (about the first policy),
// *TargetsRestored and *TargetsTorn.
func (a Applier) Apply(ctx context.Context, request ApplyRequest) (Applied, error) {
	if t := request.Targets; !(t.Backlog > 0) || !(t.Rate > 0) {
		return Applied{}, fmt.Errorf(
			"refused to apply the targets %g and %g: both must be more than 0",
			t.Backlog,
			t.Rate,
		)
	}
	backlogPolicy, ratePolicy, err := a.Policies.read(ctx, a.Scaling)
	if err != nil {
		return Applied{}, err
	}
	work, cancel := leave(ctx, restoreTime)
	defer cancel()
	if err := a.change(work, backlogPolicy, request.Targets.Backlog); err != nil {
		return Applied{}, err
	}
	if err := a.change(work, ratePolicy, request.Targets.Rate); err != nil {
		return Applied{}, a.restore(ctx, backlogPolicy, ratePolicy, err)
	}
	applied := Applied{
		Before: Targets{Backlog: target(backlogPolicy), Rate: target(ratePolicy)}, After: request.Targets,
	}
	applied.Summary = fmt.Sprintf("%s from %g to %g, %s from %g to %g", a.Policies.Backlog, applied.Before.Backlog,
		applied.After.Backlog, a.Policies.Rate, applied.Before.Rate, applied.After.Rate)
	return applied, nil
}

// restore gives the first policy its old target back, even if the time for the work is over.
func (a Applier) restore(ctx context.Context, first, second types.ScalingPolicy, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTime)
	defer cancel()
	changed, unchanged := aws.ToString(first.PolicyName), aws.ToString(second.PolicyName)
	if err := a.put(ctx, first); err != nil {
		return &TargetsTorn{Changed: changed, Unchanged: unchanged, Cause: cause, RestoringFail: err}
	}
	return &TargetsRestored{Failed: unchanged, Restored: changed, Cause: cause}
}

// change moves the target of one policy and makes sure that this is what became of it.
func (a Applier) change(ctx context.Context, policy types.ScalingPolicy, value float64) error {
	if target(policy) == value {
		return nil
	}
	configuration := *policy.TargetTrackingScalingPolicyConfiguration // a copy: the original is needed to restore
	configuration.TargetValue = aws.Float64(value)
	policy.TargetTrackingScalingPolicyConfiguration = &configuration
	if err := a.put(ctx, policy); err != nil {
		return err
	}
	return a.verify(ctx, policy)
}

func (a Applier) put(ctx context.Context, policy types.ScalingPolicy) error {
	_, err := a.Scaling.PutScalingPolicy(ctx, &applicationautoscaling.PutScalingPolicyInput{
		PolicyName: policy.PolicyName, PolicyType: policy.PolicyType,
		ResourceId: policy.ResourceId, ScalableDimension: policy.ScalableDimension,
		ServiceNamespace:                         policy.ServiceNamespace,
		TargetTrackingScalingPolicyConfiguration: policy.TargetTrackingScalingPolicyConfiguration,
	})
	if err != nil {
		return fmt.Errorf("write the scaling policy %s: %w", aws.ToString(policy.PolicyName), err)
	}
	return nil
}

// verify reads the policy again and compares its whole configuration with what was written.
func (a Applier) verify(ctx context.Context, wrote types.ScalingPolicy) error {
	for look := 1; ; look++ {
		backlogPolicy, ratePolicy, err := a.Policies.read(ctx, a.Scaling)
		if err != nil {
			return err
		}
		reread := backlogPolicy
		if aws.ToString(wrote.PolicyName) == a.Policies.Rate {
			reread = ratePolicy
		}
		if reflect.DeepEqual(
			reread.TargetTrackingScalingPolicyConfiguration, wrote.TargetTrackingScalingPolicyConfiguration,
		) {
			return nil
		}
		if look == looks {
			return &PolicyNotAsWritten{
				Name: aws.ToString(wrote.PolicyName), Wrote: target(wrote), Reread: target(reread),
			}
		}
		if err := a.pause(ctx); err != nil {
			return err
		}
	}
}

func (a Applier) pause(ctx context.Context) error {
	timer := time.NewTimer(cmp.Or(a.Pause, time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// leave ends ctx early by a margin, if it ends at all.
func leave(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}

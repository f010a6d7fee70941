package retune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/smithy-go"
)

// ApplyRequest is the input of the steps Apply Targets and Restore Targets.
type ApplyRequest struct {
	Targets Targets `json:"targets"`
	Bounds  *Bounds `json:"bounds"` // of the task count; nil leaves them alone
	// Expected and ExpectedBounds were in force when this was decided. What is neither so nor as asked for was set by
	// somebody else since, and is left alone. Nil expects nothing.
	Expected         *Targets `json:"expected"`
	ExpectedBounds   *Bounds  `json:"expectedBounds"`
	ReferenceSeconds float64  `json:"referenceSeconds"` // for the drift alarm; 0 leaves it alone
}

// Applied is the output of the steps Apply Targets and Restore Targets.
type Applied struct {
	Summary string    `json:"summary"`
	At      time.Time `json:"at"`
	Moved   bool      `json:"moved"`  // somebody else moved a target since this was decided: nothing was written
	Before  Settings  `json:"before"` // as read before writing
	After   Settings  `json:"after"`  // as read after writing
	Notes   []string  `json:"notes"`  // what did not work out, but is no reason to fail
}

type settingsWriter interface {
	settingsReader
	PutScalingPolicy(context.Context, *applicationautoscaling.PutScalingPolicyInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.PutScalingPolicyOutput, error)
	RegisterScalableTarget(context.Context, *applicationautoscaling.RegisterScalableTargetInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.RegisterScalableTargetOutput, error)
}

// Applier writes targets into the policies, bounds into the scalable target, and the duration that the targets are made
// for into the drift alarm.
type Applier struct {
	Scaling    settingsWriter
	Policies   Policies
	Alarms     alarmWriter
	DriftAlarm string // name
	// OwnsBounds says that the bounds are the retune's to move.
	OwnsBounds bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Pause before another look at a policy that does not read as it was written. Zero means one second.
	Pause time.Duration
}

// looks is how often a written policy is read: nothing promises that a write can be read at once.
const looks = 3

// restoreTime is what is kept of the time of an Apply to put the first policy back.
const restoreTime = 15 * time.Second

// TargetsRestored says that one part could not be changed and that those before it are again as they were: nothing
// changed.
type TargetsRestored struct {
	Failed, Restored string // policy names, or what else it is
	Cause            error
}

func (e *TargetsRestored) Error() string {
	return fmt.Sprintf(
		"%s could not be changed, so %s was given its old target back: nothing changed: %v",
		e.Failed,
		e.Restored,
		e.Cause,
	)
}

// Unwrap is what kept the second policy from being changed.
func (e *TargetsRestored) Unwrap() error { return e.Cause }

// ErrorName is the name under which a state machine sees the error. Where the cause was a passing one, it is that of
// the cause: nothing changed, so the step may be repeated.
func (e *TargetsRestored) ErrorName() string {
	var api smithy.APIError
	if errors.As(e.Cause, &api) && slices.Contains(passing, api.ErrorCode()) {
		return api.ErrorCode()
	}
	return "TargetsRestored"
}

// passing are the error codes of too many calls, and of two writers at the same time.
var passing = []string{
	"ThrottlingException", "Throttling", "TooManyRequestsException", "ConcurrentUpdateException",
}

// TargetsTorn says that one policy has its new target and another part is as it was.
type TargetsTorn struct {
	Changed, Unchanged   string // policy names, or what else it is
	Cause, RestoringFail error
}

func (e *TargetsTorn) Error() string {
	return fmt.Sprintf(
		"%s has its new target, %s could not be changed (%v), and the first could not be given its old target back "+
			"(%v); "+
			"the next retune or a deployment makes them agree again",
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

// Apply reads both policies and the bounds, changes only the values, writes them back and reads them again. What has
// its value already is not written. If something cannot be changed, what was changed before it is put back as it was.
// Last of all, the drift alarm gets the duration that the targets are made for.
//
// If somebody else moved a target since the decision, nothing is written: that change is newer than what was measured.
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
	found := Targets{Backlog: target(backlogPolicy), Rate: target(ratePolicy)}
	applied := Applied{
		At:     clock(a.Now),
		Before: Settings{Targets: found},
		After:  Settings{Targets: found},
		Notes:  []string{},
	}
	if request.moved(found) {
		applied.Moved = true
		applied.Summary = fmt.Sprintf("somebody else set the targets to %g and %g meanwhile: they are left alone",
			found.Backlog, found.Rate)
		return applied, nil
	}
	if request.Expected != nil {
		applied.Before.Targets = *request.Expected // also when an earlier try of the same step has written already
	}
	work, cancel := leave(ctx, restoreTime)
	defer cancel()
	if err := a.write(work, request, backlogPolicy, ratePolicy, &applied); err != nil {
		return Applied{}, err
	}
	applied.After.Targets = request.Targets
	applied.Summary = a.summary(applied.Before, applied.After)
	if request.ReferenceSeconds > 0 {
		if note := rewriteAlarm(work, a.Alarms, a.DriftAlarm, request.ReferenceSeconds); note != "" {
			applied.Notes = append(applied.Notes, note)
		}
	}
	return applied, nil
}

func (a Applier) summary(before, after Settings) string {
	text := fmt.Sprintf("%s from %g to %g, %s from %g to %g", a.Policies.Backlog, before.Backlog, after.Backlog,
		a.Policies.Rate, before.Rate, after.Rate)
	if before.Targets == after.Targets {
		text = fmt.Sprintf("%s stays at %g, %s at %g", a.Policies.Backlog, after.Backlog, a.Policies.Rate, after.Rate)
	}
	if before.Bounds != nil && *before.Bounds != *after.Bounds {
		text += fmt.Sprintf(", %v instead of %v", *after.Bounds, *before.Bounds)
	}
	return text
}

// write changes both policies, then the bounds, and tells of the bounds in applied. What fails is as it was, and so is
// what was changed before it.
func (a Applier) write(
	ctx context.Context, request ApplyRequest, backlogPolicy, ratePolicy types.ScalingPolicy, applied *Applied,
) error {
	if err := a.change(ctx, backlogPolicy, request.Targets.Backlog); err != nil {
		var unseen *unverified
		if errors.As(err, &unseen) {
			return a.restore(ctx, a.Policies.Backlog+" or its check", unseen.cause, backlogPolicy)
		}
		return err
	}
	if err := a.change(ctx, ratePolicy, request.Targets.Rate); err != nil {
		return a.restore(ctx, aws.ToString(ratePolicy.PolicyName), err, backlogPolicy)
	}
	if request.Bounds == nil || !a.OwnsBounds {
		return nil
	}
	before, after, err := a.bound(ctx, *request.Bounds, request.ExpectedBounds)
	if err != nil {
		return a.restore(ctx, "the bounds of the task count", err, ratePolicy, backlogPolicy)
	}
	applied.Before.Bounds, applied.After.Bounds = before, after
	if *after != *request.Bounds {
		applied.Notes = append(applied.Notes,
			fmt.Sprintf("somebody else set the bounds to %v meanwhile: they are left alone", *after))
	}
	return nil
}

// moved tells whether the targets found are others than those that the request counts on.
func (r ApplyRequest) moved(found Targets) bool {
	if r.Expected == nil {
		return false
	}
	return found.Backlog != r.Expected.Backlog && found.Backlog != r.Targets.Backlog ||
		found.Rate != r.Expected.Rate && found.Rate != r.Targets.Rate
}

// bound writes the bounds, and nothing else of the scalable target, unless they are so already or somebody else set
// them since. It returns those that were and those that are.
func (a Applier) bound(ctx context.Context, to Bounds, expected *Bounds) (before, after *Bounds, err error) {
	found, err := a.Policies.readBounds(ctx, a.Scaling)
	if err != nil {
		return nil, nil, err
	}
	if found == nil {
		return nil, nil, fmt.Errorf("%s is no scalable target any more: deploy the stack again to make it anew",
			a.Policies.ResourceID)
	}
	if expected != nil && *found != *expected && *found != to {
		return found, found, nil
	}
	before = cmp.Or(expected, found)
	if *found == to {
		return before, &to, nil
	}
	_, err = a.Scaling.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: types.ServiceNamespaceEcs, ResourceId: aws.String(a.Policies.ResourceID),
		ScalableDimension: types.ScalableDimensionECSServiceDesiredCount,
		MinCapacity:       aws.Int32(int32(to.MinTasks)), MaxCapacity: aws.Int32(int32(to.MaxTasks)),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("write the bounds of %s: %w", a.Policies.ResourceID, err)
	}
	return before, &to, nil
}

// restore gives policies their old targets back, even if the time for the work is over.
func (a Applier) restore(ctx context.Context, failed string, cause error, policies ...types.ScalingPolicy) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTime)
	defer cancel()
	var names []string
	for _, policy := range policies {
		name := aws.ToString(policy.PolicyName)
		if err := a.put(ctx, policy); err != nil {
			return &TargetsTorn{Changed: name, Unchanged: failed, Cause: cause, RestoringFail: err}
		}
		names = append(names, name)
	}
	return &TargetsRestored{Failed: failed, Restored: strings.Join(names, " and "), Cause: cause}
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
	err := a.verify(ctx, policy)
	var other *PolicyNotAsWritten
	var gone *PolicyMissing
	if err == nil || errors.As(err, &other) {
		return err
	}
	if errors.As(err, &gone) && gone.Name == aws.ToString(policy.PolicyName) {
		return err // there is nothing to put back
	}
	return &unverified{cause: err}
}

// unverified says that a policy was written, and could not be read again.
type unverified struct{ cause error }

func (e *unverified) Error() string { return e.cause.Error() }

func (e *unverified) Unwrap() error { return e.cause }

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

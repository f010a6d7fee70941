package retune

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/smithy-go"
)

var wanted = Targets{Backlog: 16, Rate: 12}

func apply(t *testing.T, scaling *fakeScaling) (Applied, error) {
	t.Helper()
	return applier(scaling).Apply(t.Context(), ApplyRequest{Targets: wanted})
}

func applier(scaling settingsWriter) Applier {
	return Applier{
		Scaling: scaling, Policies: names, Alarms: &fakeAlarms{alarm: driftAlarm()}, DriftAlarm: driftAlarmName,
		OwnsBounds: true, Pause: time.Microsecond, Now: func() time.Time { return noon },
	}
}

// TestDefect1OnlyTheTargetChanges: the blueprint re-typed the metric specification, with another service's name in it.
func TestDefect1OnlyTheTargetChanges(t *testing.T) {
	scaling := &fakeScaling{policies: bothPolicies()}
	got, err := apply(t, scaling)
	if err != nil {
		t.Fatal(err)
	}
	for i, before := range bothPolicies() {
		after := scaling.policies[i]
		after.TargetTrackingScalingPolicyConfiguration.TargetValue =
			before.TargetTrackingScalingPolicyConfiguration.TargetValue
		if !reflect.DeepEqual(before, after) {
			t.Errorf("more than the target of %s changed:\n%+v\n%+v", aws.ToString(before.PolicyName), before, after)
		}
		write := scaling.writes[i]
		if write.PolicyType != aastypes.PolicyTypeTargetTrackingScaling || aws.ToString(write.ResourceId) != resource ||
			write.ServiceNamespace != aastypes.ServiceNamespaceEcs ||
			write.ScalableDimension != aastypes.ScalableDimensionECSServiceDesiredCount {
			t.Errorf("wrote %+v", write)
		}
	}
	want := Applied{
		Summary: "orders-backlog from 13 to 16, orders-rate from 9.6 to 12",
		At:      noon, Notes: []string{},
		Before: Settings{Targets: Targets{Backlog: 13, Rate: 9.6}}, After: Settings{Targets: wanted},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestDefect5NoOtherPolicyIsTouched: the first policy of the list was taken unchecked.
func TestDefect5NoOtherPolicyIsTouched(t *testing.T) {
	scaling := &fakeScaling{paged: true, policies: append([]aastypes.ScalingPolicy{
		policy("another", resource, 1), policy(names.Backlog, "service/main/another", 2),
		policy(names.Rate, "service/other/orders", 3),
	}, bothPolicies()...)}
	if _, err := apply(t, scaling); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"service/main/orders another":         1,
		"service/main/another orders-backlog": 2,
		"service/other/orders orders-rate":    3,
		"service/main/orders orders-backlog":  16,
		"service/main/orders orders-rate":     12,
	}
	if got := scaling.targets(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDefect5MissingPolicyIsNamed(t *testing.T) {
	for _, policies := range [][]aastypes.ScalingPolicy{nil, bothPolicies()[:1], bothPolicies()[1:]} {
		scaling := &fakeScaling{policies: policies}
		_, err := apply(t, scaling)
		var missing *PolicyMissing
		if !errors.As(err, &missing) || len(scaling.writes) != 0 || !strings.Contains(err.Error(), resource) {
			t.Errorf("got %v after %d writes", err, len(scaling.writes))
		}
	}
}

func TestUnusablePolicies(t *testing.T) {
	step := policy(names.Rate, resource, 1)
	step.PolicyType = aastypes.PolicyTypeStepScaling
	empty := policy(names.Rate, resource, 1)
	empty.TargetTrackingScalingPolicyConfiguration.TargetValue = nil
	for want, odd := range map[string]aastypes.ScalingPolicy{"StepScaling": step, "no target value": empty} {
		scaling := &fakeScaling{policies: []aastypes.ScalingPolicy{policy(names.Backlog, resource, 13), odd}}
		_, err := apply(t, scaling)
		var unusable *PolicyUnusable
		if !errors.As(err, &unusable) || !strings.Contains(err.Error(), want) || len(scaling.writes) != 0 ||
			unusable.ErrorName() != "PolicyUnusable" {
			t.Errorf("got %v after %d writes", err, len(scaling.writes))
		}
	}
}

func TestTargetsThatAreRightAreNotWritten(t *testing.T) {
	scaling := &fakeScaling{policies: []aastypes.ScalingPolicy{
		policy(names.Backlog, resource, 16), policy(names.Rate, resource, 9.6),
	}}
	if _, err := apply(t, scaling); err != nil {
		t.Fatal(err)
	}
	if len(scaling.writes) != 1 || aws.ToString(scaling.writes[0].PolicyName) != names.Rate {
		t.Errorf("%d writes", len(scaling.writes))
	}
}

func TestFirstIsRestoredWhenTheSecondFails(t *testing.T) {
	denied := errors.New("AccessDenied")
	scaling := &fakeScaling{policies: bothPolicies(), writeErr: map[int]error{2: denied}}
	_, err := apply(t, scaling)
	var restored *TargetsRestored
	if !errors.As(err, &restored) || !errors.Is(err, denied) || restored.ErrorName() != "TargetsRestored" {
		t.Fatalf("got %v, want *TargetsRestored", err)
	}
	if !reflect.DeepEqual(scaling.policies, bothPolicies()) {
		t.Errorf("the policies are not as before: %v", scaling.targets(t))
	}
	want := "orders-rate could not be changed, so orders-backlog was given its old target " +
		"back: nothing " +
		"changed: write the scaling policy orders-rate: AccessDenied"
	if err.Error() != want {
		t.Errorf("got %q", err)
	}
}

func TestFirstFails(t *testing.T) {
	denied := errors.New("AccessDenied")
	scaling := &fakeScaling{policies: bothPolicies(), writeErr: map[int]error{1: denied}}
	if _, err := apply(t, scaling); !errors.Is(err, denied) || len(scaling.writes) != 1 {
		t.Errorf("got %v after %d writes", err, len(scaling.writes))
	}
}

func TestRestoringFailsToo(t *testing.T) {
	denied, gone := errors.New("AccessDenied"), errors.New("ServiceUnavailable")
	scaling := &fakeScaling{policies: bothPolicies(), writeErr: map[int]error{2: denied, 3: gone}}
	_, err := apply(t, scaling)
	var torn *TargetsTorn
	if !errors.As(err, &torn) || torn.ErrorName() != "TargetsTorn" || !errors.Is(err, denied) ||
		!strings.Contains(err.Error(), "AccessDenied") || !strings.Contains(err.Error(), "ServiceUnavailable") {
		t.Errorf("got %v, want *TargetsTorn with both reasons", err)
	}
}

// TestWrittenPoliciesAreReadAgain: a second writer is noticed.
func TestWrittenPoliciesAreReadAgain(t *testing.T) {
	for name, test := range map[string]struct {
		interfere func(number int, policies []aastypes.ScalingPolicy)
		want      string
		torn      bool
	}{
		"target of the first": {func(number int, policies []aastypes.ScalingPolicy) {
			if number == 1 {
				policies[0] = policy(names.Backlog, resource, 99)
			}
		}, "orders-backlog was given the target 16 and, read again, has 99", false},
		"cooldown of the first": {func(number int, policies []aastypes.ScalingPolicy) {
			if number == 1 {
				other := policy(names.Backlog, resource, 16)
				other.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown = aws.Int32(1)
				policies[0] = other
			}
		}, "orders-backlog, read again, differs from what was written in more than its target", false},
		"the second is deleted before the first is checked": {func(number int, policies []aastypes.ScalingPolicy) {
			if number == 1 {
				policies[1] = policy("another", resource, 99)
			}
		}, "orders-rate of service/main/orders does not exist", true},
		"target of the second": {func(number int, policies []aastypes.ScalingPolicy) {
			if number == 2 {
				policies[1] = policy(names.Rate, resource, 99)
			}
		}, "orders-rate was given the target 12 and, read again, has 99", true},
		"the second is deleted": {func(number int, policies []aastypes.ScalingPolicy) {
			if number == 2 {
				policies[1] = policy("another", resource, 99)
			}
		}, "orders-rate of service/main/orders does not exist", true},
	} {
		t.Run(name, func(t *testing.T) {
			scaling := &fakeScaling{policies: bothPolicies(), onWrite: test.interfere}
			_, err := apply(t, scaling)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			var restored *TargetsRestored
			if errors.As(err, &restored) != test.torn {
				t.Errorf("restored: %v", err)
			}
			if test.torn && target(scaling.policies[0]) != 13 {
				t.Errorf("the first policy has the target %g", target(scaling.policies[0]))
			}
		})
	}
}

// TestWritesThatAreReadLate: a policy that still reads as before is looked at again.
func TestWritesThatAreReadLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &lateScaling{
			fakeScaling: &fakeScaling{policies: bothPolicies()},
			stale:       bothPolicies(),
			delay:       1500 * time.Millisecond,
		}
		began := time.Now()
		_, err := Applier{Scaling: late, Policies: names}.Apply(t.Context(), ApplyRequest{Targets: wanted})
		if took := time.Since(began); err != nil || took != 4*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), restoreTime+time.Second/2)
		defer cancel()
		late.policies, late.delay = bothPolicies(), time.Hour
		_, err = Applier{Scaling: late, Policies: names}.Apply(ctx, ApplyRequest{Targets: wanted})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// lateScaling shows writes only after a delay.
type lateScaling struct {
	*fakeScaling
	stale   []aastypes.ScalingPolicy
	delay   time.Duration
	written time.Time
}

func (l *lateScaling) PutScalingPolicy(
	ctx context.Context, in *applicationautoscaling.PutScalingPolicyInput,
	options ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.PutScalingPolicyOutput, error) {
	l.written = time.Now()
	return l.fakeScaling.PutScalingPolicy(ctx, in, options...)
}

func (l *lateScaling) DescribeScalingPolicies(
	ctx context.Context, in *applicationautoscaling.DescribeScalingPoliciesInput,
	options ...func(*applicationautoscaling.Options),
) (*applicationautoscaling.DescribeScalingPoliciesOutput, error) {
	if time.Since(l.written) < l.delay {
		return &applicationautoscaling.DescribeScalingPoliciesOutput{ScalingPolicies: l.stale}, nil
	}
	return l.fakeScaling.DescribeScalingPolicies(ctx, in, options...)
}

func TestRestoreHasTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scaling := &fakeScaling{policies: bothPolicies()}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		scaling.onWrite = func(number int, _ []aastypes.ScalingPolicy) {
			if number == 1 {
				time.Sleep(50 * time.Second) // everything but the time kept for restoring
			}
		}
		_, err := Applier{Scaling: scaling, Policies: names}.Apply(ctx, ApplyRequest{Targets: wanted})
		var restored *TargetsRestored
		if !errors.As(err, &restored) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want *TargetsRestored", err)
		}
		if !reflect.DeepEqual(scaling.policies, bothPolicies()) {
			t.Errorf("the policies are not as before: %v", scaling.targets(t))
		}
	})
}

func TestApplyRefusesNonsense(t *testing.T) {
	for _, odd := range []Targets{{}, {Backlog: 1}, {Rate: 1}, {Backlog: -1, Rate: 1}} {
		scaling := &fakeScaling{policies: bothPolicies()}
		_, err := Applier{Scaling: scaling, Policies: names}.Apply(t.Context(), ApplyRequest{Targets: odd})
		if err == nil || len(scaling.writes)+len(scaling.reads) != 0 {
			t.Errorf("%v: %v", odd, err)
		}
	}
}

// TestApplyRespectsWhoCameInBetween: a target that is neither the one that was measured nor the one to write is newer
// than the decision.
func TestApplyRespectsWhoCameInBetween(t *testing.T) {
	measured := Targets{Backlog: 13, Rate: 9.6}
	for name, test := range map[string]struct {
		found Targets
		moved bool
	}{
		"as measured":                    {measured, false},
		"the backlog target moved":       {Targets{Backlog: 14, Rate: 9.6}, true},
		"the rate target moved":          {Targets{Backlog: 13, Rate: 9.7}, true},
		"an earlier try wrote the first": {Targets{Backlog: 16, Rate: 9.6}, false},
		"an earlier try wrote both":      {wanted, false},
	} {
		t.Run(name, func(t *testing.T) {
			scaling := &fakeScaling{policies: []aastypes.ScalingPolicy{
				policy(names.Backlog, resource, test.found.Backlog), policy(names.Rate, resource, test.found.Rate),
			}}
			got, err := applier(scaling).Apply(t.Context(), ApplyRequest{
				Targets: wanted, Expected: &measured,
			})
			if err != nil || got.Moved != test.moved || test.moved == (got.After.Targets == wanted) {
				t.Errorf("moved %v, %+v, %v", got.Moved, got.After, err)
			}
			if !test.moved && got.Before.Targets != measured {
				t.Errorf("before were %v, want the measured ones whatever an earlier try wrote", got.Before)
			}
			if test.moved &&
				(len(scaling.writes) != 0 || !strings.Contains(got.Summary, "somebody else set the targets")) {
				t.Errorf("%d writes: %s", len(scaling.writes), got.Summary)
			}
		})
	}
}

func TestBoundsAreMovedWithTheTargets(t *testing.T) {
	to := Bounds{MinTasks: 3, MaxTasks: 20}
	setup := func() *fakeScaling {
		return &fakeScaling{policies: bothPolicies(), bounds: &Bounds{MinTasks: 1, MaxTasks: 10}}
	}
	request := ApplyRequest{Targets: wanted, Bounds: &to}

	scaling := setup()
	got, err := applier(scaling).Apply(t.Context(), request)
	if err != nil || *got.Before.Bounds != (Bounds{1, 10}) || *got.After.Bounds != to || *scaling.bounds != to ||
		!strings.HasSuffix(got.Summary, ", 3 to 20 tasks instead of 1 to 10 tasks") {
		t.Errorf("%+v, %v; the bounds are %v", got, err, scaling.bounds)
	}
	if in := scaling.registered[0]; in.RoleARN != nil || in.SuspendedState != nil || in.Tags != nil ||
		aws.ToString(in.ResourceId) != resource {
		t.Errorf("registered %+v, want nothing but the bounds", in)
	}
	if _, err := applier(scaling).Apply(t.Context(), request); err != nil || len(scaling.registered) != 1 {
		t.Errorf("%d writes of bounds that are so already, %v", len(scaling.registered), err)
	}

	// Bounds that somebody else has set since are left alone.
	scaling = setup()
	other := request
	other.ExpectedBounds = &Bounds{MinTasks: 1, MaxTasks: 12}
	if got, err := applier(scaling).Apply(t.Context(), other); err != nil || len(scaling.registered) != 0 ||
		*got.After.Bounds != (Bounds{1, 10}) || len(got.Notes) != 1 || got.After.Targets != wanted {
		t.Errorf("%+v, %v after %d writes", got, err, len(scaling.registered))
	}

	scaling = setup()
	a := applier(scaling)
	a.OwnsBounds = false
	if got, err := a.Apply(t.Context(), request); err != nil || len(scaling.registered) != 0 ||
		got.After.Bounds != nil {
		t.Errorf("bounds of the band were written: %+v, %v", got.After, err)
	}

	// When they cannot be written, both policies are as they were.
	for want, breakIt := range map[string]func(*fakeScaling){
		"ValidationException":            func(f *fakeScaling) { f.boundErr = errors.New("ValidationException") },
		"is no scalable target any more": func(f *fakeScaling) { f.bounds = nil },
	} {
		scaling = setup()
		breakIt(scaling)
		_, err = applier(scaling).Apply(t.Context(), request)
		var restored *TargetsRestored
		if !errors.As(err, &restored) || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "the bounds of the task count could not be changed") {
			t.Errorf("got %v, want *TargetsRestored that says %q", err, want)
		}
		if !reflect.DeepEqual(scaling.policies, bothPolicies()) {
			t.Errorf("the policies are not as before: %v", scaling.targets(t))
		}
	}
}

func TestApplyTellsTheDriftAlarm(t *testing.T) {
	alarms := &fakeAlarms{alarm: driftAlarm()}
	a := applier(&fakeScaling{policies: bothPolicies()})
	a.Alarms = alarms
	if got, err := a.Apply(t.Context(), ApplyRequest{Targets: wanted, ReferenceSeconds: 4}); err != nil ||
		len(alarms.puts) != 1 || len(got.Notes) != 0 {
		t.Errorf("%d writes of the alarm, %q, %v", len(alarms.puts), got.Notes, err)
	}
	if got, err := a.Apply(t.Context(), ApplyRequest{Targets: wanted}); err != nil || len(alarms.puts) != 1 ||
		len(got.Notes) != 0 {
		t.Errorf("%d writes of the alarm, %q, %v", len(alarms.puts), got.Notes, err)
	}
	alarms.alarm = nil
	if got, err := a.Apply(t.Context(), ApplyRequest{Targets: wanted, ReferenceSeconds: 3}); err != nil ||
		len(got.Notes) != 1 || got.After.Targets != wanted {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAWriteThatCannotBeCheckedIsUndone: a throttled reading after the first write must not leave one policy changed.
func TestAWriteThatCannotBeCheckedIsUndone(t *testing.T) {
	scaling := &fakeScaling{policies: bothPolicies()}
	scaling.onWrite = func(number int, _ []aastypes.ScalingPolicy) {
		scaling.readErr = map[int]error{1: errors.New("ThrottlingException")}[number]
	}
	_, err := applier(scaling).Apply(t.Context(), ApplyRequest{Targets: wanted})
	var restored *TargetsRestored
	if !errors.As(err, &restored) || !strings.Contains(err.Error(), "ThrottlingException") {
		t.Errorf("got %v, want *TargetsRestored", err)
	}
	if !reflect.DeepEqual(scaling.policies, bothPolicies()) {
		t.Errorf("the policies are not as before: %v", scaling.targets(t))
	}
}

// TestAPassingCauseKeepsItsName, so that the machine tries again.
func TestAPassingCauseKeepsItsName(t *testing.T) {
	for code, want := range map[string]string{
		"ThrottlingException": "ThrottlingException", "AccessDeniedException": "TargetsRestored",
	} {
		err := &TargetsRestored{Cause: &smithy.GenericAPIError{Code: code}}
		if got := err.ErrorName(); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

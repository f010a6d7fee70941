package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// maxScheduled is how many scheduled actions a target can have (AWS quota).
const maxScheduled = 200

// scheduleTick is how exactly scheduled actions are carried out.
const scheduleTick = time.Second

// scheduledAction moves a target's bounds at given times.
type scheduledAction struct {
	name, arn  string
	created    time.Time
	text       string // the schedule as written
	zone       string
	start, end *time.Time
	action     types.ScalableTargetAction
	schedule   schedule
	due        time.Time // zero: never again
}

var scheduledNameForm = regexp.MustCompile(
	`^[^\x00-\x1f\x7f-\x{9f}:/| ]([^\x00-\x1f\x7f-\x{9f}:/|]*[^\x00-\x1f\x7f-\x{9f}:/| ])?$`,
)

const scheduledNameWritten = `(?!((^[ ]+.*)|(.*([\u0000-\u001f]|[\u007f-\u009f]|[:/|])+.*)|(.*[ ]+$))).+`

func (s *Server) putScheduledAction(
	ctx context.Context,
	in *aas.PutScheduledActionInput,
) (*aas.PutScheduledActionOutput, error) {
	var v wire.Violations
	if wire.Required(&v, "scheduledActionName", in.ScheduledActionName) {
		v.Length("scheduledActionName", in.ScheduledActionName, 1, 256)
		v.Pattern("scheduledActionName", in.ScheduledActionName, scheduledNameForm, scheduledNameWritten)
	}
	k := members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}.check(&v)
	checkID(&v, "schedule", in.Schedule)
	checkID(&v, "timezone", in.Timezone)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := k.matches(); err != nil {
		return nil, err
	}
	if err := s.authorizeTarget(ctx, "PutScheduledAction", k); err != nil {
		return nil, err
	}
	t, err := s.own(ctx, k, notRegistered)
	if err != nil {
		return nil, err
	}
	defer t.unlock()
	i := slices.IndexFunc(t.scheduled, func(a *scheduledAction) bool { return a.name == *in.ScheduledActionName })
	var old *scheduledAction
	if i >= 0 {
		old = t.scheduled[i]
	}
	a, err := s.newScheduled(t, old, in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		t.scheduled[i] = a
	} else {
		t.scheduled = append(t.scheduled, a)
	}
	return &aas.PutScheduledActionOutput{}, nil
}

// newScheduled merges a request with the action of that name. Start and end times that are not given are deleted.
func (s *Server) newScheduled(
	t *target,
	old *scheduledAction,
	in *aas.PutScheduledActionInput,
) (*scheduledAction, error) {
	now := time.Now()
	a := &scheduledAction{name: *in.ScheduledActionName, created: now, start: in.StartTime, end: in.EndTime}
	a.arn = fmt.Sprintf("arn:aws:autoscaling:%s:%s:scheduledAction:%s:resource/%s/%s:scheduledActionName/%s",
		s.Region, s.Account, wire.UUID(), t.namespace, t.resource, a.name)
	if old != nil {
		a.arn, a.created, a.text, a.zone, a.action = old.arn, old.created, old.text, old.zone, old.action
	} else if len(t.scheduled) >= maxScheduled {
		return nil, limitExceeded("Maximum number of scheduled actions per scalable target exceeded: %d.", maxScheduled)
	}
	a.text = cmp.Or(aws.ToString(in.Schedule), a.text)
	a.zone = cmp.Or(aws.ToString(in.Timezone), a.zone)
	if in.ScalableTargetAction != nil {
		a.action = *in.ScalableTargetAction
	}
	switch {
	case a.text == "":
		return nil, validation("A schedule is required for a new scheduled action.")
	case a.action.MinCapacity == nil && a.action.MaxCapacity == nil:
		return nil, validation("At least one of minimum capacity and maximum capacity should be provided")
	case a.start != nil && a.end != nil && !a.start.Before(*a.end):
		return nil, validation("The start time must be before the end time.")
	}
	if a.action.MinCapacity != nil && a.action.MaxCapacity != nil {
		if err := checkBounds(int(*a.action.MinCapacity), int(*a.action.MaxCapacity)); err != nil {
			return nil, err
		}
	}
	return a, a.arm(now)
}

// arm finds the first time at which the action is due.
func (a *scheduledAction) arm(now time.Time) error {
	zone, err := time.LoadLocation(cmp.Or(a.zone, "UTC"))
	if err != nil {
		return validation("Invalid time zone: %s.", a.zone)
	}
	from := now
	if a.start != nil {
		from = *a.start
	}
	if a.schedule, err = parseSchedule(a.text, zone, from); err != nil {
		return validation("Invalid schedule: %v.", err)
	}
	a.advance(now)
	if _, single := a.schedule.(once); single && a.due.IsZero() {
		return validation("Invalid schedule: %s is in the past.", a.text)
	}
	return nil
}

// advance moves due to the next time after now within start and end.
func (a *scheduledAction) advance(now time.Time) {
	if a.start != nil && now.Before(*a.start) {
		now = a.start.Add(-time.Nanosecond)
	}
	due, ok := a.schedule.next(now)
	if !ok || a.end != nil && due.After(*a.end) {
		due = time.Time{}
	}
	a.due = due
}

// runScheduled carries out the actions that are due.
func (s *Server) runScheduled(ctx context.Context, now time.Time) {
	type duty struct {
		t *target
		a *scheduledAction
	}
	var duties []duty
	s.mu.Lock()
	for _, t := range s.targets {
		for _, a := range t.scheduled {
			if !a.due.IsZero() && !a.due.After(now) {
				duties = append(duties, duty{t, a})
			}
		}
	}
	s.mu.Unlock()
	slices.SortStableFunc(duties, func(x, y duty) int { return x.a.due.Compare(y.a.due) })
	for _, d := range duties {
		if err := s.runOne(ctx, d.t, d.a, now); err != nil && ctx.Err() == nil {
			s.Log.Warn("scheduled action was not carried out", "target", d.t.resource, "action", d.a.name, "error",
				err)
		}
	}
}

func (s *Server) runOne(ctx context.Context, t *target, a *scheduledAction, now time.Time) error {
	if err := t.lock(ctx); err != nil {
		return err
	}
	defer t.unlock()
	if t.gone || !slices.Contains(t.scheduled, a) {
		return nil // deleted or replaced since
	}
	s.mu.Lock()
	a.advance(now)
	if _, single := a.schedule.(once); single {
		t.scheduled = slices.DeleteFunc(t.scheduled, func(o *scheduledAction) bool { return o == a })
	}
	suspended := aws.ToBool(t.suspended.ScheduledScalingSuspended)
	s.mu.Unlock()
	if suspended {
		return nil
	}
	c, err := s.capacity(ctx, t.key)
	if err != nil {
		return err
	}
	bounds := widened(t.bounds, a.action)
	if t.engine != nil {
		d, err := t.engine.Scheduled(now, a.name, pointer(a.action.MinCapacity), pointer(a.action.MaxCapacity), c)
		if err != nil {
			return err
		}
		bounds = t.engine.Bounds()
		s.carryOut(ctx, t, d)
	}
	s.mu.Lock()
	t.bounds = bounds
	s.mu.Unlock()
	return nil
}

// widened are the bounds after an action, which may give one of them alone.
func widened(b tracking.Bounds, a types.ScalableTargetAction) tracking.Bounds {
	b.Min, b.Max = cmpOr(a.MinCapacity, b.Min), cmpOr(a.MaxCapacity, b.Max)
	if a.MinCapacity != nil {
		b.Max = max(b.Min, b.Max)
	} else {
		b.Min = min(b.Min, b.Max)
	}
	return b
}

func pointer(n *int32) *int {
	if n == nil {
		return nil
	}
	i := int(*n)
	return &i
}

func (s *Server) describeScheduledActions(
	ctx context.Context,
	in *aas.DescribeScheduledActionsInput,
) (*aas.DescribeScheduledActionsOutput, error) {
	k, err := s.filter(ctx, "DescribeScheduledActions",
		members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}, "scheduledActionNames",
		in.ScheduledActionNames)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []types.ScheduledAction{}
	for _, t := range s.selected(k) {
		for _, a := range t.scheduled {
			if len(in.ScheduledActionNames) == 0 || slices.Contains(in.ScheduledActionNames, a.name) {
				found = append(found, a.shown(t))
			}
		}
	}
	page, next, err := page(found, in.MaxResults, in.NextToken, 50)
	return &aas.DescribeScheduledActionsOutput{ScheduledActions: page, NextToken: next}, err
}

func (a *scheduledAction) shown(t *target) types.ScheduledAction {
	action := a.action
	out := types.ScheduledAction{
		ScheduledActionName: aws.String(a.name), ScheduledActionARN: aws.String(a.arn), Schedule: aws.String(a.text),
		ServiceNamespace: types.ServiceNamespace(t.namespace), ResourceId: aws.String(t.resource),
		ScalableDimension: types.ScalableDimension(t.dimension), StartTime: a.start, EndTime: a.end,
		ScalableTargetAction: &action, CreationTime: aws.Time(a.created),
	}
	if a.zone != "" {
		out.Timezone = aws.String(a.zone)
	}
	return out
}

func (s *Server) deleteScheduledAction(
	ctx context.Context,
	in *aas.DeleteScheduledActionInput,
) (*aas.DeleteScheduledActionOutput, error) {
	k, err := members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}.named("scheduledActionName",
		in.ScheduledActionName)
	if err != nil {
		return nil, err
	}
	if err := s.authorizeTarget(ctx, "DeleteScheduledAction", k); err != nil {
		return nil, err
	}
	absent := func(k key) *wire.Fault {
		return notFound("No scheduled action found for %s, scheduled action name: %s", k, *in.ScheduledActionName)
	}
	t, err := s.own(ctx, k, absent)
	if err != nil {
		return nil, err
	}
	defer t.unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(t.scheduled)
	t.scheduled = slices.DeleteFunc(t.scheduled,
		func(a *scheduledAction) bool { return a.name == *in.ScheduledActionName })
	if len(t.scheduled) == before {
		return nil, absent(k)
	}
	return &aas.DeleteScheduledActionOutput{}, nil
}

package retune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

// AgainRequest is the input of the step Schedule Another.
type AgainRequest struct {
	Machine string `json:"machine"` // ARN of the state machine
}

// Again is the output of the step Schedule Another.
type Again struct {
	Summary string    `json:"summary"`
	At      time.Time `json:"at"`
}

type scheduleWriter interface {
	CreateSchedule(context.Context, *scheduler.CreateScheduleInput, ...func(*scheduler.Options)) (
		*scheduler.CreateScheduleOutput, error)
	GetSchedule(context.Context, *scheduler.GetScheduleInput, ...func(*scheduler.Options)) (
		*scheduler.GetScheduleOutput, error)
	UpdateSchedule(context.Context, *scheduler.UpdateScheduleInput, ...func(*scheduler.Options)) (
		*scheduler.UpdateScheduleOutput, error)
}

// Scheduler lets another retune start later.
type Scheduler struct {
	Schedules scheduleWriter
	Name      string // of the schedule. There is never more than one of it, so retunes never pile up.
	Role      string // ARN of the role that starts the machine
	Pause     time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Schedule makes a schedule that starts the machine once, after the pause, and then deletes itself. One that waits
// already is enough.
func (s Scheduler) Schedule(ctx context.Context, request AgainRequest) (Again, error) {
	at := clock(s.Now).Add(s.Pause).Truncate(time.Second)
	again := Again{At: at, Summary: "the duration is still far from what the targets are made for: another retune " +
		"starts at " + at.Format(time.RFC3339)}
	schedule := &scheduler.CreateScheduleInput{
		Name:                  &s.Name,
		Description:           aws.String("Starts the retune that an earlier one found due"),
		ScheduleExpression:    aws.String("at(" + at.Format("2006-01-02T15:04:05") + ")"),
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{
			Arn: &request.Machine, RoleArn: &s.Role,
			Input: aws.String(`{"reason":"` + ReasonDrift + `","onBusy":"skip"}`),
			RetryPolicy: &types.RetryPolicy{
				MaximumEventAgeInSeconds: aws.Int32(600),
				MaximumRetryAttempts:     aws.Int32(10),
			},
		},
	}
	_, err := s.Schedules.CreateSchedule(ctx, schedule)
	var waits *types.ConflictException
	if errors.As(err, &waits) {
		renewed, err := s.renew(ctx, schedule)
		if err != nil || renewed {
			return again, err
		}
		again.Summary = "the duration is still far from what the targets are made for: another retune is scheduled " +
			"already"
		return again, nil
	}
	if err != nil {
		return Again{}, fmt.Errorf("schedule another retune as %s: %w", s.Name, err)
	}
	return again, nil
}

// renew gives a schedule that has started its retune already, and is not deleted yet, the new time. One that waits
// stays.
func (s Scheduler) renew(ctx context.Context, schedule *scheduler.CreateScheduleInput) (bool, error) {
	found, err := s.Schedules.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: schedule.Name})
	if err != nil {
		return false, fmt.Errorf("look at the schedule %s: %w", s.Name, err)
	}
	if !spent(aws.ToString(found.ScheduleExpression), clock(s.Now)) {
		return false, nil
	}
	_, err = s.Schedules.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: schedule.Name, Description: schedule.Description, ScheduleExpression: schedule.ScheduleExpression,
		ActionAfterCompletion: schedule.ActionAfterCompletion, FlexibleTimeWindow: schedule.FlexibleTimeWindow,
		Target: schedule.Target,
	})
	if err != nil {
		return false, fmt.Errorf("schedule another retune as %s: %w", s.Name, err)
	}
	return true, nil
}

// spent tells whether a one-off schedule has started what it was to start. Another kind of schedule never has.
func spent(expression string, now time.Time) bool {
	at, err := time.Parse("at(2006-01-02T15:04:05)", expression)
	return err == nil && !at.After(now)
}

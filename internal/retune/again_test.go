package retune

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

type fakeSchedules struct {
	made []scheduler.CreateScheduleInput
	err  error

	waits   string // time of the one that there is
	renewed []scheduler.UpdateScheduleInput
}

func (f *fakeSchedules) CreateSchedule(
	_ context.Context, in *scheduler.CreateScheduleInput, _ ...func(*scheduler.Options),
) (*scheduler.CreateScheduleOutput, error) {
	f.made = append(f.made, *in)
	return &scheduler.CreateScheduleOutput{}, f.err
}

func (f *fakeSchedules) GetSchedule(
	context.Context, *scheduler.GetScheduleInput, ...func(*scheduler.Options),
) (*scheduler.GetScheduleOutput, error) {
	return &scheduler.GetScheduleOutput{ScheduleExpression: aws.String("at(" + f.waits + ")")}, nil
}

func (f *fakeSchedules) UpdateSchedule(
	_ context.Context, in *scheduler.UpdateScheduleInput, _ ...func(*scheduler.Options),
) (*scheduler.UpdateScheduleOutput, error) {
	f.renewed = append(f.renewed, *in)
	return &scheduler.UpdateScheduleOutput{}, nil
}

func TestScheduleAnother(t *testing.T) {
	schedules := &fakeSchedules{}
	s := Scheduler{
		Schedules: schedules, Name: "orders-retune-again", Role: "role", Pause: 15 * time.Minute,
		Now: func() time.Time { return noon.Add(500 * time.Millisecond) },
	}
	got, err := s.Schedule(t.Context(), AgainRequest{Machine: machine})
	if err != nil || !got.At.Equal(noon.Add(15*time.Minute)) || !strings.Contains(got.Summary, "2026-03-01T12:15:00Z") {
		t.Errorf("%+v, %v", got, err)
	}
	in := schedules.made[0]
	if aws.ToString(in.ScheduleExpression) != "at(2026-03-01T12:15:00)" ||
		in.ActionAfterCompletion != types.ActionAfterCompletionDelete || aws.ToString(in.Target.Arn) != machine ||
		in.ScheduleExpressionTimezone != nil {
		t.Errorf("made %+v", in)
	}
	if _, err := ParseRequest(json.RawMessage(*in.Target.Input), defaults, noon); err != nil {
		t.Errorf("the machine refuses %s: %v", *in.Target.Input, err)
	}
	schedules.err, schedules.waits = &types.ConflictException{}, "2026-03-01T12:00:01"
	if got, err := s.Schedule(t.Context(), AgainRequest{}); err != nil || !strings.Contains(got.Summary, "already") {
		t.Errorf("one that waits is enough: %+v, %v", got, err)
	}
	// The one that started this very retune is there for a while.
	schedules.waits = "2026-03-01T12:00:00"
	if got, err := s.Schedule(t.Context(), AgainRequest{}); err != nil || strings.Contains(got.Summary, "already") ||
		len(schedules.renewed) != 1 || *schedules.renewed[0].ScheduleExpression != "at(2026-03-01T12:15:00)" {
		t.Errorf("%+v, %v after %d renewals", got, err, len(schedules.renewed))
	}
	schedules.err = errors.New("AccessDenied")
	if _, err := s.Schedule(t.Context(), AgainRequest{}); !errors.Is(err, schedules.err) ||
		!strings.Contains(err.Error(), "orders-retune-again") {
		t.Errorf("got %v", err)
	}
}

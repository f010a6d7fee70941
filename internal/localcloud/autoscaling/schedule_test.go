package autoscaling

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

func TestNextTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database:", err)
	}
	from := time.Date(2026, 3, 27, 10, 30, 20, 0, time.UTC) // a Friday, two days before summer time
	for text, want := range map[string][]string{
		"at(2026-03-27T12:00:00)": {"2026-03-27T12:00:00+01:00"},
		"rate(5 minutes)":         {"2026-03-27T11:35:20+01:00", "2026-03-27T11:40:20+01:00"},
		"rate(1 day)":             {"2026-03-28T11:30:20+01:00"},
		"cron(0/20 * * * ? *)":    {"2026-03-27T11:40:00+01:00", "2026-03-27T12:00:00+01:00"},
		"cron(0 8 ? * MON-FRI *)": {"2026-03-30T08:00:00+02:00", "2026-03-31T08:00:00+02:00"},
		"cron(15 9,17 29 * ? 2026-2027)": {
			"2026-03-29T09:15:00+02:00", "2026-03-29T17:15:00+02:00", "2026-04-29T09:15:00+02:00",
		},
		"cron(0 0 1 JAN ? *)": {"2027-01-01T00:00:00+01:00"},
	} {
		s, err := parseSchedule(text, berlin, from)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		at := from
		for _, w := range want {
			next, ok := s.next(at)
			if got := next.In(berlin).Format(time.RFC3339); !ok || got != w {
				t.Errorf("%s: after %s comes %s, want %s", text, at.In(berlin).Format(time.RFC3339), got, w)
			}
			at = next
		}
	}
	for _, text := range []string{
		"", "at(tomorrow)", "rate(0 minutes)", "rate(5 fortnights)", "cron(* * * *)", "cron(61 * * * ? *)",
		"cron(* * 1 * 2 *)", "cron(* * ? * ? *)", "cron(5-2 * * * ? *)", "cron(*/0 * * * ? *)", "cron(a * * * ? *)",
	} {
		if _, err := parseSchedule(text, time.UTC, from); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, text := range []string{
		"at(2026-03-27T12:00:00)", "rate(5 minutes)", "cron(0/20 9-17 ? JAN,MAR MON-FRI 2026)",
	} {
		f.Add(text)
	}
	from := time.Date(2026, 3, 27, 10, 30, 20, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSchedule(text, time.UTC, from)
		if err != nil {
			return
		}
		if next, ok := s.next(from); ok && !next.After(from) {
			t.Errorf("%q: after %s comes %s", text, from, next)
		}
	})
}

func (w *world) schedule(t *testing.T, name, schedule string, least, most *int32) {
	t.Helper()
	in := &aas.PutScheduledActionInput{
		ScheduledActionName: &name, ServiceNamespace: "ecs", ResourceId: aws.String(resource),
		ScalableDimension: dimension,
		Schedule:          &schedule,
	}
	if least != nil || most != nil {
		in.ScalableTargetAction = &types.ScalableTargetAction{MinCapacity: least, MaxCapacity: most}
	}
	_, err := w.PutScheduledAction(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
}

func TestScheduledActionsMoveTheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.register(t, 1, 2)
		w.start(t, func(time.Duration) float64 { return 0 })
		at := func(d time.Duration) string {
			return "at(" + time.Now().UTC().Add(d).Format("2006-01-02T15:04:05") + ")"
		}
		w.schedule(t, "up", at(5*time.Minute), aws.Int32(4), aws.Int32(9))
		w.schedule(t, "late", at(time.Hour), aws.Int32(1), aws.Int32(1))
		w.schedule(t, "up", at(10*time.Minute), nil, nil) // re-armed: the capacities stay
		time.Sleep(9 * time.Minute)
		if got := w.ecs.counts(); len(got) != 0 {
			t.Fatalf("before the action is due the counts set were %v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := w.ecs.counts(); !slices.Equal(got, []int{4}) {
			t.Errorf("after the action the counts set were %v, want [4]", got)
		}
		w.checkBounds(t, 4, 9)
		out, err := w.DescribeScheduledActions(t.Context(),
			&aas.DescribeScheduledActionsInput{ServiceNamespace: "ecs"})
		if err != nil || len(out.ScheduledActions) != 1 || *out.ScheduledActions[0].ScheduledActionName != "late" {
			t.Errorf("left are %+v, %v; want only the action that has not been carried out", out.ScheduledActions,
				err)
		}
		time.Sleep(time.Hour)
		w.checkBounds(t, 1, 1)
	})
}

func TestSuspendedScheduledScalingMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.register(t, 1, 2)
		_, err := w.RegisterScalableTarget(
			t.Context(),
			&aas.RegisterScalableTargetInput{ServiceNamespace: "ecs", ResourceId: aws.String(resource),
				ScalableDimension: dimension,
				SuspendedState:    &types.SuspendedState{ScheduledScalingSuspended: aws.Bool(true)}},
		)
		if err != nil {
			t.Fatal(err)
		}
		w.start(t, func(time.Duration) float64 { return 0 })
		w.schedule(t, "up", "rate(1 minute)", aws.Int32(4), aws.Int32(9))
		time.Sleep(3 * time.Minute)
		w.checkBounds(t, 1, 2)
	})
}

func (w *world) checkBounds(t *testing.T, least, most int32) {
	t.Helper()
	out, err := w.DescribeScalableTargets(t.Context(), &aas.DescribeScalableTargetsInput{ServiceNamespace: "ecs"})
	if err != nil || len(out.ScalableTargets) != 1 {
		t.Fatalf("%d targets, %v", len(out.ScalableTargets), err)
	}
	if got := out.ScalableTargets[0]; *got.MinCapacity != least || *got.MaxCapacity != most {
		t.Errorf("bounds are %d and %d, want %d and %d", *got.MinCapacity, *got.MaxCapacity, least, most)
	}
}

package verify

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestRollBack(t *testing.T) {
	const (
		done    = types.DeploymentRolloutStateCompleted
		running = types.DeploymentRolloutStateInProgress
		gaveUp  = types.DeploymentRolloutStateFailed
	)
	for name, test := range map[string]struct {
		change  func(w *world, p *Plan)
		minutes int // since it began
		want    RollbackStatus
		told    bool // the service was
	}{
		"begins": {func(*world, *Plan) {}, 0, RollbackInProgress, true},
		"begins while the rollout is under way": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, running, 2, 0), deployment("ACTIVE", oldArn, done, 2, 2))
		}, 0, RollbackInProgress, true},
		"is under way": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, running, 2, 1), deployment("ACTIVE", badArn, done, 1, 1))
		}, 5, RollbackInProgress, false},
		"waits until the bad tasks are gone": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, done, 2, 2), deployment("ACTIVE", badArn, done, 1, 1))
		}, 5, RollbackInProgress, false},
		"is done": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, done, 2, 2))
		}, 5, RollbackDone, false},
		"is done at no task": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, done, 0, 0))
		}, 5, RollbackDone, false},
		"takes too long": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, running, 2, 1), deployment("ACTIVE", badArn, done, 1, 1))
		}, 15, RollbackSlow, false},
		"fails": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, gaveUp, 2, 0))
		}, 5, RollbackFailed, false},
		"never touches a deployment that came between": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", otherArn, running, 2, 0), deployment("ACTIVE", badArn, done, 2, 2))
		}, 0, RollbackSuperseded, false},
		"has nowhere to go":    {func(_ *world, p *Plan) { p.Before = nil }, 0, RollbackNowhere, false},
		"never goes to itself": {func(_ *world, p *Plan) { p.Before = &p.Expected }, 0, RollbackNowhere, false},
		"of a deleted service": {func(w *world, _ *Plan) { w.service = nil }, 0, RollbackSuperseded, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			plan := prepare(t, w, `{}`)
			test.change(w, &plan)
			var previous Rollback
			if test.minutes > 0 {
				previous.Since = &noon
			}
			step := Rollbacker{ECS: w, Service: service, Now: func() time.Time {
				return noon.Add(time.Duration(test.minutes) * time.Minute)
			}}
			got, err := step.Look(t.Context(), RollbackRequest{Plan: plan, Previous: previous})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != test.want || got.Summary == "" || !got.Since.Equal(noon) {
				t.Errorf("rollback is %+v, want %s since noon", got, test.want)
			}
			if told := len(w.updates) == 1 && *w.updates[0].TaskDefinition == oldArn; told != test.told ||
				len(w.updates) > 1 {
				t.Errorf("the service was told %d times, want %v: %+v", len(w.updates), test.told, w.updates)
			}
		})
	}
}

// TestRollBackToAnInactiveTaskDefinition: ECS refuses it; the words of ECS reach the report.
func TestRollBackToAnInactiveTaskDefinition(t *testing.T) {
	w := newWorld()
	refusal := errors.New("ClientException: TaskDefinition is inactive")
	w.fail["UpdateService"] = refusal
	_, err := Rollbacker{ECS: w, Service: service}.Look(t.Context(), RollbackRequest{Plan: prepare(t, w, `{}`)})
	if !errors.Is(err, refusal) {
		t.Errorf("error is %v, want that of ECS", err)
	}
}

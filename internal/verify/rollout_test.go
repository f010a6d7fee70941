package verify

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestLookAtRollout(t *testing.T) {
	const (
		done    = types.DeploymentRolloutStateCompleted
		running = types.DeploymentRolloutStateInProgress
		gaveUp  = types.DeploymentRolloutStateFailed
	)
	for name, test := range map[string]struct {
		change        func(w *world, p *Plan)
		minutes       int // since the verification began
		want          RolloutStatus
		wantLingering bool
		wantDesired   int32 // that the service was asked for; 0: it was not
	}{
		"completed": {func(*world, *Plan) {}, 0, RolloutCompleted, false, 0},
		"completed, while ECS forgets a failed one": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, done, 2, 2), deployment("ACTIVE", otherArn, gaveUp, 1, 0))
		}, 0, RolloutCompleted, false, 0},
		"under way": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, running, 2, 1), deployment("ACTIVE", oldArn, done, 2, 2))
		}, 1, RolloutInProgress, false, 0},
		"new tasks run, old ones are still wanted": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, done, 2, 2), deployment("ACTIVE", oldArn, done, 1, 1))
		}, 1, RolloutInProgress, false, 0},
		"old ones only drain": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, done, 2, 2), deployment("ACTIVE", oldArn, done, 0, 1))
		}, 1, RolloutCompleted, false, 0},
		"completed, then scaled out": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, done, 5, 2))
		}, 1, RolloutInProgress, false, 0},
		"gave up, no rollback": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, gaveUp, 2, 0), deployment("ACTIVE", oldArn, done, 2, 2))
		}, 1, RolloutFailed, false, 0},
		"slow": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, running, 2, 1), deployment("ACTIVE", oldArn, done, 2, 2))
		}, 30, RolloutSlow, false, 0},
		"late because old tasks are busy": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, running, 2, 2), deployment("ACTIVE", oldArn, done, 1, 1))
		}, 30, RolloutCompleted, true, 0},
		"the circuit breaker went back, its history is there": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, done, 2, 2))
			w.past[0].Status = types.ServiceDeploymentStatusRollbackSuccessful
		}, 1, RolloutRolledBack, false, 0},
		"the circuit breaker goes back": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, running, 2, 0), deployment("ACTIVE", badArn, gaveUp, 0, 0))
			w.past[0].Status = types.ServiceDeploymentStatusRollbackInProgress
		}, 1, RolloutInProgress, false, 0},
		"the circuit breaker went back, the history lags": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, done, 2, 2), deployment("ACTIVE", badArn, gaveUp, 0, 0))
			w.past = nil
		}, 1, RolloutRolledBack, false, 0},
		"the circuit breaker goes back for ever": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, running, 2, 0), deployment("ACTIVE", badArn, gaveUp, 0, 0))
			w.past = nil
		}, 30, RolloutRolledBack, false, 0},
		"it could not go back": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", oldArn, gaveUp, 2, 0))
			w.past[0].Status = types.ServiceDeploymentStatusRollbackFailed
		}, 1, RolloutFailed, false, 0},
		"another deployment came": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", otherArn, running, 2, 0), deployment("ACTIVE", badArn, done, 2, 2))
		}, 1, RolloutSuperseded, false, 0},
		"never deployed": {func(_ *world, p *Plan) { p.Expected = Version{ImageDigest: badDigest} }, 1,
			RolloutNotDeployed, false, 0},
		"deleted": {func(w *world, _ *Plan) { w.service = nil }, 1, RolloutGone, false, 0},
		"at no task it asks for one": {func(w *world, _ *Plan) {
			w.deploy(deployment("PRIMARY", badArn, done, 0, 0))
		}, 0, RolloutInProgress, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			plan := prepare(t, w, `{}`)
			test.change(w, &plan)
			watcher := RolloutWatcher{ECS: w, Service: service, Now: func() time.Time {
				return noon.Add(time.Duration(test.minutes) * time.Minute)
			}}
			got, err := watcher.Look(t.Context(), RolloutRequest{Plan: plan})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != test.want || got.Lingering != test.wantLingering || got.Summary == "" {
				t.Errorf("rollout is %+v, want %s", got, test.want)
			}
			var asked int32
			for _, update := range w.updates {
				asked = *update.DesiredCount
			}
			if asked != test.wantDesired {
				t.Errorf("the service was asked for %d tasks, want %d", asked, test.wantDesired)
			}
		})
	}
}

package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// RolloutStatus tells how the rollout of the expected version stands.
type RolloutStatus string

// Rollout statuses. All but RolloutInProgress are final.
const (
	RolloutInProgress  RolloutStatus = "in progress"
	RolloutCompleted   RolloutStatus = "completed"
	RolloutFailed      RolloutStatus = "failed"       // ECS gave up and did not go back
	RolloutSlow        RolloutStatus = "slow"         // tasks of the version still do not run when the time is over
	RolloutRolledBack  RolloutStatus = "rolled back"  // the circuit breaker went back by itself
	RolloutSuperseded  RolloutStatus = "superseded"   // another deployment came after it
	RolloutNotDeployed RolloutStatus = "not deployed" // the image was never deployed
	RolloutGone        RolloutStatus = "gone"         // the service is
)

// Rollout is the output of the step Look At Rollout.
type Rollout struct {
	Status  RolloutStatus `json:"status"`
	Summary string        `json:"summary"`
	At      time.Time     `json:"at"`
	// Lingering says that old tasks are still finishing their work when the time is over.
	Lingering bool `json:"lingering,omitempty"`
}

// RolloutRequest is the input of the step Look At Rollout.
type RolloutRequest struct {
	Plan Plan `json:"plan"`
}

type rolloutECS interface {
	serviceClient
	historyClient
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// RolloutWatcher looks at a rollout.
type RolloutWatcher struct {
	ECS     rolloutECS
	Service Service
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Look tells how the rollout stands now. A service that wants no task gets one: nothing else could prove the version.
func (w RolloutWatcher) Look(ctx context.Context, request RolloutRequest) (Rollout, error) {
	plan := request.Plan
	snapshot, err := w.Service.snapshot(ctx, w.ECS)
	if err != nil {
		return Rollout{}, err
	}
	var fate *Past
	primary := snapshot.primary()
	if snapshot.Active && (primary == nil || primary.TaskDefinition != plan.Expected.TaskDefinitionArn) {
		// The service has moved away from the version; only the history tells why.
		history, err := w.Service.history(ctx, w.ECS)
		if err != nil {
			return Rollout{}, err
		}
		fate = latestOf(history, plan.Expected.TaskDefinitionArn)
	}
	rollout := judgeRollout(plan, snapshot, fate, now(w.Now))
	if rollout.Status == RolloutInProgress && snapshot.Desired == 0 && fate == nil {
		_, err := w.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: &w.Service.Cluster, Service: &w.Service.Name, DesiredCount: aws.Int32(1),
		})
		if err != nil {
			return Rollout{}, fmt.Errorf("ask service %s for one task: %w", w.Service.Name, err)
		}
		rollout.Summary = "the service wanted no task; it was asked for one"
	}
	return rollout, nil
}

// judgeRollout decides from the state of the service, and from the version's last deployment where the service moves to
// another version.
func judgeRollout(plan Plan, s Snapshot, fate *Past, now time.Time) Rollout {
	rollout := func(status RolloutStatus, format string, values ...any) Rollout {
		return Rollout{Status: status, Summary: fmt.Sprintf(format, values...), At: now}
	}
	primary, late := s.primary(), now.Sub(plan.At) >= seconds(plan.RolloutSeconds)
	switch {
	case !s.Active || primary == nil:
		return rollout(RolloutGone, "the service does not exist any more")
	case plan.Expected.TaskDefinitionArn == "":
		return rollout(RolloutNotDeployed, "no deployment of the service has the image %s; it runs %s",
			plan.Expected.ImageDigest, short(primary.TaskDefinition))
	case primary.TaskDefinition != plan.Expected.TaskDefinitionArn:
		status, why := moved(plan, s, fate, late)
		return rollout(status, "%s", why)
	case primary.State == failed:
		return rollout(RolloutFailed, "ECS gave the rollout up: %s", primary.Reason)
	case s.Desired > 0 && primary.State == completed && primary.Running >= primary.Desired && s.othersDrain():
		return rollout(RolloutCompleted, "%d of %d tasks run %s",
			primary.Running, primary.Desired, plan.Expected.TaskDefinition)
	case late && s.Desired > 0 && primary.Running >= primary.Desired:
		// Old tasks that are protected while they work may take hours; that says nothing against the new version.
		done := rollout(RolloutCompleted, "%d of %d tasks run %s; old tasks are still finishing their work",
			primary.Running, primary.Desired, plan.Expected.TaskDefinition)
		done.Lingering = true
		return done
	case late:
		return rollout(RolloutSlow, "after %g s, %d of %d tasks run %s, and %d could not start",
			plan.RolloutSeconds, primary.Running, primary.Desired, plan.Expected.TaskDefinition, primary.FailedTasks)
	default:
		return rollout(RolloutInProgress, "%d of %d tasks run %s",
			primary.Running, primary.Desired, plan.Expected.TaskDefinition)
	}
}

// moved tells why the service moves to another version than the expected one.
func moved(plan Plan, s Snapshot, fate *Past, late bool) (RolloutStatus, string) {
	to := short(s.primary().TaskDefinition)
	status, reason := "", ""
	if fate != nil {
		status, reason = fate.Status, fate.Reason
	}
	if own := s.of(plan.Expected.TaskDefinitionArn); own != nil && own.State == failed {
		// A service without this API, or one whose history lags behind.
		status, reason = string(types.ServiceDeploymentStatusRollbackInProgress), own.Reason
		if s.primary().State == completed {
			status = string(types.ServiceDeploymentStatusRollbackSuccessful)
		}
	}
	switch types.ServiceDeploymentStatus(status) {
	case types.ServiceDeploymentStatusRollbackSuccessful:
		return RolloutRolledBack, fmt.Sprintf("ECS went back to %s by itself: %s", to, reason)
	case types.ServiceDeploymentStatusRollbackRequested, types.ServiceDeploymentStatusRollbackInProgress:
		if late {
			return RolloutRolledBack, fmt.Sprintf("ECS is still going back to %s by itself: %s", to, reason)
		}
		return RolloutInProgress, fmt.Sprintf("ECS is going back to %s by itself: %s", to, reason)
	case types.ServiceDeploymentStatusRollbackFailed:
		return RolloutFailed, "ECS gave the rollout up, and could not go back: " + reason
	default:
		return RolloutSuperseded, "another deployment came after it: the service moves to " + to
	}
}

package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// RollbackStatus tells how a rollback stands.
type RollbackStatus string

// Rollback statuses. All but RollbackInProgress are final.
const (
	RollbackInProgress RollbackStatus = "in progress"
	RollbackDone       RollbackStatus = "rolled back"
	RollbackNowhere    RollbackStatus = "nowhere to go back to"
	RollbackSuperseded RollbackStatus = "superseded" // another deployment came between
	RollbackSlow       RollbackStatus = "slow"
	RollbackFailed     RollbackStatus = "failed"
	RollbackNotWanted  RollbackStatus = "not wanted" // the machine's own word
)

// Rollback is the output of the step Roll Back.
type Rollback struct {
	Status  RollbackStatus `json:"status"`
	Summary string         `json:"summary"`
	Since   *time.Time     `json:"since"` // when it began
}

// RollbackRequest is the input of the step Roll Back.
type RollbackRequest struct {
	Plan     Plan     `json:"plan"`
	Previous Rollback `json:"previous"` // output of the look before; zero at the first
}

type rollbackECS interface {
	serviceClient
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// Rollbacker takes a version back.
type Rollbacker struct {
	ECS     rollbackECS
	Service Service
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Look begins the rollback if it has not begun, and tells how it stands. It may be called as often as one likes.
func (r Rollbacker) Look(ctx context.Context, request RollbackRequest) (Rollback, error) {
	snapshot, err := r.Service.snapshot(ctx, r.ECS)
	if err != nil {
		return Rollback{}, err
	}
	rollback, begin := judgeRollback(request.Plan, request.Previous, snapshot, now(r.Now))
	if begin {
		_, err := r.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: &r.Service.Cluster, Service: &r.Service.Name,
			TaskDefinition: &request.Plan.Before.TaskDefinitionArn,
		})
		if err != nil {
			return Rollback{}, fmt.Errorf("take service %s back to %s: %w",
				r.Service.Name, request.Plan.Before.TaskDefinition, err)
		}
	}
	return rollback, nil
}

// judgeRollback decides from the state of the service, and whether the service has to be told.
func judgeRollback(plan Plan, previous Rollback, s Snapshot, now time.Time) (rollback Rollback, begin bool) {
	since := previous.Since
	if since == nil {
		since = &now
	}
	answer := func(status RollbackStatus, format string, values ...any) Rollback {
		return Rollback{Status: status, Summary: fmt.Sprintf(format, values...), Since: since}
	}
	primary := s.primary()
	switch {
	case !s.Active || primary == nil:
		return answer(RollbackSuperseded, "the service does not exist any more"), false
	case plan.Before == nil || plan.Before.TaskDefinitionArn == plan.Expected.TaskDefinitionArn:
		return answer(RollbackNowhere, "no deployment before this one was completed"), false
	case primary.TaskDefinition == plan.Expected.TaskDefinitionArn:
		return answer(RollbackInProgress, "the service goes back to %s", plan.Before.TaskDefinition), true
	case primary.TaskDefinition != plan.Before.TaskDefinitionArn:
		return answer(RollbackSuperseded, "another deployment came between: the service moves to %s",
			short(primary.TaskDefinition)), false
	case primary.State == failed:
		return answer(RollbackFailed, "ECS gave the rollback to %s up: %s",
			plan.Before.TaskDefinition, primary.Reason), false
	case primary.State == completed && primary.Running >= primary.Desired && s.othersDrain():
		return answer(RollbackDone, "the service runs %s again", plan.Before.TaskDefinition), false
	case now.Sub(*since) >= seconds(plan.RollbackSeconds):
		return answer(RollbackSlow, "after %g s, %d of %d tasks run %s", plan.RollbackSeconds, primary.Running,
			primary.Desired, plan.Before.TaskDefinition), false
	default:
		return answer(RollbackInProgress, "%d of %d tasks run %s", primary.Running, primary.Desired,
			plan.Before.TaskDefinition), false
	}
}

package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

// Names of the scheduled actions of the dead man.
const (
	CeilingAction = "band-gives-back-the-ceiling"
	FloorAction   = "band-gives-back-the-floor"
)

// ArmRequest is the input of the step Arm Dead Man.
type ArmRequest struct {
	Execution string `json:"execution"`
}

// Armed is the output of the step Arm Dead Man.
type Armed struct {
	Summary   string    `json:"summary"`
	CeilingAt time.Time `json:"ceilingAt"` // when MaxCapacity goes back to MaxTasks
	FloorAt   time.Time `json:"floorAt"`   // when MinCapacity goes back to MinTasks
}

type scheduler interface {
	PutScheduledAction(context.Context, *applicationautoscaling.PutScheduledActionInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.PutScheduledActionOutput, error)
}

type unscheduler interface {
	DeleteScheduledAction(context.Context, *applicationautoscaling.DeleteScheduledActionInput,
		...func(*applicationautoscaling.Options)) (*applicationautoscaling.DeleteScheduledActionOutput, error)
}

// Armer arms the dead man: two scheduled actions of the scalable target that give the bounds back if no run puts them
// off. They need no function to run, so they work whatever has stopped the looks.
type Armer struct {
	Scaling            scheduler
	Parameters         parameterReader
	Target             Target
	Parameter          string // name of the parameter that holds the State
	MinTasks, MaxTasks int
	// CeilingAfter and FloorAfter are how long after the last run they act. See band.CeilingAfter.
	CeilingAfter, FloorAfter time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Arm puts both scheduled actions off, if the run is still at work. An action of the same name is replaced.
func (a Armer) Arm(ctx context.Context, request ArmRequest) (Armed, error) {
	if _, err := holds(ctx, a.Parameters, a.Parameter, request.Execution); err != nil {
		return Armed{}, err
	}
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	begin := now().UTC()
	armed := Armed{CeilingAt: wholeSecond(begin.Add(a.CeilingAfter)), FloorAt: wholeSecond(begin.Add(a.FloorAfter))}
	ceiling := &types.ScalableTargetAction{MaxCapacity: aws.Int32(int32(a.MaxTasks))}
	floor := &types.ScalableTargetAction{MinCapacity: aws.Int32(int32(a.MinTasks))}
	if err := a.put(ctx, CeilingAction, armed.CeilingAt, ceiling); err != nil {
		return Armed{}, err
	}
	if err := a.put(ctx, FloorAction, armed.FloorAt, floor); err != nil {
		return Armed{}, err
	}
	armed.Summary = fmt.Sprintf("if no look follows: at most %d tasks from %s, at least %d from %s", a.MaxTasks,
		armed.CeilingAt.Format(time.TimeOnly), a.MinTasks, armed.FloorAt.Format(time.TimeOnly))
	return armed, nil
}

func (a Armer) put(ctx context.Context, name string, at time.Time, action *types.ScalableTargetAction) error {
	_, err := a.Scaling.PutScheduledAction(ctx, &applicationautoscaling.PutScheduledActionInput{
		ServiceNamespace: namespace, ScalableDimension: dimensionOfTasks, ResourceId: &a.Target.ResourceID,
		ScheduledActionName: &name, Schedule: aws.String("at(" + at.Format("2006-01-02T15:04:05") + ")"),
		ScalableTargetAction: action,
	})
	if err != nil {
		return fmt.Errorf("put the scheduled action %s of %s off: %w", name, a.Target.ResourceID, err)
	}
	return nil
}

// wholeSecond rounds up, for at(...) knows no fractions.
func wholeSecond(at time.Time) time.Time {
	return at.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// disarm deletes both actions. That there is none is fine.
func (t Target) disarm(ctx context.Context, client unscheduler) error {
	for _, name := range []string{CeilingAction, FloorAction} {
		_, err := client.DeleteScheduledAction(ctx, &applicationautoscaling.DeleteScheduledActionInput{
			ServiceNamespace: namespace, ScalableDimension: dimensionOfTasks, ResourceId: &t.ResourceID,
			ScheduledActionName: &name,
		})
		var missing *types.ObjectNotFoundException
		if err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("delete the scheduled action %s of %s: %w", name, t.ResourceID, err)
		}
	}
	return nil
}

package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/band"
)

type targetWriter interface {
	boundsReader
	boundsWriter
	unscheduler
}

// Switch is the custom resource that says whose the bounds are. Whatever changes that is a property of it: BandState,
// MinTasks, MaxTasks. CloudFormation calls it after it has written the scalable target and the schedule.
type Switch struct {
	Scaling    targetWriter
	Parameters parameters
	Target     Target
	Parameter  string // name of the parameter that holds the State
	// Pause after which it is made sure that the bounds are still the template's. Zero means two seconds.
	Pause time.Duration
}

// Handle serves CloudFormation's requests. With State ENABLED the bounds are the band's from the next look on. With
// DISABLED, and before the resource is deleted, they are taken back at once: no run writes anything from now on,
// MinCapacity and MaxCapacity are set to the properties MinTasks and MaxTasks, and the dead man is disarmed.
func (s Switch) Handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	id := s.Parameter
	limits, enabled, err := parse(event.ResourceProperties)
	switch {
	case event.RequestType == cfn.RequestDelete:
		return id, nil, s.leave(ctx)
	case err != nil:
		return id, nil, err
	case event.RequestType == cfn.RequestCreate && !enabled:
		return id, map[string]any{"Owner": string(OfTemplate)}, s.own(ctx, OfTemplate) // nothing was ever moved
	case enabled:
		return id, map[string]any{"Owner": string(OfBand)}, s.own(ctx, OfBand)
	}
	return id, map[string]any{"Owner": string(OfTemplate)}, s.takeBack(ctx, limits)
}

// takeBack does it twice: a step that found itself at work a moment before may write a moment after.
func (s Switch) takeBack(ctx context.Context, limits band.Bounds) error {
	for second := range 2 {
		if second > 0 {
			if err := s.pause(ctx); err != nil {
				return err
			}
		}
		if err := s.own(ctx, OfTemplate); err != nil {
			return err
		}
		inForce, err := s.Target.bounds(ctx, s.Scaling)
		if err != nil {
			return err
		}
		if inForce != limits {
			if err := s.Target.move(ctx, s.Scaling, limits); err != nil {
				return err
			}
		}
		if err := s.Target.disarm(ctx, s.Scaling); err != nil {
			return err
		}
	}
	return nil
}

// own writes whose the bounds are, if the parameter says otherwise. What the band knew stays for the next time; a
// parameter that somebody wrote by hand is made good.
func (s Switch) own(ctx context.Context, owner Owner) error {
	state, _, err := readState(ctx, s.Parameters, s.Parameter)
	var unreadable *StateUnreadable
	if err != nil && !errors.As(err, &unreadable) || state.Owner == owner {
		return err
	}
	_, err = writeState(ctx, s.Parameters, s.Parameter, State{
		Owner: owner, Memory: state.Memory, ProcessingSeconds: state.ProcessingSeconds,
	})
	return err
}

// leave takes the bounds from the band before the target and the parameter are deleted. What is gone already is fine.
func (s Switch) leave(ctx context.Context) error {
	err := s.own(ctx, OfTemplate)
	var missing *types.ParameterNotFound
	if err != nil && !errors.As(err, &missing) {
		return err
	}
	return s.Target.disarm(ctx, s.Scaling)
}

func (s Switch) pause(ctx context.Context) error {
	timer := time.NewTimer(cmp.Or(s.Pause, 2*time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// parse reads the properties, which CloudFormation passes as strings.
func parse(given map[string]any) (limits band.Bounds, enabled bool, err error) {
	number := func(name string) int {
		value, conversion := strconv.Atoi(fmt.Sprint(given[name]))
		if conversion != nil || value < 0 {
			err = errors.Join(err, fmt.Errorf("the property %s is %v; it must be a whole number of tasks", name,
				given[name]))
		}
		return value
	}
	limits = band.Bounds{Floor: number("MinTasks"), Ceiling: number("MaxTasks")}
	switch given["State"] {
	case "ENABLED":
		enabled = true
	case "DISABLED":
	default:
		err = errors.Join(err, fmt.Errorf("the property State is %v; it must be ENABLED or DISABLED", given["State"]))
	}
	return limits, enabled, err
}

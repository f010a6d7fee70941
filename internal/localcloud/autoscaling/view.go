package autoscaling

import (
	"context"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// View is what there is to see of a scalable target at one moment: more than the API tells.
type View struct {
	ResourceID string
	Bounds     tracking.Bounds
	Policies   []PolicyView           // the target tracking policies, in the order of their creation
	Activities []tracking.Activity    // newest first, with those that say why nothing was scaled
	Steps      []tracking.AlarmStatus // alarms that trigger a step policy
}

// PolicyView is a target tracking policy with what it holds and how far its alarms are.
type PolicyView struct {
	Name      string
	Target    float64
	Value     float64 // newest datapoint that an alarm has evaluated; NaN for none
	High, Low tracking.AlarmStatus
}

// Views shows every target of ECS. It waits for a change that is under way.
func (s *Server) Views(ctx context.Context) ([]View, error) {
	s.mu.Lock()
	targets := slices.Clone(s.targets)
	s.mu.Unlock()
	var views []View
	for _, t := range targets {
		if t.engine == nil {
			continue
		}
		view, err := s.view(ctx, t)
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return views, nil
}

func (s *Server) view(ctx context.Context, t *target) (View, error) {
	if err := t.lock(ctx); err != nil {
		return View{}, err
	}
	defer t.unlock()
	view := View{ResourceID: t.resource, Bounds: t.engine.Bounds()}
	alarms := t.engine.Alarms()
	for _, p := range t.policies {
		own := slices.DeleteFunc(slices.Clone(alarms),
			func(a tracking.AlarmStatus) bool { return a.Policy != p.name })
		if p.kind == types.PolicyTypeTargetTrackingScaling {
			view.Policies = append(view.Policies, viewPolicy(p, own))
		} else {
			view.Steps = append(view.Steps, own...)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range slices.Backward(s.activities) {
		if a.key == t.key {
			view.Activities = append(view.Activities, a.Activity)
		}
	}
	return view, nil
}

func viewPolicy(p *policy, alarms []tracking.AlarmStatus) PolicyView {
	view := PolicyView{Name: p.name, Target: *p.tracking.TargetValue, Value: math.NaN()}
	for _, a := range alarms {
		if a.Spec.Comparison == tracking.GreaterThan {
			view.High = a
		} else {
			view.Low = a
		}
		if !math.IsNaN(a.Value) {
			view.Value = a.Value
		}
	}
	return view
}

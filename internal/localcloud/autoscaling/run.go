package autoscaling

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Run decides for every target of ECS once a period, EvaluationOffset after a full one, and carries out scheduled
// actions when they are due. It returns when ctx ends.
func (s *Server) Run(ctx context.Context) error {
	due := time.NewTicker(scheduleTick)
	defer due.Stop()
	next := s.nextEvaluation(time.Now())
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-due.C:
			s.runScheduled(ctx, now)
		case <-timer.C:
			s.evaluateAll(ctx, time.Now())
			next = s.nextEvaluation(time.Now())
			timer.Reset(time.Until(next))
		}
	}
}

func (s *Server) nextEvaluation(now time.Time) time.Time {
	offset := s.assumptions.EvaluationOffset
	return now.Add(-offset).Truncate(s.Period).Add(s.Period + offset)
}

func (s *Server) evaluateAll(ctx context.Context, now time.Time) {
	s.mu.Lock()
	targets := slices.Clone(s.targets)
	s.mu.Unlock()
	for _, t := range targets {
		if t.engine == nil {
			continue
		}
		if err := s.evaluate(ctx, t, now); err != nil && ctx.Err() == nil {
			s.Log.Warn("no scaling decision", "target", t.resource, "error", err)
		}
	}
}

func (s *Server) evaluate(ctx context.Context, t *target, now time.Time) error {
	if err := t.lock(ctx); err != nil {
		return err
	}
	defer t.unlock()
	if t.gone {
		return nil
	}
	c, err := s.capacity(ctx, t.key)
	var fault *wire.Fault
	if errors.As(err, &fault) {
		s.forget(t) // AWS deregisters the target when its service is deleted
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.refreshSteps(t); err != nil {
		return err
	}
	decision := t.engine.Evaluate(now, c)
	s.showAlarms(t)
	s.carryOut(ctx, t, decision)
	return nil
}

// refreshSteps tells the engine of alarms that began or ceased to name a step policy.
func (s *Server) refreshSteps(t *target) error {
	for _, p := range t.policies {
		if p.kind != types.PolicyTypeStepScaling {
			continue
		}
		if !reflect.DeepEqual(s.Monitor.AlarmsNaming(p.arn), p.engaged) {
			if err := s.engageStep(t, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// carryOut sets the desired count that was decided and keeps the activities. Needs the target's turn.
func (s *Server) carryOut(ctx context.Context, t *target, d tracking.Decision) {
	var failure error
	if d.Changed {
		if failure = s.setDesired(ctx, t.key, d.Desired); failure != nil {
			s.Log.Warn("desired count was not set", "target", t.resource, "count", d.Desired, "error", failure)
		}
	}
	for _, a := range d.Activities {
		if failure != nil && a.NotScaled == nil {
			a.Status, a.End = tracking.Failed, time.Now()
			a.StatusMessage = "Failed to set desired count: " + failure.Error()
		}
		s.remember(ctx, t, a)
	}
}

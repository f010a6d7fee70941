package monitoring

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// alarm is a metric alarm. Those of the autoscaler are evaluated there and only shown here.
type alarm struct {
	types.MetricAlarm
	evaluator *tracking.Alarm // nil for an alarm of the autoscaler and for a composite one
	rule      rule            // of a composite alarm
	ruleText  string
	// suppression of a composite alarm's actions; nil without a suppressor.
	suppression *suppression
}

// ManagedAlarm is an alarm of a target tracking policy, as Application Auto Scaling makes them.
type ManagedAlarm struct {
	Status      tracking.AlarmStatus
	Description string
	Actions     []string
}

// ShowAlarm makes or updates an alarm that is evaluated elsewhere, with its state.
func (s *Server) ShowAlarm(m ManagedAlarm) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	name := m.Status.Spec.Name
	a := s.alarms[name]
	if a == nil {
		a = &alarm{MetricAlarm: shownSpec(m.Status.Spec)}
		a.AlarmArn = aws.String(s.alarmARN(name))
		a.ActionsEnabled = aws.Bool(true)
		a.AlarmConfigurationUpdatedTimestamp = aws.Time(now)
		a.unchecked(now)
		s.alarms[name] = a
		s.record(a, types.HistoryItemTypeConfigurationUpdate, "Alarm \""+name+"\" created", a.configuration())
	}
	fresh := shownSpec(m.Status.Spec)
	if *fresh.Threshold != *a.Threshold || !reflect.DeepEqual(fresh.Metrics, a.Metrics) {
		a.Threshold, a.Metrics = fresh.Threshold, fresh.Metrics
		a.AlarmConfigurationUpdatedTimestamp = aws.Time(now)
		s.record(a, types.HistoryItemTypeConfigurationUpdate, "Alarm \""+name+"\" updated", a.configuration())
	}
	a.AlarmDescription = aws.String(m.Description)
	a.AlarmActions = m.Actions
	s.move(a, types.StateValue(m.Status.State), m.Status.Reason, m.Status.ReasonData, now)
}

// DropAlarms removes alarms that the autoscaler made. Unknown names do no harm.
func (s *Server) DropAlarms(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		delete(s.alarms, name)
		delete(s.tags, s.alarmARN(name))
	}
}

// AlarmsNaming returns the alarms, other than the autoscaler's own, that name a resource (a scaling policy) as an
// action of their ALARM state.
func (s *Server) AlarmsNaming(resource string) []tracking.AlarmSpec {
	s.mu.Lock()
	defer s.mu.Unlock()
	var specs []tracking.AlarmSpec
	for _, name := range s.names() {
		a := s.alarms[name]
		if a.evaluator == nil || !aws.ToBool(a.ActionsEnabled) {
			continue
		}
		for _, action := range a.AlarmActions {
			if action == resource {
				specs = append(specs, a.evaluator.Status().Spec)
			}
		}
	}
	return specs
}

func (a *alarm) unchecked(now time.Time) {
	a.StateValue = types.StateValueInsufficientData
	a.StateReason = aws.String("Unchecked: Initial alarm creation")
	a.StateUpdatedTimestamp = aws.Time(now)
	a.StateTransitionedTimestamp = aws.Time(now)
}

// move gives an alarm the state that it was found in; a new one is recorded, told and acted upon. Needs s.mu.
func (s *Server) move(a *alarm, state types.StateValue, reason, data string, now time.Time) {
	if state == "" || state == a.StateValue {
		if state != "" && reason != "" && a.evaluator == nil {
			a.StateReason = aws.String(reason)
		}
		return
	}
	before := a.MetricAlarm
	a.StateValue = state
	a.StateReason = aws.String(reason)
	a.StateReasonData = nil
	if data != "" {
		a.StateReasonData = aws.String(data)
	}
	a.StateUpdatedTimestamp = aws.Time(now)
	a.StateTransitionedTimestamp = aws.Time(now)
	s.record(a, types.HistoryItemTypeStateUpdate,
		"Alarm updated from "+string(before.StateValue)+" to "+string(state), stateChange(before, a.MetricAlarm))
	s.act(s.suppressed(a, action{before: before, after: a.MetricAlarm}, now))
	if a.rule == nil {
		s.judgeComposites(now)
	}
	s.settleSuppressions(now)
}

// suppressed marks the action of an alarm's change that is held back. Needs s.mu.
func (s *Server) suppressed(a *alarm, change action, now time.Time) action {
	if a.suppression != nil {
		change.held = a.suppression.hold(change, s.stateOf(a.suppression.by) == types.StateValueAlarm, now)
	}
	return change
}

// evaluateAlarms gives each alarm of this server its state of now.
func (s *Server) evaluateAlarms(now time.Time, which func(period time.Duration) bool) {
	s.mu.Lock()
	var due []*alarm
	for _, name := range s.names() {
		if a := s.alarms[name]; a.evaluator != nil && which(a.evaluator.Status().Spec.Period) {
			due = append(due, a)
		}
	}
	s.mu.Unlock()
	for _, a := range due {
		a.evaluator.Evaluate(now, s) // reads through s.Read, so not under s.mu; one loop evaluates at a time
		status := a.evaluator.Status()
		s.mu.Lock()
		s.move(a, types.StateValue(status.State), status.Reason, status.ReasonData, now)
		s.mu.Unlock()
	}
}

// Run samples, evaluates and acts until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	go s.perform(ctx)
	go every(ctx, time.Second, 0, func(now time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settleSuppressions(now)
	})
	go every(ctx, s.Period, 0, func(now time.Time) { s.sampleAll(ctx, now) })
	if s.Period > fastPeriod {
		go every(ctx, fastPeriod, fastPeriod/2, func(now time.Time) {
			s.evaluateAlarms(now, func(p time.Duration) bool { return p < s.Period })
		})
	}
	every(ctx, s.Period, s.EvaluationOffset, func(now time.Time) {
		s.evaluateAlarms(now, func(p time.Duration) bool { return p >= s.Period || s.Period <= fastPeriod })
	})
	return ctx.Err()
}

// fastPeriod is the shortest period of an alarm on AWS.
const fastPeriod = 10 * time.Second

// every calls do at each full period plus offset until ctx ends. A call that takes longer than a period skips beats.
func every(ctx context.Context, period, offset time.Duration, do func(now time.Time)) {
	for {
		now := time.Now()
		next := now.Add(-offset).Truncate(period).Add(period + offset)
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			do(next)
		}
	}
}

// shownSpec is an alarm's configuration as DescribeAlarms shows it.
func shownSpec(spec tracking.AlarmSpec) types.MetricAlarm {
	out := types.MetricAlarm{
		AlarmName:          aws.String(spec.Name),
		ComparisonOperator: types.ComparisonOperator(spec.Comparison),
		Threshold:          aws.Float64(spec.Threshold),
		EvaluationPeriods:  aws.Int32(int32(spec.EvaluationPeriods)),
		Dimensions:         []types.Dimension{},
		OKActions:          []string{}, AlarmActions: []string{}, InsufficientDataActions: []string{},
	}
	if spec.DatapointsToAlarm > 0 {
		out.DatapointsToAlarm = aws.Int32(int32(spec.DatapointsToAlarm))
	}
	if spec.TreatMissing != "" {
		out.TreatMissingData = aws.String(string(spec.TreatMissing))
	}
	seconds := aws.Int32(int32(spec.Period / time.Second))
	if len(spec.Metrics) == 1 && spec.Metrics[0].Metric != nil {
		m := spec.Metrics[0].Metric
		out.Namespace, out.MetricName = aws.String(m.Namespace), aws.String(m.Name)
		out.Statistic, out.Period, out.Unit = types.Statistic(m.Stat), seconds, types.StandardUnit(m.Unit)
		out.Dimensions = shownDimensions(m.Dimensions)
		return out
	}
	for _, q := range spec.Metrics {
		out.Metrics = append(out.Metrics, shownQuery(q, seconds))
	}
	return out
}

func shownQuery(q tracking.MetricQuery, period *int32) types.MetricDataQuery {
	out := types.MetricDataQuery{Id: aws.String(q.ID), ReturnData: aws.Bool(q.ReturnData)}
	if q.Label != "" {
		out.Label = aws.String(q.Label)
	}
	if q.Metric == nil {
		out.Expression = aws.String(q.Expression)
		return out
	}
	out.MetricStat = &types.MetricStat{
		Metric: &types.Metric{
			Namespace: aws.String(q.Metric.Namespace), MetricName: aws.String(q.Metric.Name),
			Dimensions: shownDimensions(q.Metric.Dimensions),
		},
		Period: period, Stat: aws.String(q.Metric.Stat), Unit: types.StandardUnit(q.Metric.Unit),
	}
	return out
}

func shownDimensions(list []tracking.Dimension) []types.Dimension {
	out := make([]types.Dimension, len(list))
	for i, d := range list {
		out[i] = types.Dimension{Name: aws.String(d.Name), Value: aws.String(d.Value)}
	}
	return out
}

func (a *alarm) configuration() string {
	text, _ := json.Marshal(map[string]any{"version": "1.0", "type": "Create", "createdAlarm": map[string]any{
		"alarmName": a.AlarmName, "threshold": a.Threshold, "comparisonOperator": a.ComparisonOperator,
	}})
	return string(text)
}

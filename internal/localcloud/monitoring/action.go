package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// maxPendingActions bounds what waits to be sent; an alarm never waits for its actions.
const maxPendingActions = 1000

// action is a change of state to be told and acted upon.
type action struct {
	before, after types.MetricAlarm
	held          bool // it is told, and acted upon later if at all
	told          bool // it was held, and is acted upon only
}

// act hands a change of state to perform.
func (s *Server) act(a action) {
	select {
	case s.calls <- a:
	default:
		s.Log.Warn("alarm action dropped: too many are waiting", "alarm", *a.after.AlarmName)
	}
}

func (s *Server) perform(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-s.calls:
			s.tell(ctx, a)
		}
	}
}

func (s *Server) tell(ctx context.Context, a action) {
	name := *a.after.AlarmName
	if s.Event != nil && !a.told {
		err := s.Event(ctx, "CloudWatch Alarm State Change", []string{*a.after.AlarmArn}, eventDetail(a))
		if err != nil {
			s.Log.Warn("event of an alarm was not sent", "alarm", name, "error", err)
		}
	}
	if a.held || !aws.ToBool(a.after.ActionsEnabled) || s.Notify == nil {
		return
	}
	for _, arn := range actionsOf(a.after) {
		if !strings.Contains(arn, ":sns:") {
			continue // scaling policies are carried out by the autoscaler, which evaluates their alarms itself
		}
		subject, message := s.notification(a)
		if err := s.Notify(ctx, arn, subject, message); err != nil {
			s.Log.Warn("alarm action failed", "alarm", name, "action", arn, "error", err)
		}
	}
}

func actionsOf(a types.MetricAlarm) []string {
	switch a.StateValue {
	case types.StateValueAlarm:
		return a.AlarmActions
	case types.StateValueOk:
		return a.OKActions
	case types.StateValueInsufficientData:
	}
	return a.InsufficientDataActions
}

// eventDetail is the detail of a "CloudWatch Alarm State Change" event, as documented for EventBridge.
func eventDetail(a action) map[string]any {
	return map[string]any{
		"alarmName":     *a.after.AlarmName,
		"state":         eventState(a.after),
		"previousState": eventState(a.before),
		"configuration": map[string]any{
			"description": aws.ToString(a.after.AlarmDescription),
			"metrics":     eventMetrics(a.after),
		},
	}
}

func eventState(a types.MetricAlarm) map[string]any {
	state := map[string]any{
		"value": a.StateValue, "reason": aws.ToString(a.StateReason),
		"timestamp": a.StateUpdatedTimestamp.UTC().Format("2006-01-02T15:04:05.000-0700"),
	}
	if a.StateReasonData != nil {
		state["reasonData"] = *a.StateReasonData
	}
	return state
}

func eventMetrics(a types.MetricAlarm) []map[string]any {
	stat := func(namespace, name *string, dimensions []types.Dimension, period *int32, stat string) map[string]any {
		d := map[string]string{}
		for _, x := range dimensions {
			d[aws.ToString(x.Name)] = aws.ToString(x.Value)
		}
		return map[string]any{
			"metric": map[string]any{
				"namespace":  aws.ToString(namespace),
				"name":       aws.ToString(name),
				"dimensions": d,
			},
			"period": aws.ToInt32(period), "stat": stat,
		}
	}
	if a.MetricName != nil {
		return []map[string]any{{
			"id": "m1", "returnData": true,
			"metricStat": stat(a.Namespace, a.MetricName, a.Dimensions, a.Period,
				string(a.Statistic)+aws.ToString(a.ExtendedStatistic)),
		}}
	}
	var out []map[string]any
	for _, q := range a.Metrics {
		m := map[string]any{"id": aws.ToString(q.Id), "returnData": q.ReturnData == nil || *q.ReturnData}
		if q.Expression != nil {
			m["expression"] = *q.Expression
		}
		if q.MetricStat != nil {
			x := q.MetricStat
			m["metricStat"] = stat(x.Metric.Namespace, x.Metric.MetricName, x.Metric.Dimensions, x.Period,
				aws.ToString(x.Stat))
		}
		out = append(out, m)
	}
	return out
}

// notification is the message of an alarm to a topic, as CloudWatch sends it.
func (s *Server) notification(a action) (subject, message string) {
	name := *a.after.AlarmName
	text, err := json.Marshal(map[string]any{
		"AlarmName": name, "AlarmDescription": aws.ToString(a.after.AlarmDescription), "AWSAccountId": s.Account,
		"AlarmConfigurationUpdatedTimestamp": stamp(a.after.AlarmConfigurationUpdatedTimestamp),
		"NewStateValue":                      a.after.StateValue, "NewStateReason": aws.ToString(a.after.StateReason),
		"StateChangeTime": stamp(a.after.StateUpdatedTimestamp), "Region": s.Region, "AlarmArn": *a.after.AlarmArn,
		"OldStateValue": a.before.StateValue, "OKActions": a.after.OKActions, "AlarmActions": a.after.AlarmActions,
		"InsufficientDataActions": a.after.InsufficientDataActions,
		"Trigger": map[string]any{
			"MetricName": aws.ToString(a.after.MetricName), "Namespace": aws.ToString(a.after.Namespace),
			"Metrics": eventMetrics(a.after), "Period": aws.ToInt32(a.after.Period),
			"EvaluationPeriods":  aws.ToInt32(a.after.EvaluationPeriods),
			"DatapointsToAlarm":  aws.ToInt32(a.after.DatapointsToAlarm),
			"ComparisonOperator": a.after.ComparisonOperator, "Threshold": aws.ToFloat64(a.after.Threshold),
			"TreatMissingData": aws.ToString(a.after.TreatMissingData),
		},
	})
	if err != nil {
		text = []byte(name) // only a NaN threshold could do this, and PutMetricAlarm takes none
	}
	return fmt.Sprintf("%s: %q in %s", a.after.StateValue, name, s.Region), string(text)
}

func stamp(t *time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

package monitoring

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// names returns the alarms' names, sorted. Needs s.mu.
func (s *Server) names() []string { return slices.Sorted(maps.Keys(s.alarms)) }

func (s *Server) describeAlarms(
	ctx context.Context,
	in *cloudwatch.DescribeAlarmsInput,
) (*cloudwatch.DescribeAlarmsOutput, error) {
	if err := checkDescribe(in); err != nil {
		return nil, err
	}
	if err := s.authorizeDescribe(ctx, in); err != nil {
		return nil, err
	}
	skip, err := offsetOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*alarm
	for _, name := range s.names() {
		if a := s.alarms[name]; selected(a, in) {
			found = append(found, a)
		}
	}
	limit := int(cmp.Or(aws.ToInt32(in.MaxRecords), 50))
	end := min(skip+limit, len(found))
	out := &cloudwatch.DescribeAlarmsOutput{
		MetricAlarms:    []types.MetricAlarm{},
		CompositeAlarms: []types.CompositeAlarm{},
	}
	for _, a := range found[min(skip, end):end] {
		if a.rule != nil {
			out.CompositeAlarms = append(out.CompositeAlarms, a.composite())
		} else {
			out.MetricAlarms = append(out.MetricAlarms, a.MetricAlarm)
		}
	}
	if end < len(found) {
		out.NextToken = aws.String(tokenOf(end))
	}
	return out, nil
}

// authorizeDescribe asks for the alarms that are named, or for all that a prefix selects.
func (s *Server) authorizeDescribe(ctx context.Context, in *cloudwatch.DescribeAlarmsInput) error {
	for _, name := range in.AlarmNames {
		if err := s.authorize(ctx, "DescribeAlarms", s.alarmARN(name), nil); err != nil {
			return err
		}
	}
	if len(in.AlarmNames) > 0 {
		return nil
	}
	return s.authorize(ctx, "DescribeAlarms", s.alarmARN(aws.ToString(in.AlarmNamePrefix)+"*"), nil)
}

func checkDescribe(in *cloudwatch.DescribeAlarmsInput) error {
	var v wire.Violations
	v.Size("alarmNames", len(in.AlarmNames), 0, 100)
	v.Length("alarmNamePrefix", in.AlarmNamePrefix, 1, 255)
	wire.Range(&v, "maxRecords", in.MaxRecords, 1, 100)
	wire.Enum(&v, "stateValue", in.StateValue, in.StateValue.Values())
	for i, t := range in.AlarmTypes {
		wire.Enum(&v, "alarmTypes."+itoa(i+1)+".member", t, t.Values())
	}
	if err := violated(&v); err != nil {
		return err
	}
	if in.AlarmNamePrefix != nil && len(in.AlarmNames) > 0 {
		return invalidCombination("AlarmNamePrefix and AlarmNames cannot be specified in the same request.")
	}
	return nil
}

func selected(a *alarm, in *cloudwatch.DescribeAlarmsInput) bool {
	switch name := *a.AlarmName; {
	case len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name),
		in.AlarmNamePrefix != nil && !strings.HasPrefix(name, *in.AlarmNamePrefix),
		in.StateValue != "" && in.StateValue != a.StateValue,
		!ofKind(a, in.AlarmTypes),
		in.ChildrenOfAlarmName != nil, in.ParentsOfAlarmName != nil:
		return false
	}
	if in.ActionPrefix == nil {
		return true
	}
	for _, action := range slices.Concat(a.AlarmActions, a.OKActions, a.InsufficientDataActions) {
		if strings.HasPrefix(action, *in.ActionPrefix) {
			return true
		}
	}
	return false
}

func (s *Server) describeAlarmsForMetric(
	ctx context.Context,
	in *cloudwatch.DescribeAlarmsForMetricInput,
) (*cloudwatch.DescribeAlarmsForMetricOutput, error) {
	if err := s.authorize(ctx, "DescribeAlarmsForMetric", s.alarmARN("*"), nil); err != nil {
		return nil, err
	}
	if in.MetricName == nil || in.Namespace == nil {
		return nil, missing("MetricName")
	}
	wanted := newMetric(*in.Namespace, *in.MetricName, dimensionsOf(in.Dimensions)...).key()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &cloudwatch.DescribeAlarmsForMetricOutput{MetricAlarms: []types.MetricAlarm{}}
	for _, name := range s.names() {
		a := s.alarms[name].MetricAlarm
		key := newMetric(aws.ToString(a.Namespace), aws.ToString(a.MetricName), dimensionsOf(a.Dimensions)...).key()
		if key == wanted && (in.Statistic == "" || in.Statistic == a.Statistic) &&
			(in.Period == nil || *in.Period == aws.ToInt32(a.Period)) && (in.Unit == "" || in.Unit == a.Unit) {
			out.MetricAlarms = append(out.MetricAlarms, a)
		}
	}
	return out, nil
}

func (s *Server) deleteAlarms(
	ctx context.Context,
	in *cloudwatch.DeleteAlarmsInput,
) (*cloudwatch.DeleteAlarmsOutput, error) {
	for _, name := range in.AlarmNames {
		if err := s.authorize(ctx, "DeleteAlarms", s.alarmARN(name), nil); err != nil {
			return nil, err
		}
	}
	if len(in.AlarmNames) > 100 {
		return nil, validation("The collection AlarmNames must not have a size greater than 100.")
	}
	s.mu.Lock()
	var unknown []string
	for _, name := range in.AlarmNames {
		if s.alarms[name] == nil {
			unknown = append(unknown, name)
		}
	}
	s.mu.Unlock()
	if len(unknown) > 0 && len(in.AlarmNames) > 1 {
		return nil, notFound("Unknown alarm: %s", strings.Join(unknown, ", "))
	}
	s.DropAlarms(in.AlarmNames...)
	return &cloudwatch.DeleteAlarmsOutput{}, nil
}

func (s *Server) setAlarmState(
	ctx context.Context,
	in *cloudwatch.SetAlarmStateInput,
) (*cloudwatch.SetAlarmStateOutput, error) {
	name := aws.ToString(in.AlarmName)
	if err := s.authorize(ctx, "SetAlarmState", s.alarmARN(name), nil); err != nil {
		return nil, err
	}
	var v wire.Violations
	wire.Required(&v, "alarmName", in.AlarmName)
	wire.Required(&v, "stateReason", in.StateReason)
	v.Length("stateReason", in.StateReason, 0, 1023)
	if in.StateValue == "" {
		v.Missing("stateValue")
	}
	wire.Enum(&v, "stateValue", in.StateValue, in.StateValue.Values())
	if err := violated(&v); err != nil {
		return nil, err
	}
	data := aws.ToString(in.StateReasonData)
	if data != "" && !json.Valid([]byte(data)) {
		return nil, &wire.Fault{
			Code:      "InvalidFormatFault",
			QueryCode: "InvalidFormat",
			Message:   "StateReasonData is not valid JSON.",
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.alarms[name]
	if a == nil {
		return nil, notFound("Unknown alarm: %s", name)
	}
	s.move(a, in.StateValue, *in.StateReason, data, time.Now())
	return &cloudwatch.SetAlarmStateOutput{}, nil
}

func (s *Server) enableAlarmActions(
	ctx context.Context,
	in *cloudwatch.EnableAlarmActionsInput,
) (*cloudwatch.EnableAlarmActionsOutput, error) {
	return &cloudwatch.EnableAlarmActionsOutput{}, s.switchActions(ctx, "EnableAlarmActions", in.AlarmNames, true)
}

func (s *Server) disableAlarmActions(
	ctx context.Context,
	in *cloudwatch.DisableAlarmActionsInput,
) (*cloudwatch.DisableAlarmActionsOutput, error) {
	return &cloudwatch.DisableAlarmActionsOutput{}, s.switchActions(ctx, "DisableAlarmActions", in.AlarmNames, false)
}

func (s *Server) switchActions(ctx context.Context, action string, names []string, on bool) error {
	for _, name := range names {
		if err := s.authorize(ctx, action, s.alarmARN(name), nil); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if a := s.alarms[name]; a != nil {
			a.ActionsEnabled = aws.Bool(on)
		}
	}
	return nil
}

package autoscaling

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/monitoring"
	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

func (s *Server) alarmARN(name string) string {
	return fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", s.Region, s.Account, name)
}

// shownAlarms are the alarms of a policy: those that the service made, and for a step policy those that name it.
func (s *Server) shownAlarms(p *policy) []types.Alarm {
	out := []types.Alarm{}
	for _, name := range p.alarms {
		out = append(out, types.Alarm{AlarmName: aws.String(name), AlarmARN: aws.String(s.alarmARN(name))})
	}
	if p.kind == types.PolicyTypeStepScaling && s.Monitor != nil {
		for _, spec := range s.Monitor.AlarmsNaming(p.arn) {
			out = append(out,
				types.Alarm{AlarmName: aws.String(spec.Name), AlarmARN: aws.String(s.alarmARN(spec.Name))})
		}
	}
	return out
}

func (s *Server) dropAlarms(p *policy) {
	if s.Monitor != nil {
		s.Monitor.DropAlarms(p.alarms...)
	}
}

// showAlarms shows in CloudWatch what the engine says of its policies' alarms. Needs the target's turn.
func (s *Server) showAlarms(t *target) {
	names := map[string][]string{}
	for _, status := range t.engine.Alarms() {
		p := t.policy(status.Policy)
		if p == nil || p.kind != types.PolicyTypeTargetTrackingScaling {
			continue // alarms of step policies are their owner's
		}
		names[p.name] = append(names[p.name], status.Spec.Name)
		s.showAlarm(p, status)
	}
	for _, p := range t.policies {
		if p.kind == types.PolicyTypeTargetTrackingScaling {
			s.replaceAlarms(p, names[p.name])
		}
	}
}

func (s *Server) showAlarm(p *policy, status tracking.AlarmStatus) {
	s.Monitor.ShowAlarm(monitoring.ManagedAlarm{
		Status: status, Actions: []string{p.arn + ":createdBy/" + p.creator},
		Description: "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy " + p.arn + ".",
	})
}

// replaceAlarms makes names the policy's alarms and drops those that are not any more.
func (s *Server) replaceAlarms(p *policy, names []string) {
	for _, old := range p.alarms {
		if !contains(names, old) {
			s.Monitor.DropAlarms(old)
		}
	}
	s.mu.Lock()
	p.alarms = names
	s.mu.Unlock()
}

func contains(list []string, one string) bool {
	for _, x := range list {
		if x == one {
			return true
		}
	}
	return false
}

// showInertAlarms makes the alarms of a policy whose target is not alive here (another service than ECS), so that a
// client finds as many and as named as on AWS. They stay INSUFFICIENT_DATA.
func (s *Server) showInertAlarms(t *target, p *policy) {
	kinds := []struct {
		name       string
		comparison tracking.Comparison
	}{{"AlarmHigh", tracking.GreaterThan}, {"AlarmLow", tracking.LessThan}}
	if t.namespace == "dynamodb" || t.namespace == "cassandra" {
		kinds = append(kinds, kinds...)
		kinds[2].name, kinds[3].name = "ProvisionedCapacityHigh", "ProvisionedCapacityLow"
	}
	if len(p.alarms) == 0 {
		for _, kind := range kinds {
			p.alarms = append(p.alarms, fmt.Sprintf("TargetTracking-%s-%s-%s", t.resource, kind.name, wire.UUID()))
		}
	}
	for i, kind := range kinds {
		s.showAlarm(p, tracking.AlarmStatus{State: tracking.StateInsufficientData, Spec: tracking.AlarmSpec{
			Name: p.alarms[i], Comparison: kind.comparison, Threshold: *p.tracking.TargetValue, Period: time.Minute,
			EvaluationPeriods: 3, Metrics: tracking.SingleMetric(tracking.Metric{
				Namespace: "AWS/" + strings.ToUpper(t.namespace), Name: metricName(p.tracking), Stat: "Average",
			}),
		}})
	}
}

func metricName(c *types.TargetTrackingScalingPolicyConfiguration) string {
	if c.PredefinedMetricSpecification != nil {
		return string(c.PredefinedMetricSpecification.PredefinedMetricType)
	}
	if name := aws.ToString(c.CustomizedMetricSpecification.MetricName); name != "" {
		return name
	}
	return "Expression"
}

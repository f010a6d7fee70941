package monitoring

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

func (s *Server) putMetricAlarm(
	ctx context.Context,
	in *cloudwatch.PutMetricAlarmInput,
) (*cloudwatch.PutMetricAlarmOutput, error) {
	name := aws.ToString(in.AlarmName)
	if err := s.authorize(ctx, "PutMetricAlarm", s.alarmARN(name), nil); err != nil {
		return nil, err
	}
	if err := s.checkAlarm(in); err != nil {
		return nil, err
	}
	spec, err := s.alarmSpec(in)
	if err != nil {
		return nil, err
	}
	evaluator, err := tracking.NewAlarm(spec)
	if err != nil {
		return nil, validation("%v", err)
	}
	s.Track(spec.Metrics)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(&alarm{MetricAlarm: shownInput(in), evaluator: evaluator}, in.Tags, now)
	return &cloudwatch.PutMetricAlarmOutput{}, nil
}

// keep takes up an alarm, or replaces the one of its name and takes over its state. Tags count for a new one. Needs
// s.mu.
func (s *Server) keep(a *alarm, tags []types.Tag, now time.Time) {
	name := *a.AlarmName
	a.AlarmArn = aws.String(s.alarmARN(name))
	a.AlarmConfigurationUpdatedTimestamp = aws.Time(now)
	if old := s.alarms[name]; old != nil {
		a.StateValue, a.StateReason, a.StateReasonData = old.StateValue, old.StateReason, old.StateReasonData
		a.StateUpdatedTimestamp = old.StateUpdatedTimestamp
		a.StateTransitionedTimestamp = old.StateTransitionedTimestamp
		s.record(a, types.HistoryItemTypeConfigurationUpdate, "Alarm \""+name+"\" updated", a.configuration())
	} else {
		a.unchecked(now)
		s.tagLocked(*a.AlarmArn, tags)
		s.record(a, types.HistoryItemTypeConfigurationUpdate, "Alarm \""+name+"\" created", a.configuration())
	}
	s.alarms[name] = a
}

func (s *Server) checkAlarm(in *cloudwatch.PutMetricAlarmInput) error {
	var v wire.Violations
	if wire.Required(&v, "alarmName", in.AlarmName) {
		v.Length("alarmName", in.AlarmName, 1, 255)
	}
	v.Length("alarmDescription", in.AlarmDescription, 0, 1024)
	wire.Required(&v, "evaluationPeriods", in.EvaluationPeriods)
	wire.Range(&v, "evaluationPeriods", in.EvaluationPeriods, 1, 1<<20)
	wire.Range(&v, "datapointsToAlarm", in.DatapointsToAlarm, 1, 1<<20)
	if in.ComparisonOperator == "" {
		v.Missing("comparisonOperator")
	}
	wire.Enum(&v, "comparisonOperator", in.ComparisonOperator, in.ComparisonOperator.Values())
	wire.Enum(&v, "statistic", in.Statistic, in.Statistic.Values())
	wire.Enum(&v, "unit", in.Unit, in.Unit.Values())
	for path, list := range map[string][]string{
		"alarmActions": in.AlarmActions, "oKActions": in.OKActions,
		"insufficientDataActions": in.InsufficientDataActions,
	} {
		v.Size(path, len(list), 0, 5)
	}
	if err := violated(&v); err != nil {
		return err
	}
	return s.checkAlarmMeaning(in)
}

func (s *Server) checkAlarmMeaning(in *cloudwatch.PutMetricAlarmInput) error {
	if err := checkKind(in); err != nil {
		return err
	}
	if n, m := aws.ToInt32(in.EvaluationPeriods), aws.ToInt32(in.DatapointsToAlarm); m > n {
		return validation("DatapointsToAlarm (%d) must be less than or equal to EvaluationPeriods (%d).", m, n)
	}
	treatments := []string{"", "breaching", "notBreaching", "ignore", "missing"}
	if t := aws.ToString(in.TreatMissingData); !slices.Contains(treatments, t) {
		return validation("The value '%s' for parameter TreatMissingData is invalid."+
			" Valid values are breaching, notBreaching, ignore and missing.", t)
	}
	if e := aws.ToString(in.EvaluateLowSampleCountPercentile); !slices.Contains([]string{"", "evaluate", "ignore"}, e) {
		return validation("Option %s is not supported. "+
			"Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore.", e)
	}
	for _, arn := range slices.Concat(in.AlarmActions, in.OKActions, in.InsufficientDataActions) {
		if !strings.HasPrefix(arn, "arn:") {
			return validation("Invalid action ARN: %q.", arn)
		}
	}
	if in.MetricName != nil {
		return s.checkSingleMetric(in)
	}
	return nil
}

// checkKind checks that the input describes one of the two kinds of alarm that are served: a metric or metric math
// against a fixed threshold.
func checkKind(in *cloudwatch.PutMetricAlarmInput) error {
	operator := string(in.ComparisonOperator)
	switch {
	case in.MetricName != nil && len(in.Metrics) > 0:
		return validation("Metrics list and MetricName cannot be specified at the same time: give one of them.")
	case in.MetricName == nil && len(in.Metrics) == 0:
		return validation("Exactly one of MetricName and Metrics must be specified.")
	case in.ThresholdMetricId != nil, strings.Contains(operator, "Upper"), strings.Contains(operator, "LowerThreshold"):
		return validation("Anomaly detection alarms (%s with ThresholdMetricId) are not served locally.", operator)
	case in.Threshold == nil:
		return missing("Threshold")
	}
	return nil
}

func (s *Server) checkSingleMetric(in *cloudwatch.PutMetricAlarmInput) error {
	switch {
	case aws.ToString(in.Namespace) == "":
		return missing("Namespace")
	case in.Period == nil:
		return missing("Period")
	case in.Statistic == "" && in.ExtendedStatistic == nil:
		return missing("Statistic")
	case in.Statistic != "" && in.ExtendedStatistic != nil:
		return invalidCombination("The parameters Statistic and ExtendedStatistic are mutually exclusive" +
			" and you have specified both.")
	}
	if in.ExtendedStatistic != nil {
		if _, ok := parseStatistic(*in.ExtendedStatistic); !ok {
			return invalidValue("The value %s for parameter ExtendedStatistic is not supported.",
				*in.ExtendedStatistic)
		}
	}
	return nil
}

// alarmSpec describes the alarm for its evaluator and checks its period.
func (s *Server) alarmSpec(in *cloudwatch.PutMetricAlarmInput) (tracking.AlarmSpec, error) {
	spec := tracking.AlarmSpec{
		Name: *in.AlarmName, Comparison: tracking.Comparison(in.ComparisonOperator), Threshold: *in.Threshold,
		EvaluationPeriods: int(*in.EvaluationPeriods), DatapointsToAlarm: int(aws.ToInt32(in.DatapointsToAlarm)),
		TreatMissing:    tracking.MissingData(aws.ToString(in.TreatMissingData)),
		ExtraDatapoints: tracking.DefaultAssumptions().ExtraDatapoints,
	}
	period := in.Period
	if in.MetricName != nil {
		spec.Metrics = tracking.SingleMetric(tracking.Metric{
			Namespace: *in.Namespace, Name: *in.MetricName, Dimensions: trackedDimensions(in.Dimensions),
			Stat: string(in.Statistic) + aws.ToString(in.ExtendedStatistic), Unit: string(in.Unit),
		})
	} else {
		queries, p, err := s.alarmQueries(in.Metrics)
		if err != nil {
			return spec, err
		}
		spec.Metrics, period = queries, p
	}
	if err := s.checkAlarmPeriod(period, *in.EvaluationPeriods); err != nil {
		return spec, err
	}
	spec.Period = time.Duration(*period) * time.Second
	return spec, nil
}

func (s *Server) alarmQueries(queries []types.MetricDataQuery) ([]tracking.MetricQuery, *int32, error) {
	r, err := s.newRequest(queries)
	if err != nil {
		return nil, nil, err
	}
	var out []tracking.MetricQuery
	returning, period := 0, int32(0)
	for _, id := range r.order {
		q := r.queries[id]
		t := tracking.MetricQuery{ID: id, Expression: aws.ToString(q.Expression), Label: aws.ToString(q.Label),
			ReturnData: q.ReturnData == nil || *q.ReturnData}
		if q.MetricStat != nil {
			t.Metric = &tracking.Metric{
				Namespace:  aws.ToString(q.MetricStat.Metric.Namespace),
				Name:       aws.ToString(q.MetricStat.Metric.MetricName),
				Dimensions: trackedDimensions(q.MetricStat.Metric.Dimensions),
				Stat:       aws.ToString(q.MetricStat.Stat), Unit: string(q.MetricStat.Unit),
			}
			period = leastCommonMultiple(period, aws.ToInt32(q.MetricStat.Period))
		}
		if t.ReturnData {
			returning++
		}
		out = append(out, t)
	}
	if returning != 1 {
		return nil, nil, validation("Exactly one element of the metrics list should return data.")
	}
	return out, &period, nil
}

func (s *Server) checkAlarmPeriod(period *int32, evaluationPeriods int32) error {
	p := time.Duration(aws.ToInt32(period)) * time.Second
	if p != 10*time.Second && p != 20*time.Second && p != 30*time.Second &&
		(p <= 0 || p%time.Minute != 0 && p%s.Period != 0) {
		return validation("Invalid period %d: it must be 10, 20, 30, or a multiple of 60.", aws.ToInt32(period))
	}
	longest, name := 24*time.Hour, "a day"
	if p >= time.Hour {
		longest, name = 7*24*time.Hour, "seven days"
	}
	if p*time.Duration(evaluationPeriods) > longest {
		return validation("Metrics cannot be checked across more than %s (EvaluationPeriods * Period must be <= %d).",
			name, int(longest/time.Second))
	}
	return nil
}

func trackedDimensions(list []types.Dimension) []tracking.Dimension {
	out := make([]tracking.Dimension, len(list))
	for i, d := range list {
		out[i] = tracking.Dimension{Name: aws.ToString(d.Name), Value: aws.ToString(d.Value)}
	}
	return out
}

// shownInput is the configuration as it was given.
func shownInput(in *cloudwatch.PutMetricAlarmInput) types.MetricAlarm {
	enabled := in.ActionsEnabled
	if enabled == nil {
		enabled = aws.Bool(true)
	}
	return types.MetricAlarm{
		AlarmName: in.AlarmName, AlarmDescription: in.AlarmDescription, ActionsEnabled: enabled,
		OKActions: orEmpty(in.OKActions), AlarmActions: orEmpty(in.AlarmActions),
		InsufficientDataActions: orEmpty(in.InsufficientDataActions),
		MetricName:              in.MetricName, Namespace: in.Namespace, Statistic: in.Statistic,
		ExtendedStatistic: in.ExtendedStatistic, Dimensions: orEmpty(in.Dimensions), Period: in.Period, Unit: in.Unit,
		EvaluationPeriods: in.EvaluationPeriods, DatapointsToAlarm: in.DatapointsToAlarm, Threshold: in.Threshold,
		ComparisonOperator: in.ComparisonOperator, TreatMissingData: in.TreatMissingData,
		EvaluateLowSampleCountPercentile: in.EvaluateLowSampleCountPercentile, Metrics: in.Metrics,
	}
}

// orEmpty makes a list that was not given an empty one, because AWS answers it so.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

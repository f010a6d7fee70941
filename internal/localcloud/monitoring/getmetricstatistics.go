package monitoring

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// maxStatistics is how many datapoints GetMetricStatistics returns at most.
const maxStatistics = 1440

func (s *Server) getMetricStatistics(
	ctx context.Context,
	in *cloudwatch.GetMetricStatisticsInput,
) (*cloudwatch.GetMetricStatisticsOutput, error) {
	if err := s.authorize(ctx, "GetMetricStatistics", "*", nil); err != nil {
		return nil, err
	}
	if err := s.checkStatistics(in); err != nil {
		return nil, err
	}
	period := time.Duration(*in.Period) * time.Second
	start, now := s.alignStart(*in.StartTime, period), time.Now()
	if n := in.EndTime.Sub(start) / period; n > maxStatistics {
		return nil, invalidCombination(
			"You have requested up to %d datapoints, which exceeds the limit of %d. You may"+
				" reduce the datapoints requested by increasing Period, or decreasing the time range.",
			n,
			maxStatistics,
		)
	}
	m := newMetric(*in.Namespace, *in.MetricName, dimensionsOf(in.Dimensions)...)
	out := &cloudwatch.GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []types.Datapoint{}}
	for _, unit := range s.store.units(m) {
		if in.Unit != "" && string(in.Unit) != unit {
			continue
		}
		w := window{metric: m, unit: unit, from: start, to: *in.EndTime, period: period, now: now}
		for i, one := range s.store.read(w) {
			if one.count > 0 {
				at := start.Add(time.Duration(i) * period)
				out.Datapoints = append(out.Datapoints, datapoint(one, at, types.StandardUnit(unit), in))
			}
		}
	}
	return out, nil
}

func (s *Server) checkStatistics(in *cloudwatch.GetMetricStatisticsInput) error {
	switch {
	case aws.ToString(in.Namespace) == "":
		return missing("Namespace")
	case aws.ToString(in.MetricName) == "":
		return missing("MetricName")
	case in.StartTime == nil:
		return missing("StartTime")
	case in.EndTime == nil:
		return missing("EndTime")
	case in.Period == nil:
		return missing("Period")
	case in.StartTime.Unix() >= in.EndTime.Unix():
		return invalidValue("The parameter StartTime must be less than the parameter EndTime.")
	case len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0:
		return invalidCombination("Must specify either Statistics or ExtendedStatistics")
	}
	var v wire.Violations
	for i, name := range in.Statistics {
		wire.Enum(&v, "statistics."+itoa(i+1)+".member", name, name.Values())
	}
	if err := violated(&v); err != nil {
		return err
	}
	for _, name := range in.ExtendedStatistics {
		if _, ok := parseStatistic(name); !ok {
			return invalidValue("The value %s for parameter ExtendedStatistics is not supported.", name)
		}
	}
	return s.checkPeriod(in.Period, "Period")
}

func datapoint(
	one sample,
	at time.Time,
	unit types.StandardUnit,
	in *cloudwatch.GetMetricStatisticsInput,
) types.Datapoint {
	p := types.Datapoint{Timestamp: &at, Unit: unit}
	for _, name := range in.Statistics {
		value, _ := basic[string(name)](one)
		switch name {
		case types.StatisticAverage:
			p.Average = &value
		case types.StatisticSum:
			p.Sum = &value
		case types.StatisticMinimum:
			p.Minimum = &value
		case types.StatisticMaximum:
			p.Maximum = &value
		case types.StatisticSampleCount:
			p.SampleCount = &value
		}
	}
	for _, name := range in.ExtendedStatistics {
		stat, _ := parseStatistic(name)
		if value, ok := stat(one); ok {
			if p.ExtendedStatistics == nil {
				p.ExtendedStatistics = map[string]float64{}
			}
			p.ExtendedStatistics[name] = value
		}
	}
	return p
}

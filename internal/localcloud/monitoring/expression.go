package monitoring

import (
	"math"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/tracking/metricmath"
)

// request is the checked form of the queries of GetMetricData and of a metric math alarm.
type request struct {
	queries map[string]types.MetricDataQuery
	lines   []metricmath.Query
	order   []string
}

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

func (s *Server) newRequest(queries []types.MetricDataQuery) (*request, error) {
	if len(queries) > 500 {
		return nil, validation("The collection MetricDataQueries must not have a size greater than 500.")
	}
	r := &request{queries: map[string]types.MetricDataQuery{}}
	for i, q := range queries {
		id := aws.ToString(q.Id)
		switch {
		case !queryID.MatchString(id):
			return nil, validation("The value %q for parameter MetricDataQueries.member.%d.Id is invalid: "+
				"it must begin with a lower-case letter and hold only letters, digits and underscores.", id, i+1)
		case r.has(id):
			return nil, validation("The values for parameter Id in MetricDataQueries are not unique: %s.", id)
		case q.Expression != nil && q.MetricStat != nil:
			return nil, validation("The parameters MetricDataQueries.member.%d.Expression and "+
				"MetricDataQueries.member.%d.MetricStat are mutually exclusive and you have specified both.", i+1, i+1)
		case q.Expression == nil && q.MetricStat == nil:
			return nil, validation("Either MetricDataQueries.member.%d.Expression or "+
				"MetricDataQueries.member.%d.MetricStat must be specified.", i+1, i+1)
		}
		if q.MetricStat != nil {
			if err := s.checkMetricStat(q.MetricStat, i+1); err != nil {
				return nil, err
			}
		}
		r.queries[id] = q
		r.order = append(r.order, id)
		r.lines = append(r.lines, metricmath.Query{ID: id, Expression: aws.ToString(q.Expression)})
	}
	return r, nil
}

func (r *request) has(id string) bool { _, ok := r.queries[id]; return ok }

func (s *Server) checkMetricStat(m *types.MetricStat, place int) error {
	if m.Metric == nil || aws.ToString(m.Metric.MetricName) == "" || aws.ToString(m.Metric.Namespace) == "" {
		return validation("MetricDataQueries.member.%d.MetricStat.Metric must have a Namespace and a MetricName.",
			place)
	}
	if _, ok := parseStatistic(aws.ToString(m.Stat)); !ok {
		return validation(
			"The value %q for parameter MetricDataQueries.member.%d.MetricStat.Stat is not a valid statistic.",
			aws.ToString(m.Stat),
			place,
		)
	}
	return s.checkPeriod(m.Period, "MetricDataQueries.member."+itoa(place)+".MetricStat.Period")
}

// checkPeriod accepts the periods of AWS and, in a scaled world, the multiples of its period.
func (s *Server) checkPeriod(period *int32, at string) error {
	if period == nil {
		return missing(at)
	}
	switch p := time.Duration(*period) * time.Second; {
	case p <= 0:
		return invalidValue("The parameter %s must be greater than or equal to 1.", at)
	case *period == 1 || *period == 5 || *period == 10 || *period == 20 || *period == 30:
	case p%time.Minute != 0 && p%s.Period != 0:
		return invalidValue("The parameter %s must be 1, 5, 10, 20, 30, or a multiple of 60.", at)
	}
	return nil
}

// periodOf is the period of a line: its own, or for an expression the least common multiple of its inputs'.
func (r *request) periodOf(id string, inputs []string, fallback time.Duration) time.Duration {
	q := r.queries[id]
	if q.MetricStat != nil {
		return time.Duration(aws.ToInt32(q.MetricStat.Period)) * time.Second
	}
	period := int32(0)
	for _, in := range inputs {
		if m := r.queries[in].MetricStat; m != nil {
			period = leastCommonMultiple(period, aws.ToInt32(m.Period))
		}
	}
	if period == 0 {
		period = aws.ToInt32(q.Period)
	}
	if period == 0 {
		return fallback
	}
	return time.Duration(period) * time.Second
}

func leastCommonMultiple(a, b int32) int32 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// result is one time series: values[i] belongs to the period that starts at start + i*period; NaN is no datapoint.
type result struct {
	start  time.Time
	period time.Duration
	values [][]float64
}

// evaluate computes one line over [from, to) as it could be read at now.
func (s *Server) evaluate(r *request, id string, from, to, now time.Time) (result, error) {
	q := r.queries[id]
	if q.MetricStat != nil {
		period := r.periodOf(id, nil, s.Period)
		start := s.alignStart(from, period)
		return result{start, period, [][]float64{s.readStat(q.MetricStat, start, to, period, now)}}, nil
	}
	program, err := metricmath.Compile(r.lines, id)
	if err != nil {
		return result{}, validation("Error in expression '%s': %v", id, err)
	}
	inputs := program.Inputs()
	period := r.periodOf(id, inputs, s.Period)
	start := s.alignStart(from, period)
	if !to.After(start) {
		return result{start: start, period: period}, nil
	}
	grid := metricmath.Grid{Start: start, Period: period, Length: int((to.Sub(start) + period - 1) / period)}
	series := make([][]float64, len(inputs))
	for i, in := range inputs {
		series[i] = s.readStat(r.queries[in].MetricStat, start, to, period, now)
	}
	return result{start, period, program.Eval(grid, series)}, nil
}

func (s *Server) readStat(m *types.MetricStat, start, to time.Time, period time.Duration, now time.Time) []float64 {
	stat, _ := parseStatistic(aws.ToString(m.Stat)) // checked by newRequest
	return values(s.store.read(window{
		metric: metricOf(m.Metric), unit: string(m.Unit), from: start, to: to, period: period, now: now,
	}), stat)
}

// alignStart rounds a start time down as CloudWatch does: to a full period below a minute, else to a full minute.
func (s *Server) alignStart(t time.Time, period time.Duration) time.Time {
	return time.UnixMilli(floor(t.UnixMilli(), min(period, s.Period).Milliseconds())).UTC()
}

func metricOf(m *types.Metric) metric {
	return newMetric(aws.ToString(m.Namespace), aws.ToString(m.MetricName), dimensionsOf(m.Dimensions)...)
}

func dimensionsOf(list []types.Dimension) []dimension {
	out := make([]dimension, len(list))
	for i, d := range list {
		out[i] = dimension{aws.ToString(d.Name), aws.ToString(d.Value)}
	}
	return out
}

func isNumber(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

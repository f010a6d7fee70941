package monitoring

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// listed is how many metrics an answer of ListMetrics holds.
const listed = 500

func (s *Server) listMetrics(
	ctx context.Context,
	in *cloudwatch.ListMetricsInput,
) (*cloudwatch.ListMetricsOutput, error) {
	if err := s.authorize(ctx, "ListMetrics", "*", nil); err != nil {
		return nil, err
	}
	skip, err := offsetOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	since := time.Now().Add(-keptPeriods * s.Period)
	if in.RecentlyActive != "" {
		since = time.Now().Add(-finePeriods * s.Period)
	}
	found := s.store.list(since, func(m metric) bool { return matches(m, in) })
	out := &cloudwatch.ListMetricsOutput{Metrics: []types.Metric{}}
	end := min(skip+listed, len(found))
	for _, m := range found[min(skip, len(found)):end] {
		out.Metrics = append(out.Metrics, m.shown())
	}
	if end < len(found) {
		out.NextToken = aws.String(tokenOf(end))
	}
	return out, nil
}

func matches(m metric, in *cloudwatch.ListMetricsInput) bool {
	if in.Namespace != nil && *in.Namespace != m.namespace || in.MetricName != nil && *in.MetricName != m.name {
		return false
	}
	for _, f := range in.Dimensions {
		if !m.has(aws.ToString(f.Name), f.Value) {
			return false
		}
	}
	return true
}

// has tells whether the metric has a dimension of that name and, if given, that value.
func (m metric) has(name string, value *string) bool {
	for _, d := range m.dimensions {
		if d.name == name && (value == nil || *value == d.value) {
			return true
		}
	}
	return false
}

func (m metric) shown() types.Metric {
	out := types.Metric{
		Namespace:  aws.String(m.namespace),
		MetricName: aws.String(m.name),
		Dimensions: []types.Dimension{},
	}
	for _, d := range m.dimensions {
		out.Dimensions = append(out.Dimensions, types.Dimension{Name: aws.String(d.name), Value: aws.String(d.value)})
	}
	return out
}

package monitoring

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// maxDatapoints is what one answer of GetMetricData holds at most.
const maxDatapoints = 100800

func (s *Server) getMetricData(
	ctx context.Context,
	in *cloudwatch.GetMetricDataInput,
) (*cloudwatch.GetMetricDataOutput, error) {
	if err := s.authorize(ctx, "GetMetricData", "*", nil); err != nil {
		return nil, err
	}
	switch {
	case len(in.MetricDataQueries) == 0:
		return nil, missing("MetricDataQueries")
	case in.StartTime == nil:
		return nil, missing("StartTime")
	case in.EndTime == nil:
		return nil, missing("EndTime")
	case in.StartTime.Unix() == in.EndTime.Unix():
		return nil, validation("The parameter StartTime must not equal parameter EndTime.")
	case in.StartTime.After(*in.EndTime):
		return nil, validation("The parameter EndTime must be greater than StartTime.")
	}
	limit := int(aws.ToInt32(in.MaxDatapoints))
	if limit <= 0 || limit > maxDatapoints {
		limit = maxDatapoints
	}
	skip, err := offsetOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	r, err := s.newRequest(in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	results, err := s.results(r, in)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.GetMetricDataOutput{Messages: []types.MessageData{}}
	out.MetricDataResults, out.NextToken = page(results, skip, limit)
	return out, nil
}

// results evaluates every line that returns data, each series complete and in the order asked for.
func (s *Server) results(r *request, in *cloudwatch.GetMetricDataInput) ([]types.MetricDataResult, error) {
	now := time.Now()
	var out []types.MetricDataResult
	for _, id := range r.order {
		q := r.queries[id]
		if q.ReturnData != nil && !*q.ReturnData {
			if q.Expression == nil {
				continue
			}
		}
		res, err := s.evaluate(r, id, *in.StartTime, *in.EndTime, now)
		if err != nil {
			return nil, err
		}
		if q.ReturnData != nil && !*q.ReturnData {
			continue // evaluated only because a wrong expression is refused
		}
		for _, values := range res.values {
			one := types.MetricDataResult{
				Id:         aws.String(id),
				Label:      aws.String(r.label(q)),
				StatusCode: types.StatusCodeComplete,
			}
			one.Timestamps, one.Values = datapoints(res, values)
			if in.ScanBy != types.ScanByTimestampAscending {
				slices.Reverse(one.Timestamps)
				slices.Reverse(one.Values)
			}
			out = append(out, one)
		}
		if len(res.values) == 0 {
			out = append(out, types.MetricDataResult{Id: aws.String(id), Label: aws.String(r.label(q)),
				StatusCode: types.StatusCodeComplete, Timestamps: []time.Time{}, Values: []float64{}})
		}
	}
	return out, nil
}

func datapoints(r result, values []float64) ([]time.Time, []float64) {
	times, kept := []time.Time{}, []float64{}
	for i, v := range values {
		if isNumber(v) {
			times = append(times, r.start.Add(time.Duration(i)*r.period))
			kept = append(kept, v)
		}
	}
	return times, kept
}

// label is the label of a line: the one given, else the metric's name, with its statistic where the request asks for
// several statistics of that name, or the expression's id.
func (r *request) label(q types.MetricDataQuery) string {
	switch {
	case aws.ToString(q.Label) != "":
		return *q.Label
	case q.MetricStat == nil:
		return aws.ToString(q.Id)
	}
	name, stat := aws.ToString(q.MetricStat.Metric.MetricName), aws.ToString(q.MetricStat.Stat)
	for _, other := range r.queries {
		if m := other.MetricStat; m != nil && aws.ToString(m.Metric.MetricName) == name &&
			aws.ToString(m.Stat) != stat {
			return name + " " + stat
		}
	}
	return name
}

// page cuts the stretch of at most limit datapoints out of the results that starts after skip datapoints. Series that
// go on are marked PartialData; those that are not reached yet or done already are there without datapoints.
func page(results []types.MetricDataResult, skip, limit int) ([]types.MetricDataResult, *string) {
	out := make([]types.MetricDataResult, 0, len(results))
	seen, taken := 0, 0
	more := false
	for _, r := range results {
		n := len(r.Values)
		from := min(max(skip-seen, 0), n)
		to := min(from+limit-taken, n)
		seen += n
		taken += to - from
		r.Timestamps, r.Values = r.Timestamps[from:to], r.Values[from:to]
		if to < n {
			r.StatusCode = types.StatusCodePartialData
			more = true
		}
		out = append(out, r)
	}
	if !more {
		return out, nil
	}
	return out, aws.String(tokenOf(skip + taken))
}

func tokenOf(offset int) string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(offset)))
}

func offsetOf(token *string) (int, error) {
	if token == nil || *token == "" {
		return 0, nil
	}
	text, err := base64.StdEncoding.DecodeString(*token)
	if err != nil {
		return 0, badToken()
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return 0, badToken()
	}
	return n, nil
}

func itoa(n int) string { return strconv.Itoa(n) }

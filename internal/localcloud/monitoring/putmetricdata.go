package monitoring

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// Limits of PutMetricData, by its API reference.
const (
	maxData       = 1000
	maxValues     = 150
	maxDimensions = 30
	oldest        = 14 * 24 * time.Hour
	newest        = 2 * time.Hour
)

func (s *Server) putMetricData(
	ctx context.Context,
	in *cloudwatch.PutMetricDataInput,
) (*cloudwatch.PutMetricDataOutput, error) {
	namespace := aws.ToString(in.Namespace)
	if in.Namespace == nil {
		return nil, missing("Namespace")
	}
	if err := s.authorize(ctx, "PutMetricData", "*", map[string]string{"cloudwatch:namespace": namespace}); err != nil {
		return nil, err
	}
	if strings.HasPrefix(namespace, "AWS/") {
		return nil, invalidValue("The value %s for parameter Namespace is invalid. "+
			"It begins with 'AWS/', which is reserved for AWS services.", namespace)
	}
	data := in.MetricData
	for _, e := range in.EntityMetricData {
		data = append(data, e.MetricData...)
	}
	switch {
	case len(data) == 0:
		return nil, missing("MetricData")
	case len(data) > maxData:
		return nil, invalidValue("The collection MetricData must not have a size greater than %d.", maxData)
	case namespace == "" || len(namespace) > 255 || namespace[0] == ':':
		return nil, invalidValue("The value %s for parameter Namespace is invalid.", namespace)
	}
	now := time.Now()
	put := make([]datum, len(data))
	for i, d := range data {
		one, err := s.datum(namespace, d, fmt.Sprintf("MetricData.member.%d", i+1), now)
		if err != nil {
			return nil, err
		}
		put[i] = one
	}
	s.store.put(now, put...)
	return &cloudwatch.PutMetricDataOutput{}, nil
}

// datum checks one entry of PutMetricData; at is its place in the request, for messages.
func (s *Server) datum(namespace string, d types.MetricDatum, at string, now time.Time) (datum, error) {
	out := datum{at: now, published: now, width: s.Period, unit: string(d.Unit)}
	switch name := aws.ToString(d.MetricName); {
	case name == "":
		return out, missing(at + ".MetricName")
	case len(name) > 255:
		return out, invalidValue("The parameter %s.MetricName must be shorter than 256 characters.", at)
	}
	var v wire.Violations
	wire.Enum(&v, lowerFirst(at)+".unit", d.Unit, d.Unit.Values())
	if err := violated(&v); err != nil {
		return out, err
	}
	if t := d.Timestamp; t != nil {
		if t.Before(now.Add(-oldest)) || t.After(now.Add(newest)) {
			return out, invalidValue(
				"The parameter %s.Timestamp must specify a time no more than two weeks in the past"+
					" and no more than two hours in the future.",
				at,
			)
		}
		out.at = *t
	}
	if r := d.StorageResolution; r != nil {
		if *r != 1 && *r != 60 {
			return out, invalidValue("The parameter %s.StorageResolution must be 1 or 60.", at)
		}
		out.width = min(s.Period, time.Duration(*r)*time.Second)
	}
	var err error
	if out.metric, err = checkedMetric(namespace, aws.ToString(d.MetricName), d.Dimensions, at); err != nil {
		return out, err
	}
	out.sample, err = sampleOf(d, at)
	return out, err
}

func checkedMetric(namespace, name string, dimensions []types.Dimension, at string) (metric, error) {
	if len(dimensions) > maxDimensions {
		return metric{}, invalidValue("The collection %s.Dimensions must not have a size greater than %d.", at,
			maxDimensions)
	}
	seen := map[string]bool{}
	list := make([]dimension, len(dimensions))
	for i, d := range dimensions {
		n, v := aws.ToString(d.Name), aws.ToString(d.Value)
		place := fmt.Sprintf("%s.Dimensions.member.%d", at, i+1)
		switch {
		case n == "":
			return metric{}, missing(place + ".Name")
		case v == "":
			return metric{}, missing(place + ".Value")
		case len(n) > 255 || len(v) > 1024 || n[0] == ':':
			return metric{}, invalidValue("The value %s for parameter %s is invalid.", v, place)
		case seen[n]:
			return metric{}, invalidValue("The parameter %s.Name names the dimension %s a second time.", place, n)
		}
		seen[n] = true
		list[i] = dimension{n, v}
	}
	return newMetric(namespace, name, list...), nil
}

// sampleOf reads the one of Value, Values with Counts, and StatisticValues that an entry has.
func sampleOf(d types.MetricDatum, at string) (sample, error) {
	switch {
	case d.Value != nil && d.StatisticValues != nil:
		return sample{}, invalidCombination("%s", exclusive(at, "Value", "StatisticValues").Message)
	case d.Value != nil && len(d.Values) > 0:
		return sample{}, exclusive(at, "Value", "Values")
	case len(d.Values) > 0 && d.StatisticValues != nil:
		return sample{}, exclusive(at, "Values", "StatisticValues")
	case d.Value != nil:
		return single(*d.Value), checkNumber(*d.Value, at+".Value")
	case d.StatisticValues != nil:
		return fromStatisticSet(d.StatisticValues, at+".StatisticValues")
	case len(d.Values) > 0:
		return fromValues(d.Values, d.Counts, at)
	}
	return sample{}, missing(at + ".Value")
}

func exclusive(at, a, b string) *wire.Fault {
	return invalidValue("The parameters %s.%s and %s.%s are mutually exclusive and you have specified both.", at, a,
		at, b)
}

func fromStatisticSet(set *types.StatisticSet, at string) (sample, error) {
	for name, v := range map[string]*float64{
		"SampleCount": set.SampleCount, "Sum": set.Sum, "Minimum": set.Minimum, "Maximum": set.Maximum,
	} {
		if v == nil {
			return sample{}, missing(at + "." + name)
		}
		if err := checkNumber(*v, at+"."+name); err != nil {
			return sample{}, err
		}
	}
	if *set.SampleCount <= 0 {
		return sample{}, invalidValue("The parameter %s.SampleCount must be greater than 0.", at)
	}
	if *set.Minimum > *set.Maximum {
		return sample{}, invalidCombination("The parameter %s.Maximum must be greater than %s.Minimum.", at, at)
	}
	return statisticSet(*set.SampleCount, *set.Sum, *set.Minimum, *set.Maximum), nil
}

func fromValues(values, counts []float64, at string) (sample, error) {
	if len(values) > maxValues {
		return sample{}, invalidValue("The collection %s.Values must not have a size greater than %d.", at, maxValues)
	}
	if len(counts) > 0 && len(counts) != len(values) {
		return sample{}, invalidValue("The parameters %s.Values and %s.Counts must be of the same size.", at, at)
	}
	var out sample
	for i, v := range values {
		if err := checkNumber(v, fmt.Sprintf("%s.Values.member.%d", at, i+1)); err != nil {
			return sample{}, err
		}
		weight := 1.0
		if len(counts) > 0 {
			weight = counts[i]
		}
		if !(weight >= 0) || math.IsInf(weight, 1) {
			return sample{}, invalidValue("The value %v for parameter %s.Counts.member.%d is invalid.", weight, at,
				i+1)
		}
		if weight > 0 {
			out.merge(repeated(v, weight))
		}
	}
	return out, nil
}

// checkNumber applies CloudWatch's range: no NaN, no infinity, magnitude between 2^-360 and 2^360.
func checkNumber(v float64, at string) error {
	if math.IsNaN(v) || math.Abs(v) > 0x1p360 || v != 0 && math.Abs(v) < 0x1p-360 {
		return invalidValue("The value %v for parameter %s is invalid.", v, at)
	}
	return nil
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

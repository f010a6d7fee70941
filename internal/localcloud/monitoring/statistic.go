package monitoring

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// statistic reads one figure off a sample; false when the sample does not have it.
type statistic func(sample) (float64, bool)

// basic are the statistics that every sample has.
var basic = map[string]statistic{
	"SampleCount": func(s sample) (float64, bool) { return s.count, s.count > 0 },
	"Sum":         func(s sample) (float64, bool) { return s.sum, s.count > 0 },
	"Average":     func(s sample) (float64, bool) { return s.sum / s.count, s.count > 0 },
	"Minimum":     func(s sample) (float64, bool) { return s.min, s.count > 0 },
	"Maximum":     func(s sample) (float64, bool) { return s.max, s.count > 0 },
}

var (
	shortForm = regexp.MustCompile(`^(p|tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)$`)
	rangeForm = regexp.MustCompile(`^(PR|TM|WM|TC|TS)\((-?[\d.]*)(%?):(-?[\d.]*)(%?)\)$`)
)

// parseStatistic understands the statistics of CloudWatch: the basic five, percentiles (p99.9), trimmed and
// winsorized means, counts and sums (tm, wm, tc, ts, IQM) and their range forms, e.g. TM(10%:90%) or PR(:300).
func parseStatistic(name string) (statistic, bool) {
	if s, ok := basic[name]; ok {
		return s, true
	}
	if name == "IQM" {
		return detailed(span{low: 25, high: 75, percent: true}, trimmedMean), true
	}
	if m := shortForm.FindStringSubmatch(name); m != nil {
		p, err := strconv.ParseFloat(m[2], 64)
		if err != nil || p > 100 {
			return nil, false
		}
		if m[1] == "p" {
			return func(s sample) (float64, bool) { return percentile(s, p) }, true
		}
		return detailed(span{low: 0, high: p, percent: true}, figures[strings.ToUpper(m[1])]), true
	}
	if m := rangeForm.FindStringSubmatch(name); m != nil {
		return parseRange(m[1], m[2], m[4], m[3] == "%" || m[5] == "%")
	}
	return nil, false
}

func parseRange(kind, low, high string, percent bool) (statistic, bool) {
	r := span{low: math.Inf(-1), high: math.Inf(1), percent: percent}
	if percent {
		r.low, r.high = 0, 100
	}
	for text, to := range map[*string]*float64{&low: &r.low, &high: &r.high} {
		if *text == "" {
			continue
		}
		f, err := strconv.ParseFloat(*text, 64)
		if err != nil {
			return nil, false
		}
		*to = f
	}
	if r.low >= r.high || kind == "PR" && percent {
		return nil, false
	}
	return detailed(r, figures[kind]), true
}

// span is a part of a sample, between two values or between two percentages of its weight.
type span struct {
	low, high float64
	percent   bool
}

// figure computes a statistic over the part of a sample within the span; whole is the sample itself.
type figure func(part []weighted, whole sample) (float64, bool)

var figures = map[string]figure{
	"TM": trimmedMean,
	"TC": func(part []weighted, _ sample) (float64, bool) { w, _ := total(part); return w, true },
	"TS": func(part []weighted, _ sample) (float64, bool) { _, s := total(part); return s, true },
	"WM": winsorizedMean,
	"PR": func(part []weighted, whole sample) (float64, bool) {
		w, _ := total(part)
		return 100 * w / whole.count, true
	},
}

func trimmedMean(part []weighted, _ sample) (float64, bool) {
	weight, sum := total(part)
	return sum / weight, weight > 0
}

// winsorizedMean gives what lies outside of the part the value at its edge.
func winsorizedMean(part []weighted, whole sample) (float64, bool) {
	weight, sum := total(part)
	if weight == 0 {
		return 0, false
	}
	least, most := part[0].value, part[len(part)-1].value
	for _, v := range whole.values {
		switch {
		case v.value < least:
			sum += least * v.weight
			weight += v.weight
		case v.value > most:
			sum += most * v.weight
			weight += v.weight
		}
	}
	return sum / weight, true
}

func total(part []weighted) (weight, sum float64) {
	for _, v := range part {
		weight += v.weight
		sum += v.value * v.weight
	}
	return weight, sum
}

// detailed applies a figure to the values of a sample within a span.
func detailed(r span, f figure) statistic {
	return func(s sample) (float64, bool) {
		if s.opaque || s.count == 0 {
			return 0, false
		}
		return f(r.cut(s), s)
	}
}

// cut returns the values within the span (above low, up to high); by percentage a value may be cut in two.
func (r span) cut(s sample) []weighted {
	var part []weighted
	seen := 0.0
	for _, v := range s.values {
		from, to := v.value, v.value
		if r.percent {
			from, to = 100*seen/s.count, 100*(seen+v.weight)/s.count
			seen += v.weight
			if share := min(to, r.high) - max(from, r.low); share > 0 {
				part = append(part, weighted{v.value, share / 100 * s.count})
			}
			continue
		}
		if from > r.low && to <= r.high {
			part = append(part, v)
		}
	}
	return part
}

// percentile is the least value that at least p percent of the sample do not exceed.
func percentile(s sample, p float64) (float64, bool) {
	if s.opaque || s.count == 0 {
		return 0, false
	}
	seen := 0.0
	for _, v := range s.values {
		if seen += v.weight; seen >= p/100*s.count-1e-9 {
			return v.value, true
		}
	}
	return s.max, true
}

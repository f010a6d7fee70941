package monitoring

import (
	"cmp"
	"math"
	"slices"
)

// maxDistinct is how many different values a sample keeps exactly; beyond it they are rounded to three and then to
// two significant digits. CloudWatch rounds likewise; percentiles then are off by less than 0.5 or 5 %.
const maxDistinct = 512

// weighted is a value that was seen weight times.
type weighted struct{ value, weight float64 }

// sample sums up the values of one bucket.
type sample struct {
	count, sum, min, max float64
	values               []weighted // sorted by value; empty when opaque
	opaque               bool       // made of statistic sets: no percentiles, unless they say it all
}

func single(value float64) sample { return repeated(value, 1) }

// repeated is the sample of one value seen weight times.
func repeated(value, weight float64) sample {
	return sample{count: weight, sum: value * weight, min: value, max: value, values: []weighted{{value, weight}}}
}

// statisticSet is the sample behind count values of which only these figures are known.
func statisticSet(count, sum, least, most float64) sample {
	if count == 1 || least == most {
		return repeated(sum/count, count)
	}
	return sample{count: count, sum: sum, min: least, max: most, opaque: true}
}

// merge adds other to s.
func (s *sample) merge(other sample) {
	if other.count == 0 {
		return
	}
	if s.count == 0 {
		*s = other
		s.values = slices.Clone(other.values)
		return
	}
	s.count += other.count
	s.sum += other.sum
	s.min = min(s.min, other.min)
	s.max = max(s.max, other.max)
	if s.opaque = s.opaque || other.opaque; s.opaque {
		s.values = nil
		return
	}
	for _, v := range other.values {
		s.insert(v)
	}
	for digits := 3; len(s.values) > maxDistinct && digits > 1; digits-- {
		s.values = coarsen(s.values, digits)
	}
}

func (s *sample) insert(v weighted) {
	i, found := slices.BinarySearchFunc(s.values, v.value,
		func(w weighted, x float64) int { return cmp.Compare(w.value, x) })
	if found {
		s.values[i].weight += v.weight
		return
	}
	s.values = slices.Insert(s.values, i, v)
}

// coarsen rounds values to significant digits and joins those that became equal.
func coarsen(values []weighted, digits int) []weighted {
	out := values[:0]
	for _, v := range values {
		if v.value != 0 {
			unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v.value)))-float64(digits-1))
			v.value = math.Round(v.value/unit) * unit
		}
		if n := len(out); n > 0 && out[n-1].value == v.value {
			out[n-1].weight += v.weight
			continue
		}
		out = append(out, v)
	}
	return out
}

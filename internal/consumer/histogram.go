package consumer

import (
	"cmp"
	"math"
	"slices"
)

const (
	maxValues = 150  // of one datum, CloudWatch's limit
	binWidth  = 0.01 // relative, of the bins that values are merged into beyond that
)

// A histogram counts values for CloudWatch: as they are while there are at most 150 different ones, beyond that
// merged into bins that are 1 % wide. Each bin is published as the mean of what is in it, so the sum stays exact.
// Values must be finite and not negative.
type histogram struct {
	exact map[float64]float64 // value to count, while bins is nil
	bins  map[int]bin
}

type bin struct{ sum, count float64 }

// zeroBin is where 0 goes, which has no logarithm.
const zeroBin = math.MinInt

func (h *histogram) add(v float64) {
	if h.bins == nil {
		if h.exact == nil {
			h.exact = make(map[float64]float64)
		}
		h.exact[v]++
		if len(h.exact) <= maxValues {
			return
		}
		h.bins = make(map[int]bin, 2*maxValues)
		for value, count := range h.exact {
			h.merge(value, count)
		}
		h.exact = nil
		return
	}
	h.merge(v, 1)
}

func (h *histogram) merge(v, count float64) {
	key := zeroBin
	if v > 0 {
		key = int(math.Floor(math.Log(v) / math.Log1p(binWidth)))
	}
	b := h.bins[key]
	h.bins[key] = bin{b.sum + v*count, b.count + count}
}

// values returns the different values in ascending order, and how often each was seen.
func (h *histogram) values() (values, counts []float64) {
	type pair struct{ value, count float64 }
	pairs := make([]pair, 0, max(len(h.exact), len(h.bins)))
	for value, count := range h.exact {
		pairs = append(pairs, pair{value, count})
	}
	for _, b := range h.bins {
		pairs = append(pairs, pair{b.sum / b.count, b.count})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.value, b.value) })
	for _, p := range pairs {
		values, counts = append(values, p.value), append(counts, p.count)
	}
	return values, counts
}

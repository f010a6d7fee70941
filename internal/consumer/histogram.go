package consumer

import (
	"maps"
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
	exact  map[float64]float64 // value to count, until merged
	merged bool
	zeros  float64 // how many were 0, which has no logarithm
	low    int     // key of the first bin
	bins   []bin
}

type bin struct{ sum, count float64 }

func (h *histogram) add(v float64) {
	if h.merged {
		h.merge(v, 1)
		return
	}
	if h.exact == nil {
		h.exact = make(map[float64]float64)
	}
	h.exact[v]++
	if len(h.exact) <= maxValues {
		return
	}
	for value, count := range h.exact {
		h.merge(value, count)
	}
	h.exact, h.merged = nil, true
}

func (h *histogram) merge(v, count float64) {
	if v == 0 {
		h.zeros += count
		return
	}
	key := int(math.Floor(math.Log(v) / math.Log1p(binWidth)))
	switch {
	case h.bins == nil:
		h.low, h.bins = key, make([]bin, 1, 2*maxValues)
	case key < h.low:
		h.bins = append(make([]bin, h.low-key), h.bins...)
		h.low = key
	case key >= h.low+len(h.bins):
		h.bins = append(h.bins, make([]bin, key-h.low-len(h.bins)+1)...)
	}
	b := &h.bins[key-h.low]
	b.sum, b.count = b.sum+v*count, b.count+count
}

// values returns the different values in ascending order, and how often each was seen.
func (h *histogram) values() (values, counts []float64) {
	if h.zeros > 0 {
		values, counts = append(values, 0), append(counts, h.zeros)
	}
	for _, b := range h.bins {
		if b.count > 0 {
			values, counts = append(values, b.sum/b.count), append(counts, b.count)
		}
	}
	for _, v := range slices.Sorted(maps.Keys(h.exact)) {
		values, counts = append(values, v), append(counts, h.exact[v])
	}
	return values, counts
}

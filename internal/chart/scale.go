package chart

import (
	"math"
	"strconv"
)

// ticks returns round numbers from low to high, about as many as wanted, one of 1, 2 and 5 times a power of ten apart.
func ticks(low, high float64, wanted int) []float64 {
	if !(high > low) || wanted < 1 {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(wanted))))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*factor) <= float64(wanted) {
			step *= factor
			break
		}
	}
	var all []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		all = append(all, i*step)
	}
	return all
}

// label writes a tick without superfluous digits.
func label(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e6)/1e6+0, 'f', -1, 64) // + 0 makes -0 a 0
}

// limits returns the least and greatest of some values and what was before; NaN and infinities do not count.
func limits(low, high float64, values []float64) (float64, float64) {
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	return low, high
}

// rangeX returns the ends of the common time axis.
func (c Chart) rangeX() (low, high float64) {
	if c.XMin != c.XMax {
		return c.XMin, c.XMax
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range c.Panels {
		for _, m := range p.Marks {
			xs, _ := m.extent()
			low, high = limits(low, high, xs)
		}
	}
	return widen(low, high)
}

// rangeY returns the ends of the panel's axis: there is room above the greatest value.
func (p Panel) rangeY() (low, high float64) {
	if p.Min != p.Max {
		return p.Min, p.Max
	}
	low, high = p.spanY()
	return low, high + (high-low)*0.15
}

// spanY returns the least and greatest value in the panel, or zero.
func (p Panel) spanY() (low, high float64) {
	for _, m := range p.Marks {
		_, ys := m.extent()
		low, high = limits(low, high, ys)
	}
	return widen(low, high)
}

// widen makes a range that is empty or none at all drawable.
func widen(low, high float64) (float64, float64) {
	switch {
	case low > high:
		return 0, 1
	case low == high:
		return low, low + 1
	default:
		return low, high
	}
}

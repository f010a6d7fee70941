// Package metricmath evaluates CloudWatch metric math over aligned time series.
//
// A request is a list of lines, as GetMetricData, an alarm or a scaling policy has them: metrics, and expressions over
// other lines. [Compile] checks it once, [Program.Eval] then runs it as often as wanted without allocating.
//
// A series is a []float64 with one place for each period of a [Grid]; NaN means that there is no datapoint. The rules
// for missing datapoints are CloudWatch's ("Using metric math" in its user guide):
//
//   - Between two series, a datapoint that only one of them has counts as 0 in the other; where neither has one, the
//     result has none. Between a series and a scalar, the result has the datapoints of the series.
//   - A division by zero, and any result that is not a finite number, drops the datapoint.
//   - IF drops the datapoint where its condition has none, takes 0 where the value to take is missing in the second
//     argument, and drops it where it is missing in the third.
//   - AVG over an array counts a missing datapoint as 0. SUM, MIN and MAX over an array ignore it (not documented).
//
// Supported are the operators + - * / ^, == != <= >= < >, AND && OR ||, arrays [m1, m2], and the functions that
// [Functions] lists. Anything else is an error that names it.
package metricmath

import (
	"fmt"
	"math"
	"time"
)

// Query is one line of a request: a metric (no Expression) or an expression over other lines.
type Query struct {
	ID         string
	Expression string
}

// Program is a compiled request. It is not safe for concurrent use.
type Program struct {
	// DropUnpaired drops a datapoint that only one of two series has, instead of counting the other one as 0.
	// CloudWatch documents the latter.
	DropUnpaired bool

	inputs []string
	lines  []node // metrics first (nil eval), then expressions, each after those that it refers to
	result int
	single bool
	run    run
}

// Inputs returns the IDs of the metrics, in the order in which Eval wants their series.
func (p *Program) Inputs() []string { return p.inputs }

// Single reports whether the result is one time series, as an alarm and a scaling policy need it, and not an array.
func (p *Program) Single() bool { return p.single }

// Grid places series in time: Length periods from Start on.
type Grid struct {
	Start  time.Time
	Period time.Duration
	Length int
}

// Eval evaluates the result over series of grid.Length places, one for each of [Program.Inputs]. It returns one
// series, or those of an array; they belong to the Program and are valid until the next Eval.
func (p *Program) Eval(grid Grid, inputs [][]float64) [][]float64 {
	if len(inputs) != len(p.inputs) {
		panic(fmt.Sprintf("metricmath: %d series for the %d metrics %v", len(inputs), len(p.inputs), p.inputs))
	}
	r := &p.run
	r.reset(grid, p.DropUnpaired)
	for i := range inputs {
		r.lines = append(r.lines, value{series: inputs[i : i+1 : i+1]})
	}
	for _, line := range p.lines[len(inputs):] {
		r.lines = append(r.lines, line.eval(r))
	}
	return r.lines[p.result].series
}

// value is what a node evaluates to: a scalar (no series), one series, or an array of them.
type value struct {
	scalar float64
	series [][]float64
}

// run is the state of one evaluation. Its memory is kept for the next.
type run struct {
	grid         Grid
	dropUnpaired bool
	lines        []value

	floats  []float64
	headers [][]float64
}

func (r *run) reset(grid Grid, dropUnpaired bool) {
	r.grid, r.dropUnpaired = grid, dropUnpaired
	r.lines, r.floats, r.headers = r.lines[:0], r.floats[:0], r.headers[:0]
}

// newSeries returns n series with undefined content. Slices handed out before stay valid when the memory grows.
func (r *run) newSeries(n int) [][]float64 {
	first := len(r.headers)
	for range n {
		start := len(r.floats)
		if start+r.grid.Length > cap(r.floats) {
			r.floats, start = make([]float64, 0, 2*cap(r.floats)+8*r.grid.Length), 0
		}
		r.floats = r.floats[:start+r.grid.Length]
		r.headers = append(r.headers, r.floats[start:])
	}
	return r.headers[first:len(r.headers):len(r.headers)]
}

// join returns the series of several values as one array.
func (r *run) join(items []node, width int) [][]float64 {
	first := len(r.headers)
	for range width {
		r.headers = append(r.headers, nil)
	}
	out := r.headers[first : first : first+width]
	for _, item := range items {
		out = append(out, item.eval(r).series...)
	}
	return out
}

var missing = math.NaN()

// finite drops what is not a number that CloudWatch could store.
func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return missing
	}
	return v
}

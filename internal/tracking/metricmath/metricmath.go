// Package metricmath evaluates CloudWatch metric math over aligned time series. Compile once, evaluate often.
package metricmath

import "time"

// Query is one line of a request: a metric (no Expression) or an expression over other lines.
type Query struct {
	ID         string
	Expression string
}

// Program is a compiled request. It is not safe for concurrent use.
type Program struct{}

// Compile checks and compiles a request; result is the ID of the line to evaluate. Errors name the line, the place and
// what is wrong: an unsupported function, an unknown ID, a cycle, a scalar result.
func Compile(queries []Query, result string) (*Program, error) { return nil, nil }

// Inputs returns the IDs of the metrics, in the order in which Eval wants their series.
func (p *Program) Inputs() []string { return nil }

// Grid places series in time.
type Grid struct {
	Start  time.Time
	Period time.Duration
	Length int
}

// Eval evaluates the result over series of equal length (one per input, NaN = no datapoint). The returned series belong to
// the Program and are valid until the next Eval. A single time series gives one, an array several.
func (p *Program) Eval(grid Grid, inputs [][]float64) [][]float64 { return nil }

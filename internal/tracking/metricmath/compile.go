package metricmath

import (
	"fmt"
	"math"
	"strings"
)

// shape is what CloudWatch calls S, TS and TS[].
type shape string

const (
	scalar shape = "a scalar"
	series shape = "a time series"
	array  shape = "an array of time series"
)

// node is a compiled expression.
type node struct {
	shape shape
	width int // series in it
	eval  func(*run) value
}

// compiler resolves the lines of a request.
type compiler struct {
	queries []Query
	index   map[string]int // of a compiled line, by ID
	open    map[string]bool
	program *Program
}

// Compile checks and compiles a request; result is the ID of the line to evaluate. Only the lines that the result
// needs are compiled, but metrics all are (METRICS() means every metric of the request). Errors name the line and
// what is wrong: a syntax error with its position, an unsupported function, an unknown ID, lines that refer to each
// other, a function given what it does not take, a result that is a scalar.
func Compile(queries []Query, result string) (*Program, error) {
	c := &compiler{queries: queries, index: map[string]int{}, open: map[string]bool{}, program: &Program{}}
	seen := map[string]bool{}
	for _, q := range queries {
		if !validID(q.ID) {
			return nil, fmt.Errorf("ID %q: must start with a lowercase letter and hold letters, digits and _ only",
				q.ID)
		}
		if seen[q.ID] {
			return nil, fmt.Errorf("ID %q is used twice", q.ID)
		}
		seen[q.ID] = true
		if q.Expression == "" {
			c.index[q.ID] = len(c.program.lines)
			c.program.inputs = append(c.program.inputs, q.ID)
			c.program.lines = append(c.program.lines, node{shape: series, width: 1})
		}
	}
	index, err := c.line(result)
	if err != nil {
		return nil, err
	}
	if c.program.lines[index].shape == scalar {
		return nil, fmt.Errorf("%s: the result is a scalar, it must be a time series; use TIME_SERIES(...)", result)
	}
	c.program.result, c.program.single = index, c.program.lines[index].shape == series
	return c.program, nil
}

func validID(id string) bool {
	return id != "" && strings.ContainsRune(letters[:26], rune(id[0])) && prefix(id, letters+digits) == len(id)
}

// line returns the index of a compiled line, compiling it and what it refers to first.
func (c *compiler) line(id string) (int, error) {
	if index, ok := c.index[id]; ok {
		return index, nil
	}
	for _, q := range c.queries {
		if q.ID != id {
			continue
		}
		if c.open[id] {
			return 0, fmt.Errorf("%s: refers to itself", id)
		}
		c.open[id] = true
		tree, err := parse(q.Expression)
		if err != nil {
			return 0, fmt.Errorf("%s: %w in %q", id, err, q.Expression)
		}
		n, err := c.node(tree)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", id, err)
		}
		c.index[id] = len(c.program.lines)
		c.program.lines = append(c.program.lines, n)
		return c.index[id], nil
	}
	return 0, fmt.Errorf("unknown ID %q", id)
}

func (c *compiler) node(e *expr) (node, error) {
	switch e.op {
	case "number":
		v := value{scalar: finite(e.num)}
		return node{shape: scalar, eval: func(*run) value { return v }}, nil
	case "text":
		return node{}, fmt.Errorf("position %d: a string is only allowed in METRICS(\"...\")", e.at+1)
	case "name":
		index, err := c.line(e.text)
		if err != nil {
			return node{}, err
		}
		line := c.program.lines[index]
		line.eval = func(r *run) value { return r.lines[index] }
		return line, nil
	case "call":
		return c.call(e)
	}
	args, err := c.nodes(e.args)
	if err != nil {
		return node{}, err
	}
	switch e.op {
	case "array":
		return arrayOf(args, e.at)
	case "negate":
		return each(args[0], func(x float64) float64 { return -x }), nil
	}
	return binary(e, args[0], args[1])
}

func (c *compiler) nodes(es []*expr) ([]node, error) {
	nodes := make([]node, 0, len(es))
	for _, e := range es {
		n, err := c.node(e)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// maxWidth is how many time series a request may hold (500, as GetMetricData documents).
const maxWidth = 500

// arrayOf concatenates series and arrays: [m1, METRICS("errors")].
func arrayOf(items []node, at int) (node, error) {
	width := 0
	for _, item := range items {
		if item.shape == scalar {
			return node{}, fmt.Errorf("position %d: an array holds time series; write TIME_SERIES(...) for a scalar",
				at+1)
		}
		width += item.width
	}
	if width == 0 || width > maxWidth {
		return node{}, fmt.Errorf("position %d: the array holds %d time series; 1 to %d are allowed", at+1, width,
			maxWidth)
	}
	return node{shape: array, width: width, eval: func(r *run) value {
		return value{series: r.join(items, width)}
	}}, nil
}

// each applies f to every datapoint.
func each(x node, f func(float64) float64) node {
	return node{shape: x.shape, width: x.width, eval: func(r *run) value {
		v := x.eval(r)
		if x.shape == scalar {
			return value{scalar: finite(f(v.scalar))}
		}
		out := r.newSeries(x.width)
		for i, s := range v.series {
			for t := range s {
				out[i][t] = finite(f(s[t]))
			}
		}
		return value{series: out}
	}}
}

var operators = map[string]func(x, y float64) float64{
	"+":   func(x, y float64) float64 { return x + y },
	"-":   func(x, y float64) float64 { return x - y },
	"*":   func(x, y float64) float64 { return x * y },
	"/":   func(x, y float64) float64 { return x / y }, // by zero: infinite or NaN, so dropped
	"^":   math.Pow,
	"==":  func(x, y float64) float64 { return truth(x == y) },
	"!=":  func(x, y float64) float64 { return truth(x != y) },
	"<":   func(x, y float64) float64 { return truth(x < y) },
	"<=":  func(x, y float64) float64 { return truth(x <= y) },
	">":   func(x, y float64) float64 { return truth(x > y) },
	">=":  func(x, y float64) float64 { return truth(x >= y) },
	"AND": func(x, y float64) float64 { return truth(x != 0 && y != 0) },
	"OR":  func(x, y float64) float64 { return truth(x != 0 || y != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// binary compiles an operator between two scalars, series, or an array and one of them.
func binary(e *expr, x, y node) (node, error) {
	f, arithmetic := operators[e.op], binding[e.op] >= binding["+"]
	if x.shape == array && y.shape == array || !arithmetic && (x.shape == array || y.shape == array) {
		return node{}, fmt.Errorf("position %d: %s does not work between %s and %s", e.at+1, e.op, x.shape, y.shape)
	}
	out := x
	if y.shape == array || x.shape == scalar {
		out = y
	}
	out.eval = func(r *run) value {
		a, b := x.eval(r), y.eval(r)
		if out.shape == scalar {
			return value{scalar: pair(a.scalar, b.scalar, f)}
		}
		result := r.newSeries(out.width)
		for i, s := range result {
			r.combine(s, pick(a, x.shape, i), pick(b, y.shape, i), f)
		}
		return value{series: result}
	}
	return out, nil
}

// operand is one side of a binary operator at one series: a series, or a scalar where it is nil.
type operand struct {
	series []float64
	scalar float64
}

// pick returns the series of v that meets series i of an array.
func pick(v value, s shape, i int) operand {
	switch s {
	case scalar:
		return operand{scalar: v.scalar}
	case series:
		return operand{series: v.series[0]}
	default:
		return operand{series: v.series[i]}
	}
}

// combine applies f at every place; see the package comment for the rules on missing datapoints.
func (r *run) combine(out []float64, a, b operand, f func(x, y float64) float64) {
	both := a.series != nil && b.series != nil
	x, y := a.scalar, b.scalar
	for t := range out {
		if a.series != nil {
			x = a.series[t]
		}
		if b.series != nil {
			y = b.series[t]
		}
		if both && !r.dropUnpaired {
			switch {
			case x != x && y == y:
				x = 0
			case y != y && x == x:
				y = 0
			}
		}
		out[t] = pair(x, y, f)
	}
}

// pair applies f to two values that are both there.
func pair(x, y float64, f func(x, y float64) float64) float64 {
	if x != x || y != y {
		return missing
	}
	return finite(f(x, y))
}

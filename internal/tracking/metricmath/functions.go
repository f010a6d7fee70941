package metricmath

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// functions are all that is supported, in order.
var functions = []string{
	"ABS", "AVG", "CEIL", "DIFF", "FILL", "FLOOR", "IF", "MAX", "METRICS", "METRIC_COUNT", "MIN", "PERIOD", "RATE",
	"SUM",
	"TIME_SERIES",
}

// Functions returns the names of the supported functions in alphabetical order.
func Functions() []string { return slices.Clone(functions) }

var (
	perDatapoint = map[string]func(float64) float64{"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor}

	// What an aggregate makes of the total so far and the next datapoint; AVG then divides.
	aggregates = map[string]func(so, v float64) float64{"SUM": add, "AVG": add, "MIN": math.Min, "MAX": math.Max}
)

// call compiles a function call.
func (c *compiler) call(e *expr) (node, error) {
	if f := perDatapoint[e.text]; f != nil {
		return c.perDatapoint(e, f)
	}
	if step := aggregates[e.text]; step != nil {
		return c.aggregate(e, step, e.text == "AVG")
	}
	switch e.text {
	case "DIFF":
		return c.change(e, false)
	case "RATE":
		return c.change(e, true)
	case "IF":
		return c.condition(e)
	case "FILL":
		return c.fill(e)
	case "METRICS":
		return c.metrics(e)
	case "METRIC_COUNT":
		return c.metricCount(e)
	case "PERIOD":
		return c.period(e)
	case "TIME_SERIES":
		return c.timeSeries(e)
	}
	if upper := strings.ToUpper(e.text); slices.Contains(functions, upper) {
		return node{}, fmt.Errorf("position %d: function %s is not supported, functions are in upper case: %s",
			e.at+1, e.text, upper)
	}
	return node{}, fmt.Errorf("position %d: function %s is not supported", e.at+1, e.text)
}

func add(x, y float64) float64 { return x + y }

// arguments compiles the arguments of a call and checks how many there are.
func (c *compiler) arguments(e *expr, least, most int) ([]node, error) {
	if len(e.args) < least || len(e.args) > most {
		wanted := strconv.Itoa(most)
		if least < most {
			wanted = fmt.Sprintf("%d or %d", least, most)
		}
		return nil, fmt.Errorf("position %d: %s takes %s arguments, not %d", e.at+1, e.text, wanted, len(e.args))
	}
	return c.nodes(e.args)
}

// oneOrMany compiles the one argument of functions that take a series or an array.
func (c *compiler) oneOrMany(e *expr) (node, error) {
	args, err := c.arguments(e, 1, 1)
	if err != nil {
		return node{}, err
	}
	if args[0].shape == scalar {
		return node{}, fmt.Errorf("position %d: %s takes a time series or an array of them, not a scalar", e.at+1,
			e.text)
	}
	return args[0], nil
}

func (c *compiler) perDatapoint(e *expr, f func(float64) float64) (node, error) {
	x, err := c.oneOrMany(e)
	if err != nil {
		return node{}, err
	}
	return each(x, f), nil
}

// aggregate makes a scalar from the datapoints of a series, or a series from those of an array at each place.
func (c *compiler) aggregate(e *expr, step func(so, v float64) float64, mean bool) (node, error) {
	x, err := c.oneOrMany(e)
	if err != nil {
		return node{}, err
	}
	if x.shape == series {
		return node{shape: scalar, eval: func(r *run) value {
			total, count := missing, 0
			for _, v := range x.eval(r).series[0] {
				total, count = accumulate(total, v, count, step)
			}
			if mean {
				total /= float64(count)
			}
			return value{scalar: finite(total)}
		}}, nil
	}
	return node{shape: series, width: 1, eval: func(r *run) value {
		v, out := x.eval(r), r.newSeries(1)
		for t := range out[0] {
			total, count := missing, 0
			for _, s := range v.series {
				total, count = accumulate(total, s[t], count, step)
			}
			if mean {
				total /= float64(x.width)
			}
			out[0][t] = finite(total)
		}
		return value{series: out}
	}}, nil
}

func accumulate(total, v float64, count int, step func(so, v float64) float64) (float64, int) {
	switch {
	case v != v:
		return total, count
	case count == 0:
		return v, 1
	default:
		return step(total, v), count + 1
	}
}

// change compiles DIFF and RATE: against the datapoint before, however far back, RATE by the second.
func (c *compiler) change(e *expr, perSecond bool) (node, error) {
	x, err := c.oneOrMany(e)
	if err != nil {
		return node{}, err
	}
	return node{shape: x.shape, width: x.width, eval: func(r *run) value {
		v, out := x.eval(r), r.newSeries(x.width)
		for i, s := range v.series {
			before := -1
			for t := range s {
				out[i][t] = missing
				if s[t] != s[t] {
					continue
				}
				if before >= 0 {
					out[i][t] = s[t] - s[before]
					if perSecond {
						out[i][t] /= float64(t-before) * r.grid.Period.Seconds()
					}
					out[i][t] = finite(out[i][t])
				}
				before = t
			}
		}
		return value{series: out}
	}}, nil
}

// condition compiles IF(condition, then [, otherwise]).
func (c *compiler) condition(e *expr) (node, error) {
	args, err := c.arguments(e, 2, 3)
	if err != nil {
		return node{}, err
	}
	otherwise := node{shape: scalar, eval: func(*run) value { return value{scalar: missing} }}
	if len(args) == 3 {
		otherwise = args[2]
	}
	when, then := args[0], args[1]
	if slices.ContainsFunc(args, func(n node) bool { return n.shape == array }) {
		return node{}, fmt.Errorf("position %d: IF takes time series and scalars, not an array", e.at+1)
	}
	if when.shape == scalar && then.shape == scalar && otherwise.shape == scalar {
		return node{}, fmt.Errorf("position %d: IF takes at least one time series", e.at+1)
	}
	return node{shape: series, width: 1, eval: func(r *run) value {
		w, y := pick(when.eval(r), when.shape, 0), pick(then.eval(r), then.shape, 0)
		n := pick(otherwise.eval(r), otherwise.shape, 0)
		out := r.newSeries(1)
		for t := range out[0] {
			switch condition := w.at(t); {
			case condition != condition:
				out[0][t] = missing
			case condition == 0:
				out[0][t] = n.at(t)
			default:
				out[0][t] = y.at(t)
				if out[0][t] != out[0][t] && w.series != nil && y.series != nil {
					out[0][t] = 0 // as documented for a condition that is a series
				}
			}
		}
		return value{series: out}
	}}, nil
}

func (o operand) at(t int) float64 {
	if o.series == nil {
		return o.scalar
	}
	return o.series[t]
}

// fill compiles FILL(x, REPEAT | LINEAR | scalar | series).
func (c *compiler) fill(e *expr) (node, error) {
	if len(e.args) == 2 && e.args[1].op == "name" {
		if how := fillers[e.args[1].text]; how != nil {
			x, err := c.oneOrMany(&expr{op: "call", at: e.at, text: "FILL", args: e.args[:1]})
			if err != nil {
				return node{}, err
			}
			return filled(x, node{shape: scalar}, how), nil
		}
	}
	args, err := c.arguments(e, 2, 2)
	if err != nil {
		return node{}, err
	}
	if args[0].shape == scalar || args[1].shape == array {
		return node{}, fmt.Errorf("position %d: FILL takes a time series or an array, and REPEAT, LINEAR, a scalar "+
			"or a time series", e.at+1)
	}
	return filled(args[0], args[1], fillWith), nil
}

var fillers = map[string]func(s []float64, with operand){"REPEAT": fillRepeat, "LINEAR": fillLinear}

func filled(x, with node, how func(s []float64, with operand)) node {
	return node{shape: x.shape, width: x.width, eval: func(r *run) value {
		v, out := x.eval(r), r.newSeries(x.width)
		var w operand
		if with.eval != nil {
			w = pick(with.eval(r), with.shape, 0)
		}
		for i, s := range v.series {
			copy(out[i], s)
			how(out[i], w)
		}
		return value{series: out}
	}}
}

func fillWith(s []float64, with operand) {
	for t := range s {
		if s[t] != s[t] {
			s[t] = with.at(t)
		}
	}
}

// fillRepeat takes the datapoint before the gap; a gap at the start of the range stays.
func fillRepeat(s []float64, _ operand) {
	for t := 1; t < len(s); t++ {
		if s[t] != s[t] {
			s[t] = s[t-1]
		}
	}
}

// fillLinear draws a line across each gap; gaps at either end of the range stay.
func fillLinear(s []float64, _ operand) {
	before := -1
	for t := range s {
		if s[t] != s[t] {
			continue
		}
		for gap := before + 1; before >= 0 && gap < t; gap++ {
			share := float64(gap-before) / float64(t-before)
			s[gap] = finite(s[before]*(1-share) + s[t]*share)
		}
		before = t
	}
}

// metrics compiles METRICS() and METRICS("part of an ID"), the metrics of the request.
func (c *compiler) metrics(e *expr) (node, error) {
	part := ""
	switch {
	case len(e.args) == 1 && e.args[0].op == "text":
		part = e.args[0].text
	case len(e.args) > 0:
		return node{}, fmt.Errorf("position %d: METRICS takes nothing or one string", e.at+1)
	}
	var items []node
	for _, id := range c.program.inputs {
		if strings.Contains(id, part) {
			item, err := c.node(&expr{op: "name", text: id})
			if err != nil {
				return node{}, err
			}
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		return node{}, fmt.Errorf("position %d: no metric of the request has %q in its ID", e.at+1, part)
	}
	return arrayOf(items, e.at)
}

func (c *compiler) metricCount(e *expr) (node, error) {
	x, err := c.oneOrMany(e)
	if err != nil {
		return node{}, err
	}
	count := value{scalar: float64(x.width)}
	return node{shape: scalar, eval: func(*run) value { return count }}, nil
}

// period compiles PERIOD(m1), in seconds. Its argument must be a metric, not an expression.
func (c *compiler) period(e *expr) (node, error) {
	if len(e.args) != 1 || e.args[0].op != "name" || !slices.Contains(c.program.inputs, e.args[0].text) {
		return node{}, fmt.Errorf("position %d: PERIOD takes the ID of one metric", e.at+1)
	}
	return node{shape: scalar, eval: func(r *run) value { return value{scalar: r.grid.Period.Seconds()} }}, nil
}

// timeSeries compiles TIME_SERIES(scalar): the scalar at every place.
func (c *compiler) timeSeries(e *expr) (node, error) {
	args, err := c.arguments(e, 1, 1)
	if err != nil {
		return node{}, err
	}
	if args[0].shape != scalar {
		return node{}, fmt.Errorf("position %d: TIME_SERIES takes a scalar, not %s", e.at+1, args[0].shape)
	}
	return node{shape: series, width: 1, eval: func(r *run) value {
		v, out := args[0].eval(r), r.newSeries(1)
		for t := range out[0] {
			out[0][t] = v.scalar
		}
		return value{series: out}
	}}, nil
}

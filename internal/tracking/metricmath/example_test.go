package metricmath_test

import (
	"fmt"
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking/metricmath"
)

// A task count that is not published yet (NaN) is taken from before; dividing by it as it is would drop the minute.
func Example() {
	p, err := metricmath.Compile([]metricmath.Query{
		{ID: "visible"},
		{ID: "tasks"},
		{ID: "perTask", Expression: "visible / FILL(tasks, REPEAT)"},
	}, "perTask")
	if err != nil {
		fmt.Println(err)
		return
	}
	grid := metricmath.Grid{Start: time.Unix(0, 0), Period: time.Minute, Length: 3}
	fmt.Println(p.Inputs(), p.Eval(grid, [][]float64{{30, 40, 50}, {2, 2, math.NaN()}})[0])

	_, err = metricmath.Compile([]metricmath.Query{{ID: "m1"}, {ID: "e1", Expression: "STDDEV(m1)"}}, "e1")
	fmt.Println(err)
	// Output:
	// [visible tasks] [15 20 25]
	// e1: position 1: function STDDEV is not supported
}

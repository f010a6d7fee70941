package metricmath

import (
	"math"
	"strings"
	"testing"
	"time"
)

const none = "-"

// parseSeries reads "30, -, 0" the way CloudWatch's documentation writes series.
func parseSeries(t *testing.T, s string) []float64 {
	t.Helper()
	var out []float64
	for _, field := range strings.Split(s, ",") {
		field = strings.TrimSpace(field)
		if field == none {
			out = append(out, math.NaN())
			continue
		}
		e, err := parse(field)
		if err != nil {
			t.Fatal(err)
		}
		v := e.num
		if e.op == "negate" {
			v = -e.args[0].num
		}
		out = append(out, v)
	}
	return out
}

func equal(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) && math.Abs(a[i]-b[i]) > 1e-12*math.Abs(b[i]) {
			return false
		}
	}
	return true
}

// evaluate evaluates an expression over metrics given as "m1: 1, 2, -", with 60 s between datapoints.
func evaluate(t *testing.T, expression string, metrics ...string) [][]float64 {
	t.Helper()
	queries := []Query{{ID: "result", Expression: expression}}
	var inputs [][]float64
	for _, m := range metrics {
		id, values, _ := strings.Cut(m, ":")
		queries = append(queries, Query{ID: id})
		inputs = append(inputs, parseSeries(t, values))
	}
	p, err := Compile(queries, "result")
	if err != nil {
		t.Fatal(err)
	}
	return p.Eval(Grid{Period: time.Minute, Length: len(inputs[0])}, inputs)
}

// TestDocumented holds the examples and rules of "Using metric math" in the CloudWatch user guide
// (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html), by section.
func TestDocumented(t *testing.T) {
	m1, m2 := "metric1: 30, 20, 0, 0", "metric2: 20, -, 20, -"
	when, then, otherwise := "metric1: 1, 1, 0, 0, -", "metric2: 30, -, 0, 0, 30", "metric3: 0, 0, 20, -, 20"
	for _, test := range []struct {
		section, expression string
		metrics             []string
		want                string
	}{
		{"comparison operators, table", "(metric1 < metric2)", []string{m1, m2}, "0, 0, 1, 0"},
		{"comparison operators, table", "(metric1 >= 30)", []string{m1, m2}, "1, 0, 0, 0"},
		{"comparison operators, table", "(metric1 > 15 AND metric2 > 15)", []string{m1, m2}, "1, 0, 0, 0"},
		{"comparison operators: && is AND", "metric1 > 15 && metric2 > 15", []string{m1, m2}, "1, 0, 0, 0"},
		{"comparison operators: OR", "metric1 > 25 OR metric2 > 15", []string{m1, m2}, "1, 0, 1, 0"},
		{"comparison operators: || is OR", "metric1 > 25 || metric2 > 15", []string{m1, m2}, "1, 0, 1, 0"},

		{"IF(metric1, metric2, metric3)", "IF(metric1, metric2, metric3)", []string{when, then, otherwise},
			"30, 0, 20, -, -"},
		{"IF(metric1, scalar2, metric3)", "IF(metric1, 5, metric3)", []string{when, otherwise}, "5, 5, 20, -, -"},
		{"IF(metric1, metric2, scalar3)", "IF(metric1, metric2, 5)", []string{when, then}, "30, 0, 5, 5, -"},
		{"IF(scalar1, metric2, metric3)", "IF(1, metric2, metric3)", []string{then, otherwise}, "30, -, 0, 0, 30"},
		{"IF(scalar1, metric2, metric3)", "IF(0, metric2, metric3)", []string{then, otherwise}, "0, 0, 20, -, 20"},
		{"IF(scalar1, metric2): empty", "IF(0, metric2)", []string{then}, "-, -, -, -, -"},
		{"IF: any value but 0 is true", "IF(m, 1, 2)", []string{"m: -3, 0, 0.5"}, "1, 2, 1"},
		{"IF use cases: low values only", "IF(metric1<400, metric1)", []string{"metric1: 300, 400, -, 0"},
			"300, -, -, 0"},
		{"IF use cases: two values", "IF(metric1<400, 10, 2)", []string{"metric1: 300, 400, 500"}, "10, 2, 2"},

		{"arithmetic: missing is 0", "m1 + m2", []string{"m1: 1, -, 3, -", "m2: 10, 20, -, -"}, "11, 20, 3, -"},
		{"arithmetic: missing is 0", "m1 / m2", []string{"m1: -, 6", "m2: 2, 3"}, "0, 2"},
		{"arithmetic: division by 0 is dropped", "m1 / m2", []string{"m1: 1, 1, 0", "m2: 0, 2, 0"}, "-, 0.5, -"},
		{"arithmetic: scalar with series", "5 * m1", []string{"m1: 1, -, 3"}, "5, -, 15"},
		{"arithmetic: unary minus", "-5*m1", []string{"m1: 1, -2"}, "-5, 10"},
		{"arithmetic: power", "m1 ^ 2", []string{"m1: 3, -2"}, "9, 4"},
		{"arithmetic: PERIOD(m1)/60", "m1 * PERIOD(m1)/60", []string{"m1: 3"}, "3"},
		{"arithmetic: SUM(100/[m1, m2])", "SUM(100/[m1, m2])", []string{"m1: 10, 0", "m2: 20, 50"}, "15, 2"},
		{"arithmetic: AVG([m1,m2]/m3)", "AVG([m1,m2]/m3)", []string{"m1: 4", "m2: 8", "m3: 2"}, "3"},
		{"unary: SUM(-[m1, m2])", "SUM(-[m1, m2])", []string{"m1: 4", "m2: 8"}, "-12"},

		{"ABS", "MIN(ABS([m1, m2]))", []string{"m1: -4, 1", "m2: 3, -2"}, "3, 1"},
		{"AVG of a series is a scalar", "m1-AVG(m1)", []string{"m1: 1, 2, 6"}, "-2, -1, 3"},
		{"AVG of an array counts missing as 0", "AVG([m1, m2])", []string{"m1: 4, -, -", "m2: 8, 8, -"}, "6, 4, -"},
		{"CEIL", "CEIL(m1)", []string{"m1: 1.2, -1.2"}, "2, -1"},
		{"FLOOR", "FLOOR(m1)", []string{"m1: 1.2, -1.2"}, "1, -2"},
		{"MAX of a series is a scalar", "MAX(m1)/m1", []string{"m1: 1, 2, 4"}, "4, 2, 1"},
		{"MIN of a series is a scalar", "m1-MIN(m1)", []string{"m1: 3, -, 4"}, "0, -, 1"},
		{"MAX of an array", "MAX(METRICS())", []string{"m1: 1, 5, -", "m2: 4, 2, 3"}, "4, 5, 3"},
		{"SUM of a series is a scalar", "SUM([m1,m2])/AVG(m2)", []string{"m1: 1, 2", "m2: 1, 3"}, "1, 2.5"},
		{"DIFF", "DIFF(m1)", []string{"m1: 1, 4, -, 2"}, "-, 3, -, -2"},
		{"RATE is by the second between the two values", "RATE(m1)", []string{"m1: 0, 60, -, 180"}, "-, 1, -, 1"},
		{"FILL with a value", "FILL(m1, 10)", []string{"m1: -, 1, -"}, "10, 1, 10"},
		{"FILL with REPEAT", "FILL(m1, REPEAT)", []string{"m1: -, 1, -, -, 2, -"}, "-, 1, 1, 1, 2, 2"},
		{"FILL with LINEAR", "FILL(m1, LINEAR)", []string{"m1: -, 1, -, -, 4, -"}, "-, 1, 2, 3, 4, -"},
		{"FILL with a scalar of the series", "FILL(m1, MIN(m1))", []string{"m1: 7, -, 3"}, "7, 3, 3"},
		{"FILL of an array with a series", "SUM(FILL(METRICS(\"e\"), m1))",
			[]string{"e1: 1, -", "e2: -, 2", "m1: 10, 20"}, "11, 22"},
		{"METRICS with a string", `SUM(METRICS("errors"))`, []string{"errors1: 1", "ok: 10", "errors2: 2"}, "3"},
		{"METRICS with strings", `SUM([METRICS('4xx'), METRICS('5xx')])`, []string{"a4xx: 1", "b5xx: 2", "c: 4"}, "3"},
		{"METRIC_COUNT", "m1/METRIC_COUNT(METRICS())", []string{"m1: 8", "m2: 0"}, "4"},
		{"TIME_SERIES", "TIME_SERIES(MAX(m1))", []string{"m1: 1, -, 3"}, "3, 3, 3"},
	} {
		t.Run(test.section+"/"+test.expression, func(t *testing.T) {
			got := evaluate(t, test.expression, test.metrics...)
			if want := parseSeries(t, test.want); len(got) != 1 || !equal(got[0], want) {
				t.Errorf("%s = %v, want %v", test.expression, got, want)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	for expression, want := range map[string]float64{
		"m + 2 * 3": 7, "(m + 2) * 3": 9, "m - 2 - 3": -4, "m * 12 / 3 / 2": 2, "m * 2 ^ 3 ^ 2": 512, "m - 2 ^ 2": -3,
		"m - -2 ^ 2": 5, "m + 1 > 1 AND 0 + m > 2 OR m == 1": 1, "m < 2 == 1": 1, "m*1.5e1": 15, "m*.5": 0.5,
		"m * 2E-1": 0.2,
	} {
		if got := evaluate(t, expression, "m: 1"); got[0][0] != want {
			t.Errorf("%s = %v, want %v", expression, got[0][0], want)
		}
	}
}

func TestArrayResult(t *testing.T) {
	got := evaluate(t, "METRICS()*100", "m1: 1, 2", "m2: 3, -")
	if len(got) != 2 || !equal(got[0], []float64{100, 200}) || !equal(got[1], []float64{300, math.NaN()}) {
		t.Errorf("got %v", got)
	}
}

func TestDropUnpaired(t *testing.T) {
	p, err := Compile([]Query{{ID: "m1"}, {ID: "m2"}, {ID: "e", Expression: "m1 / m2"}}, "e")
	if err != nil {
		t.Fatal(err)
	}
	p.DropUnpaired = true
	got := p.Eval(Grid{Period: time.Minute, Length: 2}, [][]float64{{math.NaN(), 6}, {2, 3}})
	if !equal(got[0], []float64{math.NaN(), 2}) {
		t.Errorf("got %v", got)
	}
}

func TestLinesReferToLinesInAnyOrder(t *testing.T) {
	p, err := Compile([]Query{
		{ID: "perTask", Expression: "backlog / tasks"},
		{ID: "backlog", Expression: "m1 + m2"},
		{ID: "tasks", Expression: "FILL(m3, REPEAT)"},
		{ID: "m1"}, {ID: "m2"}, {ID: "m3"},
	}, "perTask")
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	got := p.Eval(Grid{Period: time.Minute, Length: 3}, [][]float64{{4, 6, 8}, {2, 2, 2}, {2, nan, nan}})
	if !equal(got[0], []float64{3, 4, 5}) || !p.Single() {
		t.Errorf("got %v, single %v", got, p.Single())
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	for expression, want := range map[string]string{
		"ANOMALY_DETECTION_BAND(m1)": "function ANOMALY_DETECTION_BAND is not supported",
		"m1 + SEARCH('x')":           "position 6: function SEARCH is not supported",
		"max(m1)":                    "functions are in upper case: MAX",
		"m1 + m9":                    `unknown ID "m9"`,
		"e + 1":                      "refers to itself",
		"AVG(m1)":                    "the result is a scalar",
		"2 * 3":                      "the result is a scalar",
		"m1 +":                       "ends where",
		"m1 m2":                      `"m2" where an operator`,
		"(m1":                        "ends where )",
		"m1 % 2":                     "'%' is not part of metric math",
		"m1 = 2":                     "'=' is not part of metric math",
		`METRICS("m)`:                "the string has no end",
		`METRICS("zz")`:              `no metric of the request has "zz"`,
		"[m1, m2] + [m1, m2]":        "+ does not work between an array",
		"METRICS() > 2":              "> does not work between an array",
		"MAX([m1, 1])":               "write TIME_SERIES(...)",
		"IF(m1)":                     "IF takes 2 or 3 arguments, not 1",
		"IF(1, 2, 3)":                "at least one time series",
		"IF(METRICS(), 1)":           "not an array",
		"FILL(m1)":                   "FILL takes 2 arguments, not 1",
		"FILL(m1, SOMETIMES)":        `unknown ID "SOMETIMES"`,
		"ABS(3)":                     "not a scalar",
		"PERIOD(m1 + m2)":            "PERIOD takes the ID of one metric",
		"TIME_SERIES(m1)":            "takes a scalar",
		"[] + m1":                    "the array holds 0 time series",
		"'m1'":                       "a string is only allowed in METRICS",
		"m1 + 1.2.3":                 "where an operator",
	} {
		_, err := Compile([]Query{{ID: "m1"}, {ID: "m2"}, {ID: "e", Expression: expression}}, "e")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", expression, err, want)
		}
	}
	for _, queries := range [][]Query{{{ID: "M1"}}, {{ID: ""}}, {{ID: "m-1"}}, {{ID: "m1"}, {ID: "m1"}}} {
		if _, err := Compile(queries, "m1"); err == nil {
			t.Errorf("%v: no error", queries)
		}
	}
	deep := strings.Repeat("(", 1000) + "m1" + strings.Repeat(")", 1000)
	if _, err := Compile([]Query{{ID: "m1"}, {ID: "e", Expression: deep}}, "e"); err == nil {
		t.Error("no error for 1000 parentheses")
	}
}

func TestEvalDoesNotAllocate(t *testing.T) {
	p, err := Compile([]Query{
		{ID: "m1"}, {ID: "m2"}, {ID: "m3"},
		{ID: "tasks", Expression: "FILL(m3, REPEAT)"},
		{ID: "e", Expression: "IF(m1 >= 0 AND tasks >= 0, SUM([m1, m2]) / IF(tasks > 1, tasks, 1))"},
	}, "e")
	if err != nil {
		t.Fatal(err)
	}
	inputs := [][]float64{make([]float64, 17), make([]float64, 17), make([]float64, 17)}
	grid := Grid{Period: time.Minute, Length: 17}
	p.Eval(grid, inputs)
	p.Eval(grid, inputs)
	if allocs := testing.AllocsPerRun(100, func() { p.Eval(grid, inputs) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzCompile feeds any expression: it must not panic, and what compiles must evaluate to finite numbers or nothing.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"m1 / m2", "IF(m1 > 0 AND m2 > 0, m1, FILL(m2, REPEAT))", "SUM([m1, METRICS(\"m\")])/AVG(m1)", "-m1^2^-1",
		"RATE(DIFF(m1)) || 1e308*m1 != .5", "TIME_SERIES(MAX(m1)) && PERIOD(m1)", "FILL(m1, LINEAR)",
	} {
		f.Add(seed)
	}
	inputs := [][]float64{{1, math.NaN(), 0, -3, 1e300}, {math.NaN(), 2, 0, math.NaN(), 5}}
	f.Fuzz(func(t *testing.T, expression string) {
		p, err := Compile([]Query{{ID: "m1"}, {ID: "m2"}, {ID: "e", Expression: expression}}, "e")
		if err != nil || expression == "" { // without an expression the line is a metric
			return
		}
		for range 2 {
			for _, s := range p.Eval(Grid{Period: time.Minute, Length: 5}, inputs) {
				if len(s) != 5 {
					t.Fatalf("%q: a series of %d places", expression, len(s))
				}
				for _, v := range s {
					if math.IsInf(v, 0) {
						t.Fatalf("%q: %v", expression, s)
					}
				}
			}
		}
	})
}

package tracking

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking/metricmath"
)

// Metric names one CloudWatch metric and the statistic of it.
type Metric struct {
	Namespace  string
	Name       string
	Dimensions []Dimension
	Stat       string // Average, Sum, Minimum, Maximum, SampleCount, pNN
	Unit       string // empty: any
}

// Dimension is a name and a value.
type Dimension struct{ Name, Value string }

// Key identifies the metric and statistic in a [Metrics] store, whatever the order of its dimensions.
func (m Metric) Key() string {
	dimensions := make([]string, len(m.Dimensions))
	for i, d := range m.Dimensions {
		dimensions[i] = d.Name + "=" + d.Value
	}
	slices.Sort(dimensions)
	return fmt.Sprintf("%s/%s{%s}%s", m.Namespace, m.Name, strings.Join(dimensions, ","), m.Stat)
}

// MetricQuery is one line of a metric math request: either a metric or an expression over the other lines.
type MetricQuery struct {
	ID         string
	Expression string  // empty for a metric
	Metric     *Metric // nil for an expression
	Label      string
	ReturnData bool // true on exactly one line: the series that is tracked
}

// SingleMetric is the request for one metric without math.
func SingleMetric(m Metric) []MetricQuery {
	return []MetricQuery{{ID: "m1", Metric: &m, ReturnData: true}}
}

// PredefinedMetric returns the request behind a predefined metric of an ECS service, ECSServiceAverageCPUUtilization or
// ECSServiceAverageMemoryUtilization. Any other name is an error.
func PredefinedMetric(name, resourceID string) ([]MetricQuery, error) {
	metrics := map[string]string{
		"ECSServiceAverageCPUUtilization":    "CPUUtilization",
		"ECSServiceAverageMemoryUtilization": "MemoryUtilization",
	}
	parts := strings.Split(resourceID, "/")
	if metrics[name] == "" || len(parts) != 3 {
		return nil, fmt.Errorf("predefined metric %q of %q: only %v of service/<cluster>/<service> are known",
			name, resourceID,
			[]string{"ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization"})
	}
	return SingleMetric(Metric{
		Namespace: "AWS/ECS", Name: metrics[name], Stat: "Average", Unit: "Percent",
		Dimensions: []Dimension{{"ClusterName", parts[1]}, {"ServiceName", parts[2]}},
	}), nil
}

// Metrics is what the engine reads datapoints from.
type Metrics interface {
	// Read fills values[i] with the datapoint of the period that starts at from + i*period, as it could be read at the
	// moment at, or NaN where there was none yet. Key is [Metric.Key].
	Read(key string, from time.Time, period time.Duration, at time.Time, values []float64)
}

// request is a compiled metric math request together with the memory that it is evaluated in.
type request struct {
	program *metricmath.Program
	keys    []string // of the metrics, in the order of the program's inputs
	inputs  [][]float64
}

// newRequest compiles queries for windows of length datapoints.
func newRequest(queries []MetricQuery, length int, dropUnpaired bool) (*request, error) {
	lines := make([]metricmath.Query, len(queries))
	result := ""
	for i, q := range queries {
		if (q.Metric == nil) == (q.Expression == "") {
			return nil, fmt.Errorf("metric query %q: needs either a metric or an expression", q.ID)
		}
		if q.ReturnData && result != "" {
			return nil, fmt.Errorf("metric queries %q and %q: ReturnData must be true on one line only", result, q.ID)
		}
		if q.ReturnData {
			result = q.ID
		}
		lines[i] = metricmath.Query{ID: q.ID, Expression: q.Expression}
	}
	if result == "" {
		return nil, fmt.Errorf("none of the %d metric queries has ReturnData true", len(queries))
	}
	program, err := metricmath.Compile(lines, result)
	if err != nil {
		return nil, err
	}
	if !program.Single() {
		return nil, fmt.Errorf("%s: the result is an array of time series, it must be one", result)
	}
	program.DropUnpaired = dropUnpaired
	r := &request{program: program}
	for _, q := range queries {
		if q.Metric != nil {
			r.keys = append(r.keys, q.Metric.Key())
			r.inputs = append(r.inputs, make([]float64, length))
		}
	}
	return r, nil
}

// read evaluates the request over the window that starts at from, as it could be read at the moment at.
func (r *request) read(metrics Metrics, from time.Time, period time.Duration, at time.Time) []float64 {
	for i, key := range r.keys {
		metrics.Read(key, from, period, at, r.inputs[i])
	}
	grid := metricmath.Grid{Start: from, Period: period, Length: len(r.inputs[0])}
	return r.program.Eval(grid, r.inputs)[0]
}

// Memory is a [Metrics] that keeps the newest datapoints of each metric together with when they became readable.
type Memory struct {
	period time.Duration
	keep   int
	rings  map[string][]datapoint
}

type datapoint struct {
	number    int64 // of its period, see periodNumber
	published int64 // Unix nanoseconds
	value     float64
}

// NewMemory returns a store for datapoints of one period that keeps the newest of each metric, at least `keep` of
// them: a day for alarms of 15 minutes is plenty.
func NewMemory(period time.Duration, keep int) *Memory {
	return &Memory{period: period, keep: keep, rings: map[string][]datapoint{}}
}

// Put records the datapoint of the period that starts at start; it can be read from published on. A second Put for the
// same period replaces the first.
func (m *Memory) Put(key string, start time.Time, value float64, published time.Time) {
	ring := m.rings[key]
	if ring == nil {
		ring = make([]datapoint, m.keep)
		for i := range ring {
			ring[i].published = math.MaxInt64 // not there yet
		}
		m.rings[key] = ring
	}
	number := periodNumber(start, m.period)
	ring[place(number, ring)] = datapoint{number: number, published: published.UnixNano(), value: value}
}

// Read implements [Metrics]. Another period than the store's has no datapoints.
func (m *Memory) Read(key string, from time.Time, period time.Duration, at time.Time, values []float64) {
	ring, number, now := m.rings[key], periodNumber(from, m.period), at.UnixNano()
	for i := range values {
		values[i] = math.NaN()
		if ring == nil || period != m.period {
			continue
		}
		if d := ring[place(number+int64(i), ring)]; d.number == number+int64(i) && d.published <= now {
			values[i] = d.value
		}
	}
}

// place is where a ring keeps the datapoint of a period.
func place(number int64, ring []datapoint) int64 {
	n := int64(len(ring))
	return (number%n + n) % n
}

// periodNumber counts full periods since the Unix epoch; before it, numbers are negative.
func periodNumber(at time.Time, period time.Duration) int64 {
	number := at.UnixNano() / int64(period)
	if at.UnixNano()%int64(period) < 0 {
		number--
	}
	return number
}

package tracking

import "time"

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
func (m Metric) Key() string { return "" }

// MetricQuery is one line of a metric math request: either a metric or an expression over the other lines.
type MetricQuery struct {
	ID         string
	Expression string  // empty for a metric
	Metric     *Metric // nil for an expression
	Label      string
	ReturnData bool // true on exactly one line: the series that is tracked
}

// Metrics is what the engine reads datapoints from.
type Metrics interface {
	// Read fills values[i] with the datapoint of the period that starts at from + i*period, as it could be read at the
	// moment at, or NaN where there was none yet. Key is [Metric.Key].
	Read(key string, from time.Time, period time.Duration, at time.Time, values []float64)
}

// Memory is a [Metrics] that keeps the newest datapoints of each metric together with when they became readable.
type Memory struct{}

// NewMemory returns a store for datapoints of one period that keeps the newest `keep` of each metric.
func NewMemory(period time.Duration, keep int) *Memory { return nil }

// Put records the datapoint of the period that starts at start; it can be read from published on. A second Put for the
// same period replaces the first.
func (m *Memory) Put(key string, start time.Time, value float64, published time.Time) {}

// Read implements [Metrics].
func (m *Memory) Read(key string, from time.Time, period time.Duration, at time.Time, values []float64) {
}

// SingleMetric is the request for one metric without math.
func SingleMetric(m Metric) []MetricQuery {
	return []MetricQuery{{ID: "m1", Metric: &m, ReturnData: true}}
}

// PredefinedMetric returns the request behind a predefined metric of an ECS service: ECSServiceAverageCPUUtilization or
// ECSServiceAverageMemoryUtilization. Any other name is an error.
func PredefinedMetric(name, resourceID string) ([]MetricQuery, error) { return nil, nil }

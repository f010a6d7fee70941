package monitoring

import (
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// reading is what a key of tracking.Metric stands for.
type reading struct {
	metric metric
	unit   string
	stat   statistic
}

// Track makes a metric known, so that [Server.Read] can answer for its key.
func (s *Server) Track(queries []tracking.MetricQuery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range queries {
		if q.Metric == nil {
			continue
		}
		stat, ok := parseStatistic(q.Metric.Stat)
		if !ok {
			stat = basic["Average"]
		}
		dimensions := make([]dimension, len(q.Metric.Dimensions))
		for i, d := range q.Metric.Dimensions {
			dimensions[i] = dimension{d.Name, d.Value}
		}
		m := newMetric(q.Metric.Namespace, q.Metric.Name, dimensions...)
		s.keys[q.Metric.Key()] = reading{m, q.Metric.Unit, stat}
	}
}

// Read implements tracking.Metrics over the stored metrics, with their publication times. A key that was not passed
// to [Server.Track] has no datapoints.
func (s *Server) Read(key string, from time.Time, period time.Duration, at time.Time, out []float64) {
	s.mu.Lock()
	r, known := s.keys[key]
	s.mu.Unlock()
	for i := range out {
		out[i] = math.NaN()
	}
	if !known {
		return
	}
	copy(out, values(s.store.read(window{
		metric: r.metric, unit: r.unit, period: period, now: at,
		from: from, to: from.Add(time.Duration(len(out)) * period),
	}), r.stat))
}

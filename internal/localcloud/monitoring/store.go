package monitoring

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// What CloudWatch keeps: datapoints finer than a minute for 3 hours, minutes for 15 days. Counted in periods, so that
// a scaled world forgets at its own pace and needs no more memory.
const (
	finePeriods = 3 * 60
	keptPeriods = 15 * 24 * 60
)

// metric names a metric without a statistic.
type metric struct {
	namespace, name string
	dimensions      []dimension // sorted by name
}

type dimension struct{ name, value string }

func newMetric(namespace, name string, dimensions ...dimension) metric {
	d := slices.Clone(dimensions)
	slices.SortFunc(d, func(a, b dimension) int { return cmp.Compare(a.name, b.name) })
	return metric{namespace, name, d}
}

func (m metric) key() string {
	var b strings.Builder
	b.WriteString(m.namespace + "\x00" + m.name)
	for _, d := range m.dimensions {
		b.WriteString("\x00" + d.name + "\x01" + d.value)
	}
	return b.String()
}

// bucket is the sample of one stretch of time, and from when it can be read.
type bucket struct {
	start     int64 // ms
	published int64 // ms
	sample    sample
}

// stream holds the buckets of one resolution, sorted by start.
type stream struct {
	width   int64 // ms
	keep    int64 // ms
	buckets []bucket
}

func (s *stream) add(at, published int64, v sample, now int64) {
	start := floor(at, s.width)
	i, found := slices.BinarySearchFunc(s.buckets, start,
		func(b bucket, t int64) int { return cmp.Compare(b.start, t) })
	if found {
		s.buckets[i].sample.merge(v)
		s.buckets[i].published = min(s.buckets[i].published, published)
	} else {
		b := bucket{start: start, published: published}
		b.sample.merge(v)
		s.buckets = slices.Insert(s.buckets, i, b)
	}
	s.forget(now)
}

// forget drops what is too old, in strides so that it costs little.
func (s *stream) forget(now int64) {
	const stride = 64
	if len(s.buckets) <= stride || s.buckets[stride].start >= now-s.keep {
		return
	}
	n, _ := slices.BinarySearchFunc(s.buckets, now-s.keep,
		func(b bucket, t int64) int { return cmp.Compare(b.start, t) })
	s.buckets = slices.Delete(s.buckets, 0, n)
}

// between returns the buckets that start in [from, to).
func (s *stream) between(from, to int64) []bucket {
	by := func(b bucket, t int64) int { return cmp.Compare(b.start, t) }
	i, _ := slices.BinarySearchFunc(s.buckets, from, by)
	j, _ := slices.BinarySearchFunc(s.buckets, to, by)
	return s.buckets[i:max(i, j)]
}

// series is everything known of one metric: for each unit a fine and a coarse stream.
type series struct {
	metric metric
	units  map[string]*[2]stream
	last   int64 // newest datapoint, ms
}

// store keeps the metrics of one account and region. It is safe for concurrent use.
type store struct {
	period time.Duration // the coarse resolution: 60 s on AWS

	mu     sync.Mutex
	series map[string]*series
}

func newStore(period time.Duration) *store {
	return &store{period: period, series: map[string]*series{}}
}

// datum is one contribution to a metric.
type datum struct {
	metric    metric
	unit      string // "" means None
	at        time.Time
	published time.Time     // from when it can be read
	width     time.Duration // resolution wanted; at most the store's period
	sample    sample
}

// put adds contributions.
func (s *store) put(now time.Time, data ...datum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range data {
		key := d.metric.key()
		one := s.series[key]
		if one == nil {
			one = &series{metric: d.metric, units: map[string]*[2]stream{}}
			s.series[key] = one
		}
		unit := cmp.Or(d.unit, "None")
		streams := one.units[unit]
		if streams == nil {
			period := s.period.Milliseconds()
			streams = &[2]stream{
				{width: min(1000, period), keep: finePeriods * period},
				{width: period, keep: keptPeriods * period},
			}
			one.units[unit] = streams
		}
		at, published := d.at.UnixMilli(), d.published.UnixMilli()
		one.last = max(one.last, at)
		streams[0].add(floor(at, max(1, d.width.Milliseconds())), published, d.sample, now.UnixMilli())
		streams[1].add(at, published, d.sample, now.UnixMilli())
	}
}

// window asks for a metric in buckets of a period that start at from, from+period, ... before to.
type window struct {
	metric   metric
	unit     string // "" means any
	from, to time.Time
	period   time.Duration
	now      time.Time // as it could be read then
}

// read returns one sample a bucket (count 0: no data).
func (s *store) read(w window) []sample {
	period := w.period.Milliseconds()
	from, to := w.from.UnixMilli(), w.to.UnixMilli()
	if period <= 0 || to <= from {
		return nil
	}
	out := make([]sample, (to-from+period-1)/period)
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.series[w.metric.key()]
	if one == nil {
		return out
	}
	now := w.now.UnixMilli()
	for unit, streams := range one.units {
		if w.unit != "" && w.unit != unit {
			continue
		}
		source := &streams[1]
		if w.period < s.period {
			source = &streams[0]
		}
		for _, b := range source.between(max(from, now-source.keep), to) {
			if b.published <= now {
				out[(b.start-from)/period].merge(b.sample)
			}
		}
	}
	return out
}

// units returns the units in which a metric was put, sorted.
func (s *store) units(m metric) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.series[m.key()]
	if one == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(one.units))
}

// list returns the metrics for which keep is true and that had a datapoint since the given time, sorted.
func (s *store) list(since time.Time, keep func(metric) bool) []metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []metric
	for _, one := range s.series {
		if one.last >= since.UnixMilli() && keep(one.metric) {
			out = append(out, one.metric)
		}
	}
	slices.SortFunc(out, func(a, b metric) int { return cmp.Compare(a.key(), b.key()) })
	return out
}

func floor(at, width int64) int64 { return at - ((at%width)+width)%width }

// values applies a statistic to samples; NaN where there is none.
func values(samples []sample, stat statistic) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		v, ok := stat(s)
		if s.count == 0 || !ok {
			v = math.NaN()
		}
		out[i] = v
	}
	return out
}

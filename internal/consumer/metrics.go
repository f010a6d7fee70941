package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Names of the metrics. docs/worker-contract.md says what each means.
const (
	MetricDuration    = "MsgProcessingDuration"
	MetricWait        = "MsgWait"
	MetricWithinDelay = "MsgWithinDelay"
	MetricFailed      = "MsgFailed"
	MetricSetAside    = "MsgSetAside"
	MetricLeaseLost   = "MsgLeaseLost"
	MetricSlotsBusy   = "SlotsBusy"
)

const (
	periodsKept  = 15               // periods that could not be sent are kept for so many more
	datumsOfCall = 1000             // CloudWatch's limit
	valuesOfCall = 20000            // keeps a request below CloudWatch's 1 MB
	putTimeout   = 10 * time.Second // of one call
)

// A meter adds up what happens in the current period.
type meter struct {
	promise time.Duration

	mu        sync.Mutex
	start     time.Time // of what is added up: the later of the period's start and the consumer's
	current   tally
	busy      int
	busySince time.Time // the last change of busy
}

// A tally is what one period came to.
type tally struct {
	duration, wait      histogram
	within, beyond      float64
	failed, aside, lost float64
	busySeconds         float64 // slots busy, times seconds
}

func newMeter(promise time.Duration) *meter {
	now := time.Now()
	return &meter{promise: promise, start: now, busySince: now}
}

// begin notes that a handler begins to work on a message: how long that waited, if this is its first delivery, and how
// many slots are busy from now on.
func (m *meter) begin(msg Message, now time.Time, busy int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.occupy(now, busy)
	if msg.ReceiveCount != 1 || msg.SentAt.IsZero() {
		return
	}
	wait := max(now.Sub(msg.SentAt), 0)
	m.current.wait.add(wait.Seconds())
	if wait <= m.promise {
		m.current.within++
	} else {
		m.current.beyond++
	}
}

// end notes that a handler has ended: how long it took, if it ran to its own end, and how many slots are busy now.
func (m *meter) end(now time.Time, took time.Duration, whole bool, busy int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.occupy(now, busy)
	if whole {
		m.current.duration.add(max(took, 0).Seconds())
	}
}

// occupy adds up how long how many slots were busy. The caller holds mu.
func (m *meter) occupy(now time.Time, busy int) {
	m.current.busySeconds += float64(m.busy) * now.Sub(m.busySince).Seconds()
	m.busy, m.busySince = busy, now
}

func (m *meter) failed()    { m.count(func(t *tally) { t.failed++ }) }
func (m *meter) setAside()  { m.count(func(t *tally) { t.aside++ }) }
func (m *meter) leaseLost() { m.count(func(t *tally) { t.lost++ }) }

func (m *meter) count(what func(*tally)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	what(&m.current)
}

// cut ends the period and returns what it came to, as data of the given time.
func (m *meter) cut(timestamp time.Time, dimensions []types.Dimension) []types.MetricDatum {
	m.mu.Lock()
	now := time.Now()
	m.occupy(now, m.busy)
	length := now.Sub(m.start).Seconds()
	done := m.current
	m.current, m.start = tally{}, now
	m.mu.Unlock()

	p := plot{timestamp: timestamp, dimensions: dimensions}
	p.histogram(MetricDuration, types.StandardUnitSeconds, done.duration)
	p.histogram(MetricWait, types.StandardUnitSeconds, done.wait)
	if done.within+done.beyond > 0 {
		p.add(MetricWithinDelay, types.StandardUnitCount, []float64{0, 1}, []float64{done.beyond, done.within})
	}
	p.one(MetricFailed, done.failed)
	p.one(MetricSetAside, done.aside)
	p.one(MetricLeaseLost, done.lost)
	if length > 0 {
		p.one(MetricSlotsBusy, done.busySeconds/length)
	}
	return p.data
}

// A plot collects data of one time.
type plot struct {
	timestamp  time.Time
	dimensions []types.Dimension
	data       []types.MetricDatum
}

func (p *plot) one(name string, value float64) {
	p.add(name, types.StandardUnitCount, []float64{value}, []float64{1})
}

func (p *plot) histogram(name string, unit types.StandardUnit, h histogram) {
	values, counts := h.values()
	for part := range slices.Chunk(values, maxValues) {
		p.add(name, unit, part, counts[:len(part)])
		counts = counts[len(part):]
	}
}

// add leaves out values that were never seen.
func (p *plot) add(name string, unit types.StandardUnit, values, counts []float64) {
	d := types.MetricDatum{
		MetricName: aws.String(name),
		Dimensions: p.dimensions,
		Timestamp:  aws.Time(p.timestamp),
		Unit:       unit,
	}
	for i, count := range counts {
		if count > 0 {
			d.Values, d.Counts = append(d.Values, values[i]), append(d.Counts, count)
		}
	}
	p.data = append(p.data, d)
}

// A publisher sends the meter's periods to CloudWatch, one call a period. What cannot be sent is kept, with its
// timestamp, for 15 periods. Nothing that happens here reaches a message: the meter only adds up numbers in memory.
type publisher struct {
	api        metricsAPI
	meter      *meter
	namespace  string
	dimensions []types.Dimension
	period     time.Duration
	news       *news

	unsent []unsentPeriod
}

type unsentPeriod struct {
	start time.Time
	data  []types.MetricDatum
}

func newPublisher(c Config, m *meter) *publisher {
	return &publisher{
		api: c.CloudWatch, meter: m, namespace: c.MetricNamespace, period: c.MetricPeriod,
		dimensions: []types.Dimension{
			{Name: aws.String("Type"), Value: aws.String(c.MetricType)},
			{Name: aws.String("QueueName"), Value: aws.String(c.QueueName)},
		},
		news: newNews(c.Log, slog.LevelWarn, "publish metrics"),
	}
}

// run publishes each period soon after its end, until ctx ends; then what there is of the last. Calls may go on until
// last ends: one that were broken off might have had its effect, and count twice when it is repeated. The pause before
// a call is random, so that the tasks of a service do not all call in the same moment.
func (p *publisher) run(ctx context.Context, last context.Context) {
	for {
		start := time.Now().Truncate(p.period)
		if sleep(ctx, time.Until(start.Add(p.period))) != nil {
			p.close(start)
			p.send(last)
			return
		}
		p.close(start)
		if sleep(ctx, p.period/10-jitter(p.period/10, 1)) == nil {
			p.send(last)
		}
	}
}

// close cuts the period and forgets those that are too old to be sent.
func (p *publisher) close(start time.Time) {
	p.unsent = append(p.unsent, unsentPeriod{start, p.meter.cut(start, p.dimensions)})
	if n := len(p.unsent) - 1 - periodsKept; n > 0 {
		p.unsent = slices.Delete(p.unsent, 0, n)
	}
}

// send sends what has not been sent, oldest first, in as few calls as the limits allow.
func (p *publisher) send(ctx context.Context) {
	for len(p.unsent) > 0 {
		var data []types.MetricDatum
		n, values := 0, 0
		for _, period := range p.unsent {
			for _, d := range period.data {
				values += len(d.Values)
			}
			if n > 0 && (values > valuesOfCall || len(data)+len(period.data) > datumsOfCall) {
				break
			}
			data = append(data, period.data...)
			n++
		}
		err := p.put(ctx, data)
		if ctx.Err() == nil {
			p.news.tell(err)
		}
		if err != nil {
			return
		}
		p.unsent = slices.Delete(p.unsent, 0, n)
	}
}

// put makes one call. Even a panic of the client stays here.
func (p *publisher) put(ctx context.Context, data []types.MetricDatum) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the metrics client panicked: %v", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	_, err = p.api.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: &p.namespace, MetricData: data})
	return err
}

// sleep waits for d; an error if ctx ended first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

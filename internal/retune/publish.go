package retune

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Names of the metrics that a retune publishes.
const (
	backlogTargetMetric = "ecsTargetBPI"               // messages per task
	rateTargetMetric    = "ecsTargetRPI"               // messages sent per period per task
	measuredMetric      = "MeasuredProcessingDuration" // seconds, mean
	measuredP95Metric   = "MeasuredProcessingP95"      // seconds
	promiseMetric       = "PromiseKept"                // percent
	driftRetunesMetric  = "RetunesOnDrift"             // 1 for each that drift started
	restoredMetric      = "RetunesTakenBack"           // 1 for each that made things worse
)

// PublishRequest is the input of the steps Publish and Publish Restore. What did not happen is nil.
type PublishRequest struct {
	Measurement Measurement `json:"measurement"`
	Outcome     string      `json:"outcome"`
	Summary     string      `json:"summary"`
	Decision    *Decision   `json:"decision"`
	Applied     *Applied    `json:"applied"`
	Comparison  *Comparison `json:"comparison"`
	Restored    *Applied    `json:"restored"`
}

// Published is the output of the steps Publish and Publish Restore.
type Published struct {
	Record    *Record `json:"record"`    // as it was written; nil if it was not
	Parameter string  `json:"parameter"` // where it is
	Again     bool    `json:"again"`     // the duration is still far off: another retune is due soon
}

type metricsWriter interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.PutMetricDataOutput, error)
}

type parameterWriter interface {
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Publisher makes a run known, whatever came out of it.
type Publisher struct {
	Metrics         metricsWriter
	Parameters      parameterWriter
	Log             runWriter
	Source          MetricSource // of which Namespace, Type and Queue are used
	TuningParameter string
	RunLog          string // name of the log group of the runs
	DriftRule       DriftRule
	Alone           bool // retunes start by hand only: none is scheduled
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Publish writes the tuning record if something changed, then the metrics and the line of this run, which every run
// has: the targets in force are known at each run, also at one that keeps them or only tries. Done twice, it leaves the
// same record.
func (p Publisher) Publish(ctx context.Context, request PublishRequest) (Published, error) {
	out := Published{Parameter: p.TuningParameter, Again: !p.Alone && request.again(p.DriftRule)}
	if record := request.record(); record != nil {
		if err := p.write(ctx, *record); err != nil {
			return Published{}, err
		}
		out.Record = record
	}
	_, err := p.Metrics.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(p.Source.Namespace), MetricData: p.metrics(request),
	})
	if err != nil {
		return Published{}, fmt.Errorf("publish the metrics of the queue %s: %w", p.Source.Queue, err)
	}
	if err := writeRun(ctx, p.Log, p.RunLog, request.run(clock(p.Now))); err != nil {
		return Published{}, err
	}
	return out, nil
}

func (p Publisher) write(ctx context.Context, record Record) error {
	document, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode the tuning record: %w", err)
	}
	_, err = p.Parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(p.TuningParameter), Value: aws.String(string(document)),
		Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("write the tuning record %s: %w", p.TuningParameter, err)
	}
	return nil
}

// inForce are the settings when the request is made.
func (r PublishRequest) inForce() Settings {
	switch {
	case r.Restored != nil:
		return r.Restored.After
	case r.Applied != nil:
		return r.Applied.After
	}
	return Settings{Targets: r.Measurement.Current, Bounds: r.Measurement.Bounds}
}

// record is the tuning record to write, or nil if the one that there is stays.
func (r PublishRequest) record() *Record {
	m, d := r.Measurement, r.Decision
	if d == nil || r.Applied == nil || r.Applied.Moved || r.Restored != nil && r.Restored.Moved {
		return nil
	}
	record := &Record{
		ProcessingSeconds: d.ProcessingSeconds,
		Samples:           m.Samples,
		MeasuredAt:        m.Window.To,
		Targets:           r.inForce().Targets,
		Promise:           d.Promise,
		HoldUntil:         d.HoldUntil,
		Since:             d.Since,
		Execution:         m.Execution,
	}
	if d.ReferenceSeconds != d.ProcessingSeconds {
		record.ReferenceSeconds = d.ReferenceSeconds
	}
	if old := m.Record; old != nil {
		record.Refused = old.Refused
		if d.By == ByRecord { // what was known stays known: there was too little to measure
			record.Samples, record.MeasuredAt = old.Samples, old.MeasuredAt
			record.ReferenceSeconds = old.ReferenceSeconds
		}
	}
	if r.Restored != nil {
		record.Refused = &Refused{Settings: r.Applied.After, At: r.Restored.At}
	}
	record.Tuning = r.tuning()
	return record
}

// tuning is what the record says about headroom, utilisation and bounds: those chosen by a replay, or nil for those of
// the template.
func (r PublishRequest) tuning() *Tuning {
	m, d, known := r.Measurement, r.Decision, (*Tuning)(nil)
	if m.Record != nil {
		known = m.Record.Tuning
	}
	switch {
	case r.Restored != nil, d.By == ByHand, d.By == ByRecord:
		return known
	case d.By == ByReplay, d.By == ByFormula && m.Choice == ByReplay && known != nil:
		return &d.Tuning
	}
	return nil
}

// again tells whether another retune is due soon, because the duration is still far from what the targets are made for.
func (r PublishRequest) again(rule DriftRule) bool {
	switch m := r.Measurement; {
	case m.DryRun || r.Restored != nil || r.Applied != nil && r.Applied.Moved:
		return false
	case m.Rollout.InProgress:
		return m.Reason == ReasonDrift // there was nothing to measure yet
	case r.Decision != nil && r.Decision.By != ByRecord:
		return r.Decision.StillOutside
	case m.Record != nil && m.Record.HoldUntil != "":
		if _, held := m.Record.Holds(m.Window.To); held {
			return false
		}
		fallthrough
	default: // too few samples
		return m.Drift.Since != nil && rule.still(m.Drift, m.Drift.ReferenceSeconds)
	}
}

func (p Publisher) metrics(request PublishRequest) []cwtypes.MetricDatum {
	datum := func(name string, value float64, unit cwtypes.StandardUnit) cwtypes.MetricDatum {
		return cwtypes.MetricDatum{
			MetricName: aws.String(name), Value: aws.Float64(value), Unit: unit,
			Dimensions: []cwtypes.Dimension{dimension("Type", p.Source.Type), dimension("QueueName", p.Source.Queue)},
		}
	}
	settings, m := request.inForce(), request.Measurement
	data := []cwtypes.MetricDatum{
		datum(backlogTargetMetric, settings.Backlog, cwtypes.StandardUnitCount),
		datum(rateTargetMetric, settings.Rate, cwtypes.StandardUnitCount),
	}
	if request.Restored != nil {
		return append(data, datum(restoredMetric, 1, cwtypes.StandardUnitCount))
	}
	if m.Samples > 0 {
		data = append(data, datum(measuredMetric, m.ProcessingSeconds, cwtypes.StandardUnitSeconds))
	}
	if p95, known := m.ProcessingQuantiles["p95"]; known {
		data = append(data, datum(measuredP95Metric, p95, cwtypes.StandardUnitSeconds))
	}
	if kept := m.PromiseKeptPercent; kept != nil {
		data = append(data, datum(promiseMetric, *kept, cwtypes.StandardUnitPercent))
	}
	if m.Reason == ReasonDrift {
		data = append(data, datum(driftRetunesMetric, 1, cwtypes.StandardUnitCount))
	}
	return data
}

package retune

import (
	"context"
	"encoding/json"
	"fmt"

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
	measuredMetric      = "MeasuredProcessingDuration" // seconds
	promiseMetric       = "PromiseKept"                // percent
)

// PublishRequest is the input of the step Publish Record.
type PublishRequest struct {
	Measurement Measurement `json:"measurement"`
	Decision    Decision    `json:"decision"`
	Applied     Applied     `json:"applied"`
}

// Published is the output of the step Publish Record.
type Published struct {
	Record    Record `json:"record"`
	Parameter string `json:"parameter"` // where it was written
}

type metricsWriter interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.PutMetricDataOutput, error)
}

type parameterWriter interface {
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Publisher makes a change known.
type Publisher struct {
	Metrics         metricsWriter
	Parameters      parameterWriter
	Source          MetricSource // of which Namespace, Type and Queue are used
	TuningParameter string
}

// Publish writes the tuning record, then the metrics. Done twice, it leaves the same record.
func (p Publisher) Publish(ctx context.Context, request PublishRequest) (Published, error) {
	record := request.record()
	document, err := json.Marshal(record)
	if err != nil {
		return Published{}, fmt.Errorf("encode the tuning record: %w", err)
	}
	_, err = p.Parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(p.TuningParameter), Value: aws.String(string(document)),
		Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return Published{}, fmt.Errorf("write the tuning record %s: %w", p.TuningParameter, err)
	}
	_, err = p.Metrics.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(p.Source.Namespace), MetricData: p.metrics(request),
	})
	if err != nil {
		return Published{}, fmt.Errorf("publish the metrics of the queue %s: %w", p.Source.Queue, err)
	}
	return Published{Record: record, Parameter: p.TuningParameter}, nil
}

func (r PublishRequest) record() Record {
	record := Record{
		ProcessingSeconds: r.Decision.ProcessingSeconds,
		Samples:           r.Measurement.Samples,
		MeasuredAt:        r.Measurement.Window.To,
		Targets:           r.Applied.After,
		Promise:           r.Decision.Promise,
		Execution:         r.Measurement.Execution,
	}
	if r.Measurement.Record != nil {
		record.HoldUntil = r.Measurement.Record.HoldUntil
	}
	return record
}

func (p Publisher) metrics(request PublishRequest) []cwtypes.MetricDatum {
	datum := func(name string, value float64, unit cwtypes.StandardUnit) cwtypes.MetricDatum {
		return cwtypes.MetricDatum{
			MetricName: aws.String(name), Value: aws.Float64(value), Unit: unit,
			Dimensions: []cwtypes.Dimension{dimension("Type", p.Source.Type), dimension("QueueName", p.Source.Queue)},
		}
	}
	data := []cwtypes.MetricDatum{
		datum(backlogTargetMetric, request.Applied.After.Backlog, cwtypes.StandardUnitCount),
		datum(rateTargetMetric, request.Applied.After.Rate, cwtypes.StandardUnitCount),
		datum(measuredMetric, request.Measurement.ProcessingSeconds, cwtypes.StandardUnitSeconds),
	}
	if kept := request.Measurement.PromiseKeptPercent; kept != nil {
		data = append(data, datum(promiseMetric, *kept, cwtypes.StandardUnitPercent))
	}
	return data
}

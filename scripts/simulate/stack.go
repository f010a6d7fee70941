package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/awsconfig"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/choice"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// deployed is a stack as far as a simulation of it needs to know it. A stack of a scaled world (a metric period other
// than 60 s, on the local engine) is told in the time of the world outside: everything times scale.
type deployed struct {
	name, queue, cluster, service string
	parameters                    map[string]string
	period                        time.Duration // of the metrics, as CloudWatch has them
	scale                         float64
}

// fromStack makes a load of what CloudWatch measured of a stack, and takes over the stack's parameters where no flag
// says otherwise.
func fromStack(ctx context.Context, screen *terminal.Screen, o *options) (*simulation.Load, string, error) {
	config, err := awsconfig.Load(ctx, o.local)
	if err != nil {
		return nil, "", err
	}
	found, err := describe(ctx, cloudformation.NewFromConfig(config), o.stack)
	if err != nil {
		return nil, "", err
	}
	if err := found.adopt(o); err != nil {
		return nil, "", err
	}
	screen.Printf("reading the last %.3g days of queue %s from CloudWatch", o.days, found.queue)
	m, err := measure(
		ctx,
		cloudwatch.NewFromConfig(config),
		found,
		time.Now(),
		time.Duration(o.days*24*float64(time.Hour)),
	)
	if err != nil {
		return nil, "", err
	}
	load, err := m.window.Load(o.stack, o.seed)
	if err != nil {
		return nil, "", fmt.Errorf(
			"stack %s: %w; let it work for a while, or look further back with -days",
			o.stack,
			err,
		)
	}
	if o.processing == 0 {
		o.processing = firstDurations(load)
	}
	return load, m.words(), nil
}

func describe(ctx context.Context, client *cloudformation.Client, name string) (deployed, error) {
	outputs, err := stack.Describe(ctx, client, name)
	if err != nil {
		return deployed{}, err
	}
	d := deployed{name: name, parameters: map[string]string{}}
	for key, target := range map[string]*string{
		"QueueName": &d.queue, "ClusterName": &d.cluster, "ServiceName": &d.service,
	} {
		if *target, err = outputs.Get(key); err != nil {
			return d, err
		}
	}
	page, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return d, fmt.Errorf("describe stack %q: %w", name, err)
	}
	for _, s := range page.Stacks {
		for _, p := range s.Parameters {
			d.parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
		}
	}
	seconds, err := d.number("MetricPeriodSeconds", 60)
	if err != nil {
		return d, err
	}
	if seconds < 1 || seconds != math.Trunc(seconds) {
		return d, fmt.Errorf(
			"stack %s has a metric period of %v s; whole seconds can be read from CloudWatch",
			name,
			seconds,
		)
	}
	d.period, d.scale = inSeconds(seconds), 60/seconds
	return d, nil
}

func (d deployed) number(parameter string, otherwise float64) (float64, error) {
	text, ok := d.parameters[parameter]
	if !ok {
		return otherwise, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("stack %s: parameter %s is %q, not a number", d.name, parameter, text)
	}
	return value, nil
}

// adopt takes over the parameters of the stack for which no flag was given.
func (d deployed) adopt(o *options) error {
	var failed []error
	take := func(flag, parameter string, times float64, set func(float64)) {
		value, err := d.number(parameter, math.NaN())
		failed = append(failed, err)
		if !o.given[flag] && !math.IsNaN(value) {
			set(value * times)
		}
	}
	take("delay", "AcceptableDelaySeconds", d.scale, func(v float64) { o.delay = inSeconds(v) })
	take("headroom", "Headroom", 1, func(v float64) { o.tuning.Headroom = v })
	take("utilization", "Utilization", 1, func(v float64) { o.tuning.Utilization = v })
	take(
		"out-cooldown",
		"ScaleOutCooldownSeconds",
		d.scale,
		func(v float64) { o.tuning.ScaleOutCooldown = inSeconds(v) },
	)
	take(
		"in-cooldown",
		"ScaleInCooldownSeconds",
		d.scale,
		func(v float64) { o.tuning.ScaleInCooldown = inSeconds(v) },
	)
	take("concurrency", "WorkerConcurrency", 1, func(v float64) { o.concurrency = int(v) })
	take("min", "MinTasks", 1, func(v float64) { o.bounds.Min = int(v) })
	take("max", "MaxTasks", 1, func(v float64) { o.bounds.Max = int(v) })
	take("", "TaskCpu", 1.0/1024, func(v float64) { o.assume.Prices.TaskVCPU = v })
	take("", "TaskMemory", 1.0/1024, func(v float64) { o.assume.Prices.TaskGB = v })
	take("", "SpotShare", 0.01, func(v float64) { o.assume.SpotShare = v })
	return errors.Join(failed...)
}

// measurement is what CloudWatch told.
type measurement struct {
	window    choice.Window
	length    time.Duration // in the time of the world outside
	messages  float64
	kept      float64 // percent, NaN if it was not measured
	taskHours float64 // NaN likewise
}

func (m measurement) words() string {
	text := fmt.Sprintf("Measured in the last %.3g hours: %.0f messages", m.length.Hours(), m.messages)
	if !math.IsNaN(m.kept) {
		text += fmt.Sprintf(", %.4g %% of them within the delay", m.kept)
	}
	if !math.IsNaN(m.taskHours) {
		text += fmt.Sprintf(", %.4g task-hours", m.taskHours)
	}
	return text + "."
}

type metricReader interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (
		*cloudwatch.GetMetricDataOutput, error)
}

// defaultCV of durations whose percentiles CloudWatch does not tell.
const defaultCV = 0.5

// measure reads the window that ends now, from the first period in which anything was sent.
func measure(
	ctx context.Context,
	client metricReader,
	d deployed,
	now time.Time,
	window time.Duration,
) (measurement, error) {
	to := now.Truncate(d.period)
	from := to.Add(-time.Duration(float64(window) / d.scale)).Truncate(d.period)
	series, err := d.read(ctx, client, from, to)
	if err != nil {
		return measurement{}, err
	}
	n := int(to.Sub(from) / d.period)
	first := 0
	for first < n && !(series["sent"][first] > 0) {
		first++
	}
	if first == n {
		return measurement{}, fmt.Errorf("stack %s: CloudWatch has no message sent to queue %s since %s",
			d.name, d.queue, from.Format(time.DateTime))
	}
	for id := range series {
		series[id] = series[id][first:]
	}
	return d.summarise(series)
}

func (d deployed) summarise(series map[string][]float64) (measurement, error) {
	outside := time.Duration(float64(d.period) * d.scale)
	n := len(series["sent"])
	m := measurement{length: time.Duration(n) * outside, kept: math.NaN(), taskHours: math.NaN()}
	m.window = choice.Window{
		Period:     outside,
		Sent:       series["sent"],
		CV:         defaultCV,
		Processing: make([]time.Duration, n),
	}
	var work, samples, within, told, tasks, counted float64
	for i := range n {
		m.messages += orZero(series["sent"][i])
		if s := orZero(series["samples"][i]); s > 0 {
			work, samples = work+s*series["mean"][i], samples+s
			m.window.Processing[i] = inSeconds(series["mean"][i] * d.scale)
			within, told = within+s*orZero(series["within"][i]), told+s*present(series["within"][i])
		}
		tasks, counted = tasks+orZero(series["tasks"][i]), counted+present(series["tasks"][i])
	}
	if samples == 0 {
		return m, fmt.Errorf("stack %s: the worker has not measured a message (metric MsgProcessingDuration)", d.name)
	}
	m.window.Mean = inSeconds(work / samples * d.scale)
	if told > 0 {
		m.kept = 100 * within / told
	}
	if counted > 0 {
		m.taskHours = tasks / counted * m.length.Hours()
	}
	if cv := spreadOf(series["median"], series["p90"]); !math.IsNaN(cv) {
		m.window.CV = cv
	}
	return m, nil
}

// spreadOf is the coefficient of variation of a lognormal with these medians and 90th percentiles.
func spreadOf(median, p90 []float64) float64 {
	sum, n := 0.0, 0.0
	for i := range median {
		if median[i] > 0 && p90[i] >= median[i] {
			const z90 = 1.2816
			sigma := math.Log(p90[i]/median[i]) / z90
			sum, n = sum+sigma*sigma, n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return math.Sqrt(math.Expm1(sum / n))
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func present(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return 1
}

// read fetches all series, with NaN where CloudWatch has no datapoint.
func (d deployed) read(
	ctx context.Context, client metricReader, from, to time.Time,
) (map[string][]float64, error) {
	queries := d.queries()
	series := map[string][]float64{}
	for _, q := range queries {
		values := make([]float64, int(to.Sub(from)/d.period))
		for i := range values {
			values[i] = math.NaN()
		}
		series[aws.ToString(q.Id)] = values
	}
	input := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to, MetricDataQueries: queries,
		ScanBy: types.ScanByTimestampAscending}
	for {
		page, err := client.GetMetricData(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("read the metrics of queue %s: %w", d.queue, err)
		}
		for _, result := range page.MetricDataResults {
			values := series[aws.ToString(result.Id)]
			for k, at := range result.Timestamps {
				if i := int(at.Sub(from) / d.period); i >= 0 && i < len(values) {
					values[i] = result.Values[k]
				}
			}
		}
		if aws.ToString(page.NextToken) == "" {
			return series, nil
		}
		input.NextToken = page.NextToken
	}
}

func (d deployed) queries() []types.MetricDataQuery {
	query := func(id, namespace, name, stat string, dimensions ...string) types.MetricDataQuery {
		metric := &types.Metric{Namespace: &namespace, MetricName: &name}
		for i := 0; i < len(dimensions); i += 2 {
			metric.Dimensions = append(metric.Dimensions,
				types.Dimension{Name: &dimensions[i], Value: &dimensions[i+1]})
		}
		return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Metric: metric, Period: aws.Int32(int32(d.period / time.Second)), Stat: &stat,
		}}
	}
	worker := func(id, name, stat string) types.MetricDataQuery {
		return query(id, "ECS-SQS-BPI", name, stat, "Type", "Single-Queue", "QueueName", d.queue)
	}
	return []types.MetricDataQuery{
		query("sent", "AWS/SQS", "NumberOfMessagesSent", "Sum", "QueueName", d.queue),
		query(
			"tasks",
			"ECS/ContainerInsights",
			"RunningTaskCount",
			"Average",
			"ClusterName",
			d.cluster,
			"ServiceName",
			d.service,
		),
		worker("mean", "MsgProcessingDuration", "Average"),
		worker("samples", "MsgProcessingDuration", "SampleCount"),
		worker("median", "MsgProcessingDuration", "p50"),
		worker("p90", "MsgProcessingDuration", "p90"),
		worker("within", "MsgWithinDelay", "Average"),
	}
}

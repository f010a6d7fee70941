package retune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// runStream is the log stream that all runs are written to, so that the newest are found at its end.
const runStream = "runs"

// Run is what is kept of an execution for good: one line of JSON in a log group. Step Functions forgets an execution
// after 90 days.
type Run struct {
	At        time.Time `json:"at"`
	Execution string    `json:"execution"` // name
	Reason    string    `json:"reason"`
	Outcome   string    `json:"outcome"`
	By        string    `json:"by,omitempty"` // who chose the settings
	Why       []string  `json:"why"`

	Samples           int      `json:"samples"`
	From              string   `json:"from"` // beginning of the window, RFC 3339
	ProcessingSeconds float64  `json:"processingSeconds"`
	P50Seconds        float64  `json:"p50Seconds,omitempty"`
	P95Seconds        float64  `json:"p95Seconds,omitempty"`
	ArrivalsPerMinute *float64 `json:"arrivalsPerMinute,omitempty"`
	WaitP95Seconds    *float64 `json:"waitP95Seconds,omitempty"`
	PromisePercent    *float64 `json:"promiseKeptPercent,omitempty"`
	Tasks             *float64 `json:"tasks,omitempty"`

	Before Settings `json:"before"`
	After  Settings `json:"after"`
}

func (r PublishRequest) run(now time.Time) Run {
	m := r.Measurement
	run := Run{
		At: now, Execution: nameOf(m.Execution), Reason: m.Reason, Outcome: r.Outcome, Why: []string{},
		Samples: m.Samples, From: m.Window.From.Format(time.RFC3339), ProcessingSeconds: m.ProcessingSeconds,
		P50Seconds: m.ProcessingQuantiles["p50"], P95Seconds: m.ProcessingQuantiles["p95"],
		ArrivalsPerMinute: m.ArrivalsPerMinute, WaitP95Seconds: m.WaitP95Seconds,
		PromisePercent: m.PromiseKeptPercent, Tasks: m.Tasks,
		Before: Settings{Targets: m.Current, Bounds: m.Bounds}, After: r.inForce(),
	}
	if r.Decision != nil {
		run.By, run.Why = r.Decision.By, append(run.Why, r.Decision.Why...)
	} else {
		run.Why = append(run.Why, r.Summary)
	}
	if r.Applied != nil {
		run.Before = r.Applied.Before
		run.Why = append(run.Why, r.Applied.Notes...)
	}
	if r.Comparison != nil {
		run.Why = []string{r.Comparison.Summary}
	}
	if r.Restored != nil {
		run.Before = r.Restored.Before
	}
	return run
}

type runWriter interface {
	PutLogEvents(context.Context, *cloudwatchlogs.PutLogEventsInput, ...func(*cloudwatchlogs.Options)) (
		*cloudwatchlogs.PutLogEventsOutput, error)
	CreateLogStream(context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options)) (
		*cloudwatchlogs.CreateLogStreamOutput, error)
}

// writeRun appends a run to the log. The first one finds no stream and makes it.
func writeRun(ctx context.Context, client runWriter, group string, run Run) error {
	line, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("encode the line of the run: %w", err)
	}
	put := func() error {
		_, err := client.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: &group, LogStreamName: aws.String(runStream),
			LogEvents: []types.InputLogEvent{{
				Message: aws.String(string(line)), Timestamp: aws.Int64(run.At.UnixMilli()),
			}},
		})
		return err
	}
	err = put()
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		_, err = client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{
			LogGroupName: &group, LogStreamName: aws.String(runStream),
		})
		var exists *types.ResourceAlreadyExistsException
		if err == nil || errors.As(err, &exists) {
			err = put()
		}
	}
	if err != nil {
		return fmt.Errorf("write the run to the log group %s: %w", group, err)
	}
	return nil
}

type runReader interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput, ...func(*cloudwatchlogs.Options)) (
		*cloudwatchlogs.GetLogEventsOutput, error)
}

// ReadRuns returns the last runs that were written to the log group, the oldest first, at most so many. A line that is
// no run is left out; a step that was repeated may have written the same run twice, and counts once.
func ReadRuns(ctx context.Context, client runReader, group string, most int) ([]Run, error) {
	var runs []Run
	request := &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &group, LogStreamName: aws.String(runStream), StartFromHead: aws.Bool(false),
		Limit: aws.Int32(int32(min(max(most, 1), 10_000))),
	}
	for len(runs) < most {
		page, err := client.GetLogEvents(ctx, request)
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			return nil, nil // no run yet
		}
		if err != nil {
			return nil, fmt.Errorf("read the runs in the log group %s: %w", group, err)
		}
		older := runsIn(page.Events)
		runs = append(older, runs...)
		if token := aws.ToString(page.NextBackwardToken); token == "" || token == aws.ToString(request.NextToken) {
			break
		}
		request.NextToken = page.NextBackwardToken
	}
	runs = slices.CompactFunc(runs, func(a, b Run) bool { return a.Execution == b.Execution && a.Outcome == b.Outcome })
	return runs[max(0, len(runs)-most):], nil
}

func runsIn(events []types.OutputLogEvent) []Run {
	var runs []Run
	for _, event := range events {
		var run Run
		if json.Unmarshal([]byte(aws.ToString(event.Message)), &run) == nil && run.Execution != "" {
			runs = append(runs, run)
		}
	}
	return runs
}

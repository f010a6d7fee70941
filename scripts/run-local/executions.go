package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"sqs-dynamic-target-tracking/internal/retune"
)

// executed is one execution of a machine, whoever started it.
type executed struct {
	machine       string // for people
	started       time.Time
	status        types.ExecutionStatus
	input, output json.RawMessage
	err, cause    string // of one that failed
}

// executions are those of a machine until now, the oldest first.
func (w *world) executions(ctx context.Context, machine, arn string) ([]executed, error) {
	var all []executed
	pages := sfn.NewListExecutionsPaginator(w.sfn, &sfn.ListExecutionsInput{StateMachineArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the executions of %s: %w", machine, err)
		}
		for _, listed := range page.Executions {
			e, err := w.sfn.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: listed.ExecutionArn})
			if err != nil {
				return nil, fmt.Errorf("describe an execution of %s: %w", machine, err)
			}
			all = append(all, executed{
				machine: machine, started: aws.ToTime(e.StartDate), status: e.Status,
				input: json.RawMessage(aws.ToString(e.Input)), output: json.RawMessage(aws.ToString(e.Output)),
				err: aws.ToString(e.Error), cause: aws.ToString(e.Cause),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b executed) int { return a.started.Compare(b.started) })
	return all, nil
}

// countTable counts how the executions of each machine ended.
func countTable(machines ...[]executed) string {
	rows := [][]string{{"executions", "", ""}}
	for _, executions := range machines {
		ended := map[string]int{}
		for _, e := range executions {
			ended[strings.ToLower(string(e.status))]++
		}
		for _, status := range slices.Sorted(maps.Keys(ended)) {
			rows = append(rows, []string{"  " + executions[0].machine, status, fmt.Sprint(ended[status])})
		}
	}
	return table(rows...)
}

// retuneTable shows the targets before and after each retune, and who started it.
func retuneTable(retunes []executed, at func(time.Time) string) string {
	rows := [][]string{{"retunes", "started for", "backlog per task", "sent per task", "outcome"}}
	change := func(before, after float64) string { return fmt.Sprintf("%.2f → %.2f", before, after) }
	for _, r := range retunes {
		row := []string{"  " + at(r.started), reason(r.input), "", ""}
		outcome, err := retune.ReadOutcome(r.output)
		switch {
		case r.err != "":
			row = append(row, r.err+": "+r.cause)
		case err != nil || r.status == types.ExecutionStatusRunning:
			row = append(row, strings.ToLower(string(r.status)))
		case outcome.Decided == nil:
			row = append(row, outcome.Outcome)
		default:
			before, after := outcome.Decided.Current, outcome.Decided.Targets
			row[2], row[3] = change(before.Backlog, after.Backlog), change(before.Rate, after.Rate)
			row = append(row, outcome.Outcome)
		}
		rows = append(rows, row)
	}
	return table(rows...)
}

// reason is what the input of an execution says of why it was started.
func reason(input json.RawMessage) string {
	var given struct{ Reason string }
	if json.Unmarshal(input, &given) != nil || given.Reason == "" {
		return "–"
	}
	return given.Reason
}

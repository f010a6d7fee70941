package monitoring

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Machines counts the executions of state machines, for the metrics of AWS/States.
type Machines interface {
	// Sample returns the executions that started or ended within [from, to), machine by machine. A machine at rest
	// may be left out.
	Sample(ctx context.Context, from, to time.Time) ([]MachineCounts, error)
}

// MachineCounts are the executions of one state machine in a period.
type MachineCounts struct {
	ARN                                           string
	Started, Succeeded, Failed, TimedOut, Aborted int
	Durations                                     []time.Duration // of those that ended
}

func (s *Server) sampleMachines(ctx context.Context, start, now time.Time) {
	if s.Machines == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, max(sampleTimeout, s.Period/2))
	defer cancel()
	machines, err := s.Machines.Sample(ctx, start, now)
	if err != nil {
		s.Log.Warn("executions were not counted", "error", err)
		return
	}
	var data []datum
	for _, m := range machines {
		dimensions := []dimension{{"StateMachineArn", m.ARN}}
		for name, n := range map[string]int{
			"ExecutionsStarted": m.Started, "ExecutionsSucceeded": m.Succeeded, "ExecutionsFailed": m.Failed,
			"ExecutionsTimedOut": m.TimedOut, "ExecutionsAborted": m.Aborted,
		} {
			data = append(data, s.sampled("AWS/States", name, dimensions, "Count", start, now, single(float64(n))))
		}
		var times sample
		for _, d := range m.Durations {
			times.merge(single(float64(d.Milliseconds())))
		}
		if times.count > 0 {
			data = append(data,
				s.sampled("AWS/States", "ExecutionTime", dimensions, "Milliseconds", start, now, times))
		}
	}
	s.store.put(now, data...)
}

// sfnAPI is what is called of Step Functions.
type sfnAPI interface {
	ListStateMachines(
		context.Context,
		*sfn.ListStateMachinesInput,
		...func(*sfn.Options),
	) (*sfn.ListStateMachinesOutput, error)
	ListExecutions(
		context.Context,
		*sfn.ListExecutionsInput,
		...func(*sfn.Options),
	) (*sfn.ListExecutionsOutput, error)
}

// SFNMachines counts through the Step Functions API: the newest 1000 executions of each machine. AWS lists none of an
// Express machine; the emulator does.
type SFNMachines struct{ api sfnAPI }

// NewSFNMachines returns Machines over a Step Functions client.
func NewSFNMachines(api sfnAPI) *SFNMachines { return &SFNMachines{api} }

// Sample implements [Machines].
func (m *SFNMachines) Sample(ctx context.Context, from, to time.Time) ([]MachineCounts, error) {
	var out []MachineCounts
	pages := sfn.NewListStateMachinesPaginator(m.api, &sfn.ListStateMachinesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing state machines: %w", err)
		}
		for _, machine := range page.StateMachines {
			got, err := m.api.ListExecutions(ctx,
				&sfn.ListExecutionsInput{StateMachineArn: machine.StateMachineArn, MaxResults: 1000})
			if err != nil {
				continue // deleted meanwhile
			}
			if c := count(got.Executions, from, to); c.Started > 0 || len(c.Durations) > 0 {
				c.ARN = aws.ToString(machine.StateMachineArn)
				out = append(out, c)
			}
		}
	}
	return out, ctx.Err()
}

func count(executions []types.ExecutionListItem, from, to time.Time) MachineCounts {
	within := func(t *time.Time) bool { return t != nil && !t.Before(from) && t.Before(to) }
	var c MachineCounts
	for _, e := range executions {
		if within(e.StartDate) {
			c.Started++
		}
		if !within(e.StopDate) {
			continue
		}
		c.Durations = append(c.Durations, e.StopDate.Sub(aws.ToTime(e.StartDate)))
		switch e.Status {
		case types.ExecutionStatusSucceeded:
			c.Succeeded++
		case types.ExecutionStatusFailed:
			c.Failed++
		case types.ExecutionStatusTimedOut:
			c.TimedOut++
		case types.ExecutionStatusAborted:
			c.Aborted++
		case types.ExecutionStatusRunning, types.ExecutionStatusPendingRedrive:
		}
	}
	return c
}

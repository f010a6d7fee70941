package backlog_test

import (
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// A message of 300 ms may wait 10 s: 33 of them can wait behind the one that a task works on.
func ExamplePromise_Targets() {
	promise := backlog.Promise{
		AcceptableDelay: 10 * time.Second, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
	targets, err := promise.Targets(300 * time.Millisecond)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f messages per task, %.0f a minute\n", targets.Backlog, targets.Rate)
	// Output: 34.33 messages per task, 160 a minute
}

// Jobs of 15 minutes cannot be worked off within a delay of one: the target approaches the one message that a task
// works on, and never falls below it.
func ExamplePromise_Targets_longJobs() {
	promise := backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
	targets, err := promise.Targets(900 * time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f messages per task, %.3f a minute\n", targets.Backlog, targets.Rate)
	// Output: 1.067 messages per task, 0.053 a minute
}

// A task that processes 4 messages at once holds 4 times as many.
func ExamplePromise_Targets_concurrency() {
	promise := backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 1, Utilization: 0.8, Concurrency: 4, Period: time.Minute,
	}
	targets, err := promise.Targets(5 * time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%g messages per task, %.4g a minute\n", targets.Backlog, targets.Rate)
	// Output: 52 messages per task, 38.4 a minute
}

// Durations may be fractions of a second. In a world in which everything is 40 times as fast the targets are the same.
func ExamplePromise_Targets_fractions() {
	for _, speed := range []time.Duration{1, 40} {
		promise := backlog.Promise{
			AcceptableDelay: time.Minute / speed,
			Headroom:        1,
			Utilization:     0.8,
			Concurrency:     1,
			Period:          time.Minute / speed,
		}
		targets, err := promise.Targets(5 * time.Second / speed)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("delay %v: %v\n", promise.AcceptableDelay, targets.Rounded())
	}
	// Output:
	// delay 1m0s: {13 9.6}
	// delay 1.5s: {13 9.6}
}

// A duration of 0 cannot be divided by, and is no duration.
func ExamplePromise_Targets_zeroDuration() {
	promise := backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
	_, err := promise.Targets(0)
	fmt.Println(err)
	// Output: processing duration is 0s; allowed: more than 0s
}

// Without a task, messages are divided as if there were one.
func ExamplePerTask() {
	for _, tasks := range []int{3, 1, 0} {
		perTask, err := backlog.PerTask(12, tasks)
		fmt.Println(tasks, "tasks:", perTask, err)
	}
	// Output:
	// 3 tasks: 4 <nil>
	// 1 tasks: 12 <nil>
	// 0 tasks: 12 <nil>
}

// Messages turned out to take 1 s rather than 5 s. The rate target goes only part of the way in one run.
func ExampleRails_Propose() {
	promise := backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
	rails := backlog.Rails{MinimumSamples: 30, MaximumFactor: 4, DeadBand: 0.05}
	proposal, err := rails.Propose(promise, backlog.Targets{Backlog: 13, Rate: 9.6},
		backlog.Reading{Samples: 1000, Mean: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(proposal.Change, proposal.Targets, "wanted", proposal.Wanted)
	for _, bound := range proposal.Bounds {
		fmt.Println(bound.Words)
	}
	// Output:
	// true {52 38.4} wanted {61 48}
	// the backlog target moves from 13 only to 52 on its way to 61: at most a factor of 4 a run
	// the rate target moves from 9.6 only to 38.4 on its way to 48: at most a factor of 4 a run
}

// A quiet queue says nothing about how long messages take.
func ExampleRails_Propose_noSamples() {
	promise := backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
	rails := backlog.Rails{MinimumSamples: 30, MaximumFactor: 4, DeadBand: 0.05}
	proposal, err := rails.Propose(promise, backlog.Targets{Backlog: 13, Rate: 9.6}, backlog.Reading{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(proposal.Change, proposal.Targets)
	fmt.Println(proposal.Bounds[0].Words)
	// Output:
	// false {13 9.6}
	// 0 samples are fewer than the minimum of 30
}

//go:build local

package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/load"
	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/trace"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// The world of the comparison: the local engine runs it twenty times as fast.
const (
	speed    = 20
	maxTasks = 8
)

// TestLocalAgreesWithTheSimulation plays the same load into a queue of the local engine, with the real template and
// real worker processes, and into the simulation.
//
// Tolerances: task-hours within 25 %, the running count within 2 tasks on average over time, the promise within 12
// points. A second of the emulator's latency is twenty seconds here, and one datapoint that is not quite low puts a
// scale-in of four tasks off by a quarter of an hour.
func TestLocalAgreesWithTheSimulation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	arrivals := trace.Trace{Name: "up and down", Step: time.Minute}
	for minute := range 60 {
		rate := 20
		if minute >= 10 && minute < 30 {
			rate = 60
		}
		arrivals.Bins = append(arrivals.Bins, rate)
	}
	played := playLocally(ctx, t, arrivals)
	simulated := playInVirtualTime(t, arrivals)

	var apart, playedHours, simulatedHours float64
	n := min(len(played.running), len(simulated.Series.Running))
	for minute := range n {
		a, b := played.running[minute], float64(simulated.Series.Running[minute])
		apart += math.Abs(a-b) / float64(n)
		playedHours, simulatedHours = playedHours+a/60, simulatedHours+b/60
	}
	kept := 100 * played.account.Within(3*time.Second+time.Duration(speed)*time.Millisecond)
	t.Logf("running tasks by the minute, local engine:\n%.1f\nsimulation:\n%.1f",
		played.running, simulated.Series.Running)
	t.Logf("task-hours %.2f and %.2f; running counts %.2f apart on average; kept %.1f %% and %.1f %%; "+
		"p95 wait %v and %v",
		playedHours, simulatedHours, apart, kept, 100*simulated.Kept(),
		(played.account.Quantile(0.95) * speed).Round(time.Second), simulated.Waits.Quantile(0.95).Round(time.Second))
	if math.Abs(playedHours-simulatedHours) > 0.25*playedHours {
		t.Errorf("task-hours %.2f and %.2f are more than 25 %% apart", playedHours, simulatedHours)
	}
	if apart > 2 {
		t.Errorf("the running counts are %.2f tasks apart on average", apart)
	}
	if math.Abs(kept-100*simulated.Kept()) > 12 {
		t.Errorf("the promise is kept to %.1f %% and %.1f %%", kept, 100*simulated.Kept())
	}
	if played.account.Open != 0 || played.account.Repeated != 0 {
		t.Errorf("%d messages left, %d done twice", played.account.Open, played.account.Repeated)
	}
}

func playInVirtualTime(t *testing.T, arrivals trace.Trace) *simulation.Result {
	t.Helper()
	l, err := simulation.NewLoad(arrivals.Name, arrivals.Length(), simulation.FromTrace(arrivals),
		simulation.Fixed(5*time.Second), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := simulation.DefaultAssumptions()
	a.StartUpCV = 0
	result, err := simulation.Run(context.Background(), simulation.Scenario{
		Load: l, Assumptions: a, Delay: time.Minute, Processing: 5 * time.Second, Tasks: 1,
		Bounds: tracking.Bounds{Min: 1, Max: maxTasks}, Seed: 1,
	}, policy.Static(policy.Defaults()))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// run of the local engine.
type localRun struct {
	account sqswatch.Account
	running []float64 // mean of each minute
}

func playLocally(ctx context.Context, t *testing.T, arrivals trace.Trace) localRun {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := localcloud.Start(ctx, localcloud.Config{Root: root, Speed: speed, StartupDelay: 45 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	}()
	var log strings.Builder
	if err := cloud.Deploy(ctx, "simulated", parameters(), &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	outputs, err := stack.Describe(ctx, cloudformation.NewFromConfig(cloud.AWSConfig()), "simulated")
	if err != nil {
		t.Fatal(err)
	}
	url, err := outputs.Get("QueueUrl")
	if err != nil {
		t.Fatal(err)
	}
	var ledger sqswatch.Ledger
	cloud.WatchSQS(func(call sqswatch.Call) { _ = ledger.Observe(call) })

	watching, stopWatching := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	var running []float64
	began := time.Now()
	watcher.Go(func() { running = watchTasks(watching, cloud, began) })
	fast := arrivals
	fast.Step = arrivals.Step / speed
	player := load.Player{Sender: &produce.Sender{Client: sqs.NewFromConfig(cloud.AWSConfig()), QueueURL: url}}
	_, err = player.Play(ctx, fast, func(index int, _ time.Duration) produce.Message {
		return produce.Message{ID: fmt.Sprintf("agree-%d", index), Duration: 5.0 / speed}
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(began.Add(arrivals.Length() / speed)))
	stopWatching()
	watcher.Wait()
	queue := url[strings.LastIndex(url, "/")+1:]
	for wait := time.Now(); ledger.Account(queue).Open > 0 && time.Since(wait) < 10*time.Second; {
		time.Sleep(100 * time.Millisecond)
	}
	checkMeasured(ctx, t, cloud, arrivals)
	return localRun{account: ledger.Account(queue), running: running}
}

// checkMeasured holds what -from-stack reads from CloudWatch against what was played.
func checkMeasured(ctx context.Context, t *testing.T, cloud *localcloud.Cloud, arrivals trace.Trace) {
	t.Helper()
	found, err := describe(ctx, cloudformation.NewFromConfig(cloud.AWSConfig()), "simulated")
	if err != nil {
		t.Fatal(err)
	}
	m, err := measure(ctx, cloudwatch.NewFromConfig(cloud.AWSConfig()), found, time.Now(), 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(m.words(), "Mean duration", m.window.Mean, "coefficient of variation", m.window.CV)
	if math.Abs(m.messages-float64(arrivals.Total())) > 0.05*float64(arrivals.Total()) {
		t.Errorf("%.0f messages measured, %d played", m.messages, arrivals.Total())
	}
	if mean := m.window.Mean.Seconds(); mean < 4.9 || mean > 6 {
		t.Errorf("mean duration %.2f s measured of jobs of 5 s", mean)
	}
}

// parameters of the stack: what scripts/simulate takes by default, in a world that runs faster.
func parameters() map[string]string {
	tuning := policy.Defaults()
	return map[string]string{
		"AcceptableDelaySeconds": "3", "InitialProcessingSeconds": "0.25", "MetricPeriodSeconds": "3",
		"ScaleOutCooldownSeconds": "15", "ScaleInCooldownSeconds": "15", "RetuneState": "DISABLED",
		"Headroom": fmt.Sprint(tuning.Headroom), "Utilization": fmt.Sprint(tuning.Utilization),
		"MinTasks": "1", "MaxTasks": fmt.Sprint(maxTasks),
	}
}

// watchTasks samples the running tasks and returns the mean of each minute of the faster world.
func watchTasks(ctx context.Context, cloud *localcloud.Cloud, began time.Time) []float64 {
	var sums, counts []float64
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			for i := range sums {
				sums[i] /= counts[i]
			}
			return sums
		case <-ticker.C:
		}
		minute := int(time.Since(began) * speed / time.Minute)
		for len(sums) <= minute {
			sums, counts = append(sums, 0), append(counts, 0)
		}
		for _, task := range cloud.Tasks() {
			if task.Status == "RUNNING" {
				sums[minute]++
			}
		}
		counts[minute]++
	}
}

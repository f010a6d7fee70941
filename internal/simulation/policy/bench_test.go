package policy_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/trace"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// BenchmarkTwoWeeks makes a load of 14 days and runs this project on it, everything included. The goal is 2,000,000
// messages in under 2 s on one processor and under 200 MB, and time that grows with the messages in a straight line.
func BenchmarkTwoWeeks(b *testing.B) {
	taxi, err := trace.Open("nab_nyc_taxi_14d_30min")
	if err != nil {
		b.Fatal(err)
	}
	for _, perMinute := range []float64{25, 50, 100, 200} {
		b.Run(fmt.Sprintf("%.1fMillion", perMinute*14*24*60/1e6), func(b *testing.B) {
			b.ReportAllocs()
			messages := 0
			for b.Loop() {
				load, err := simulation.NewLoad("taxi", taxi.Length(), simulation.FromTrace(taxi.ScaleTo(perMinute)),
					simulation.Lognormal(5*time.Second, 0.5), 1)
				if err != nil {
					b.Fatal(err)
				}
				messages = len(load.At)
				_, err = simulation.Run(context.Background(), simulation.Scenario{
					Load: load, Assumptions: simulation.DefaultAssumptions(), Delay: time.Minute,
					Bounds: tracking.Bounds{Min: 1, Max: 200}, Seed: 1,
				}, policy.Retuned(policy.Defaults()))
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(messages), "ns/message")
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.Sys)/1e6, "MB-from-system")
		})
	}
}

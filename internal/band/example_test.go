package band_test

import (
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/band"
)

// A burst of 150 messages arrives at two tasks, and is gone two looks later. The floor follows it at once; the ceiling
// remembers it for a while.
func ExampleDecide() {
	settings := band.Settings{
		AcceptableDelay: time.Minute, Concurrency: 1, MinTasks: 1, MaxTasks: 50, LookInterval: band.LookInterval,
	}
	var memory band.Memory
	inForce := band.Bounds{Floor: 1, Ceiling: 2}
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, seen := range []struct{ visible, inFlight, running int }{{0, 2, 2}, {150, 2, 2}, {60, 20, 20}, {0, 5, 40}} {
		decision, after, err := band.Decide(settings, band.Look{
			At: at, Visible: seen.visible, InFlight: seen.inFlight, Running: seen.running,
			Desired: max(seen.running, inForce.Floor), ProcessingSeconds: 5, InForce: inForce,
		}, memory)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%3d wait, %2d tasks run: floor %2d, ceiling %2d (%s)\n",
			seen.visible, seen.running, decision.Floor, decision.Ceiling, decision.Why)
		memory, inForce, at = after, decision.Bounds, at.Add(band.LookInterval)
	}
	// Output:
	//   0 wait,  2 tasks run: floor  2, ceiling  2 (arrivals)
	// 150 wait,  2 tasks run: floor 50, ceiling 50 (backlog, at MaxTasks)
	//  60 wait, 20 tasks run: floor 15, ceiling 48 (arrivals)
	//   0 wait, 40 tasks run: floor  8, ceiling 46 (arrivals)
}

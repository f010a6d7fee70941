package tracking_test

import (
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Ten messages are sent a minute and task until noon, twenty from then on; the target is twelve.
func Example() {
	sent := tracking.Metric{Namespace: "AWS/SQS", Name: "NumberOfMessagesSent", Stat: "Sum"}
	tasks := tracking.Metric{Namespace: "ECS/ContainerInsights", Name: "RunningTaskCount", Stat: "Average"}
	assume := tracking.DefaultAssumptions()
	store, id := tracking.NewMemory(assume.Period, 60), 0
	engine, err := tracking.New(tracking.Config{
		ResourceID: "service/jobs/worker", Bounds: tracking.Bounds{Min: 1, Max: 10}, Assumptions: assume,
		Metrics: store, NewID: func() string { id++; return fmt.Sprint(id) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	err = engine.PutTargetTracking(noon, tracking.TargetTracking{
		Name: "jobs-rate", Target: 12, Metrics: []tracking.MetricQuery{
			{ID: "sent", Metric: &sent}, {ID: "tasks", Metric: &tasks},
			{ID: "perTask", Expression: "sent / tasks", ReturnData: true},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for minute := -10; minute < 10; minute++ {
		start := noon.Add(time.Duration(minute) * time.Minute)
		end, rate := start.Add(assume.Period), 40.0
		if minute >= 0 {
			rate = 80
		}
		store.Put(sent.Key(), start, rate, end.Add(assume.PublicationDelay))
		store.Put(tasks.Key(), start, 4, end.Add(assume.PublicationDelay))

		now := end.Add(assume.EvaluationOffset)
		d := engine.Evaluate(now, tracking.Capacity{Desired: 4, Running: 4})
		high := engine.Alarms()[0]
		if high.Breaching > 0 {
			fmt.Printf("%s after noon: AlarmHigh %d of %d\n", now.Sub(noon), high.Breaching, high.Needed)
		}
		if d.Changed {
			fmt.Printf("%s\n%s\n", d.Activities[0].Description, d.Activities[0].Cause)
			break
		}
	}
	// Output:
	// 4m9s after noon: AlarmHigh 1 of 3
	// 5m9s after noon: AlarmHigh 2 of 3
	// 6m9s after noon: AlarmHigh 3 of 3
	// Setting desired count to 7.
	// monitor alarm TargetTracking-service/jobs/worker-AlarmHigh-1 in state ALARM triggered policy jobs-rate
}

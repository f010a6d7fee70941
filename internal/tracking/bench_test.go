package tracking

import (
	"math"
	"testing"
	"time"
)

// benchEngine has the template's two policies on constant traffic.
func benchEngine(b *testing.B) (*Engine, *Memory) {
	store := NewMemory(time.Minute, 64)
	e, err := New(Config{ResourceID: resource, Bounds: Bounds{1, 100}, Assumptions: DefaultAssumptions(),
		Metrics: store, NewID: ids()})
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range map[string]TargetTracking{
		"backlog": {Target: 13, Metrics: templateBacklog()}, "rate": {Target: 9.6, Metrics: templateRate()},
	} {
		p.Name = name
		if err := e.PutTargetTracking(epoch, p); err != nil {
			b.Fatal(err)
		}
	}
	return e, store
}

// BenchmarkDecision is one evaluation with two policies: four alarms on metric math, and the decision.
func BenchmarkDecision(b *testing.B) {
	e, store := benchEngine(b)
	for i := range 60 {
		start := epoch.Add(time.Duration(i) * time.Minute)
		for name, v := range map[string]float64{"Visible": 40, "InFlight": 10, "Sent": 95, "Tasks": 10} {
			store.Put(metric(name).Key(), start, v, start.Add(2*time.Minute))
		}
	}
	now := epoch.Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		e.Evaluate(now, Capacity{Desired: 10, Running: 10})
	}
}

// BenchmarkDay is a day of minutes with a load that goes up and down twice: metrics put, alarms, decisions, activities.
func BenchmarkDay(b *testing.B) {
	keys := [4]string{metric("Visible").Key(), metric("InFlight").Key(), metric("Sent").Key(), metric("Tasks").Key()}
	b.ReportAllocs()
	for b.Loop() {
		e, store := benchEngine(b)
		desired, changes := 5, 0
		for i := range 24 * 60 {
			start := epoch.Add(time.Duration(i) * time.Minute)
			load := 60 + 50*math.Sin(float64(i)/115)
			for k, v := range [4]float64{load / 2, float64(desired), load, float64(desired)} {
				store.Put(keys[k], start, v, start.Add(2*time.Minute))
			}
			d := e.Evaluate(start.Add(69*time.Second), Capacity{Desired: desired, Running: desired})
			desired = d.Desired
			if d.Changed {
				changes++
			}
		}
		if changes < 10 {
			b.Fatalf("%d changes", changes)
		}
	}
}

package retune

import "testing"

// A change of the bounds alone is told as one: the targets stay.
func TestSummaryOfBoundsAlone(t *testing.T) {
	targets := Targets{Backlog: 49, Rate: 9.6}
	before, after := Bounds{MinTasks: 1, MaxTasks: 10}, Bounds{MinTasks: 4, MaxTasks: 10}

	decided := Decision{Current: targets, Targets: targets, Bounds: &after}.summary()
	const want = "4 to 10 tasks; the targets stay at 49 messages per task and 9.6 messages per period and task"
	if decided != want {
		t.Errorf("decided: %q, want %q", decided, want)
	}
	applied := Applier{Policies: Policies{Backlog: "backlog", Rate: "rate"}}.summary(
		Settings{Targets: targets, Bounds: &before}, Settings{Targets: targets, Bounds: &after})
	if want := "backlog stays at 49, rate at 9.6, 4 to 10 tasks instead of 1 to 10 tasks"; applied != want {
		t.Errorf("applied: %q, want %q", applied, want)
	}
}

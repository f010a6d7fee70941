package tracking

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// quick are assumptions under which a datapoint decides as soon as its period is over and alarms need one datapoint, so
// that a test sees one rule at a time.
func quick() Assumptions {
	a := DefaultAssumptions()
	a.EvaluationOffset, a.PublicationDelay, a.AlarmLag = 0, 0, 0
	a.HighPeriods, a.HighDatapoints, a.LowPeriods, a.LowDatapoints, a.ExtraDatapoints = 1, 1, 1, 1, 0
	return a
}

// bench is an engine with a metric store of which each minute is fed by hand.
type bench struct {
	*Engine
	t      *testing.T
	store  feed
	minute int
}

func newBench(t *testing.T, assume Assumptions, bounds Bounds) *bench {
	t.Helper()
	b := &bench{t: t, store: newFeed(assume.Period)}
	engine, err := New(Config{ResourceID: resource, Bounds: bounds, Assumptions: assume, Metrics: b.store,
		NewID: ids()})
	if err != nil {
		t.Fatal(err)
	}
	b.Engine = engine
	return b
}

// track puts a policy on a metric of its own name.
func (b *bench) track(name string, target float64, change ...func(*TargetTracking)) {
	b.t.Helper()
	p := TargetTracking{Name: name, Target: target, Metrics: SingleMetric(metric(name))}
	for _, f := range change {
		f(&p)
	}
	if err := b.PutTargetTracking(b.now(), p); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) now() time.Time { return epoch.Add(time.Duration(b.minute) * b.assume.Period) }

// next feeds one datapoint of each metric and evaluates at the end of its period.
func (b *bench) next(c Capacity, values map[string]float64) Decision {
	for name, v := range values {
		b.store.Put(metric(name).Key(), b.now(), v, b.now())
	}
	b.minute++
	return b.Evaluate(b.now(), c)
}

// steady is a service whose tasks all run.
func steady(n int) Capacity { return Capacity{Desired: n, Running: n} }

func noScaleIn(p *TargetTracking) { p.DisableScaleIn = true }

func withCooldowns(out, in time.Duration) func(*TargetTracking) {
	return func(p *TargetTracking) { p.ScaleOutCooldown, p.ScaleInCooldown = &out, &in }
}

func TestProportional(t *testing.T) {
	for _, test := range []struct {
		capacity       int
		metric, target float64
		want           int
	}{
		{1, 50, 12, 5}, // 4.17 is rounded up: "prevents it from adding insufficient capacity"
		{10, 12, 12, 10},
		{10, 12.0001, 12, 11},
		{10, 0.3, 0.1, 30}, // 30.000000000000004 in floating point
		{0, 5, 1, 0},
		{4, 0, 12, 0},
		{1000, 1e300, 1e-9, 1<<31 - 1},
	} {
		if got := proportional(test.capacity, test.metric, test.target); got != test.want {
			t.Errorf("proportional(%d, %v, %v) = %d, want %d", test.capacity, test.metric, test.target, got, test.want)
		}
	}
}

// TestScalesFromTheRunningCount: "the actual running task count in a service is the value that Service Auto Scaling
// uses as its starting point, as opposed to the desired count" (ECS developer guide, Service auto scaling).
func TestScalesFromTheRunningCount(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("m", 10)
	if d := b.next(Capacity{Desired: 20, Running: 4, Pending: 16}, map[string]float64{"m": 20}); d.Changed {
		t.Errorf("4 of 20 running at twice the target: %+v, want no change (8 are less than 20)", d)
	}
	if d := b.next(Capacity{Desired: 20, Running: 12, Pending: 8}, map[string]float64{"m": 20}); d.Desired != 24 {
		t.Errorf("12 of 20 running at twice the target: desired %d, want 24", d.Desired)
	}
}

func TestScaleIn(t *testing.T) {
	for _, test := range []struct {
		name    string
		pace    Pace
		bounds  Bounds
		running int
		metric  float64 // target 10
		want    int
		reason  ReasonCode
	}{
		{"proportional, rounded so that not too much is removed", Proportional, Bounds{1, 20}, 10, 3.1, 4, ""},
		{"one at a time", OneAtATime, Bounds{1, 20}, 10, 3.1, 9, ""},
		{"not below the minimum", Proportional, Bounds{5, 20}, 10, 3.1, 5, ""},
		{"to zero on a real zero", Proportional, Bounds{0, 20}, 2, 0, 0, ""},
		{"never to zero on anything else", Proportional, Bounds{0, 20}, 1, 0.01, 1, AnticipatedFlapping},
		{"8.9 on 2 tasks would be 17.8 on one", Proportional, Bounds{1, 20}, 2, 8.9, 2, AnticipatedFlapping},
		{"8.9 on 9 tasks would be 10.01 on eight", OneAtATime, Bounds{1, 20}, 9, 8.9, 9, AnticipatedFlapping},
		{"8.8 on 9 tasks would be 9.9 on eight", OneAtATime, Bounds{1, 20}, 9, 8.8, 8, ""},
		{"at the minimum", Proportional, Bounds{3, 20}, 3, 1, 3, AtMinCapacity},
		{"above the maximum: to the maximum first", Proportional, Bounds{1, 8}, 10, 8.99, 8, ""},
		{"below the minimum: not adjusted by a scale-in", Proportional, Bounds{5, 20}, 3, 0, 3, AtMinCapacity},
	} {
		t.Run(test.name, func(t *testing.T) {
			assume := quick()
			assume.ScaleInPace = test.pace
			b := newBench(t, assume, test.bounds)
			b.track("m", 10)
			d := b.next(steady(test.running), map[string]float64{"m": test.metric})
			if d.Desired != test.want {
				t.Errorf("desired %d, want %d", d.Desired, test.want)
			}
			checkReason(t, d, test.reason)
		})
	}
}

// checkReason wants exactly one activity: a reason for not scaling, or with "" a change.
func checkReason(t *testing.T, d Decision, want ReasonCode) {
	t.Helper()
	if len(d.Activities) != 1 {
		t.Fatalf("activities %+v, want one", d.Activities)
	}
	var got ReasonCode
	if reasons := d.Activities[0].NotScaled; len(reasons) > 0 {
		got = reasons[0].Code
	}
	if got != want || d.Changed != (want == "") {
		t.Errorf("reason %q, changed %v, want %q", got, d.Changed, want)
	}
}

// TestSeveralPolicies: "It will scale out if any of the target tracking policies are ready for scale out, but will
// scale in only if all of the target tracking policies (with the scale-in portion enabled) are ready to scale in. If
// multiple policies instruct the scalable target to scale out or in at the same time, Application Auto Scaling scales
// based on the policy that provides the largest capacity for both scale in and scale out" (user guide, Target
// tracking).
func TestSeveralPolicies(t *testing.T) {
	nothing := map[string]float64{}
	for _, test := range []struct {
		name   string
		a, b   map[string]float64
		change func(*TargetTracking) // of policy b
		want   int                   // from 10 tasks, targets 10
	}{
		{"any out", map[string]float64{"a": 15}, map[string]float64{"b": 1}, nil, 15},
		{"the larger out", map[string]float64{"a": 15}, map[string]float64{"b": 18}, nil, 18},
		{"in needs all", map[string]float64{"a": 2}, map[string]float64{"b": 9.5}, nil, 10},
		{"the larger in", map[string]float64{"a": 2}, map[string]float64{"b": 4}, nil, 4},
		{"no data is not ready for in", map[string]float64{"a": 2}, nothing, nil, 10},
		{"no data does not stop out", map[string]float64{"a": 15}, nothing, nil, 15},
		{"without scale-in it has no say", map[string]float64{"a": 2}, map[string]float64{"b": 9.5}, noScaleIn, 2},
		{"without scale-in it still scales out", map[string]float64{"a": 2}, map[string]float64{"b": 15}, noScaleIn,
			15},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newBench(t, quick(), Bounds{1, 100})
			e.track("a", 10)
			if test.change == nil {
				test.change = func(*TargetTracking) {}
			}
			e.track("b", 10, test.change)
			values := map[string]float64{}
			for _, m := range []map[string]float64{test.a, test.b} {
				for k, v := range m {
					values[k] = v
				}
			}
			if d := e.next(steady(10), values); d.Desired != test.want {
				t.Errorf("desired %d, want %d", d.Desired, test.want)
			}
		})
	}
}

// TestScaleOutCooldown: "The scaling policy won't increase the desired capacity again unless either a larger scale
// out is triggered or the cooldown period ends. While the scale-out cooldown period is in effect, the capacity added
// by the initiating scale-out activity is calculated as part of the desired capacity for the next scale-out
// activity."
func TestScaleOutCooldown(t *testing.T) {
	type step struct {
		minute  int
		running int
		metric  float64 // target 10
		want    int
	}
	for _, test := range []struct {
		name      string
		basis     CooldownBasis
		prolonged bool
		steps     []step
	}{
		{"before-scale-out: stale datapoints do not compound", BeforeScaleOut, false, []step{
			{1, 10, 15, 15}, // cooldown until minute 6
			{2, 10, 15, 15}, // the same again
			{3, 15, 15, 15}, // the new tasks run, the datapoint is still the old one
			{4, 15, 18, 18}, // larger: 10 would need 18, of which 5 were added
			{5, 18, 17, 18},
			{6, 18, 12, 22}, // over, five minutes after the first: 18 * 1.2
		}},
		{"prolonged by a larger scale-out", BeforeScaleOut, true, []step{
			{1, 10, 15, 15},
			{4, 15, 18, 18}, // the cooldown begins anew
			{6, 18, 17, 18},
			{8, 18, 17, 18},
			{9, 18, 12, 22}, // over
		}},
		{"running: only the surplus over what was added", RunningCount, true, []step{
			{1, 10, 15, 15},
			{2, 10, 15, 15},
			{3, 15, 15, 18}, // 15 * 1.5 - 15 = 8, of which 5 were added: compounds
			{4, 18, 11, 18},
			{9, 18, 12, 22},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			assume := quick()
			assume.CooldownBasis, assume.CooldownProlonged = test.basis, test.prolonged
			b := newBench(t, assume, Bounds{1, 1000})
			b.track("m", 10)
			desired := 10
			for _, s := range test.steps {
				b.minute = s.minute - 1
				d := b.next(Capacity{Desired: desired, Running: s.running}, map[string]float64{"m": s.metric})
				if desired = d.Desired; desired != s.want {
					t.Fatalf("minute %d: desired %d, want %d", s.minute, desired, s.want)
				}
			}
		})
	}
}

// TestScaleInCooldown: "scale-in activities are blocked until the cooldown period has expired. However, if another
// alarm triggers a scale-out activity during the scale-in cooldown period, Application Auto Scaling scales out the
// target immediately. In this case, the scale-in cooldown period stops and doesn't complete."
func TestScaleInCooldown(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("m", 10, withCooldowns(0, 5*time.Minute))
	desired := 20
	for _, s := range []struct {
		minute int
		metric float64
		want   int
	}{
		{1, 5, 10}, {2, 5, 10}, {5, 5, 10}, {6, 5, 5}, // blocked for five minutes
		{7, 16, 8}, // out at once
		{8, 5, 4},  // and in again: the cooldown did not complete
		{9, 5, 4}, {12, 5, 4}, {13, 4, 2},
	} {
		b.minute = s.minute - 1
		d := b.next(steady(desired), map[string]float64{"m": s.metric})
		if desired = d.Desired; desired != s.want {
			t.Fatalf("minute %d: desired %d, want %d", s.minute, desired, s.want)
		}
	}
}

// TestCooldownScope: whether a policy waits for the cooldown that another one began is nowhere said.
func TestCooldownScope(t *testing.T) {
	for scope, want := range map[CooldownScope]int{
		PerPolicy: 18, // the second policy computes from what runs: 15 * 1.2
		PerTarget: 15, // from the 10 before the first one's scale-out: 12, which is less than 15
	} {
		assume := quick()
		assume.CooldownScope = scope
		b := newBench(t, assume, Bounds{1, 100})
		b.track("a", 10)
		b.track("b", 10)
		b.next(steady(10), map[string]float64{"a": 15, "b": 10})
		if d := b.next(steady(15), map[string]float64{"a": 10, "b": 12}); d.Desired != want {
			t.Errorf("%s: desired %d, want %d", scope, d.Desired, want)
		}
	}
}

// TestScaleOutEndsEveryScaleInCooldown, whichever policy began it.
func TestScaleOutEndsEveryScaleInCooldown(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("a", 10)
	b.track("b", 10)
	b.next(steady(20), map[string]float64{"a": 5, "b": 4})
	if _, in := b.CooldownUntil(); in.IsZero() {
		t.Fatal("a scale-in began no cooldown")
	}
	b.next(steady(10), map[string]float64{"a": 5, "b": 15})
	if _, in := b.CooldownUntil(); !in.IsZero() {
		t.Errorf("scale-in cooldown until %v after another policy's scale-out", in)
	}
}

func TestCooldownFromCompletion(t *testing.T) {
	assume := quick()
	assume.CooldownStart = FromCompletion
	b := newBench(t, assume, Bounds{1, 100})
	b.track("m", 10)
	b.next(steady(10), map[string]float64{"m": 15})
	b.minute = 20 // the tasks take twenty minutes to start
	d := b.next(Capacity{Desired: 15, Running: 10, Pending: 5}, map[string]float64{"m": 15})
	if d.Changed {
		t.Errorf("during the cooldown: %+v", d)
	}
	if d = b.next(steady(15), nil); len(d.Activities) != 1 || d.Activities[0].Status != Successful {
		t.Fatalf("the new tasks run: %+v", d)
	}
	if out, _ := b.CooldownUntil(); !out.Equal(b.now().Add(5 * time.Minute)) {
		t.Errorf("cooldown until %v", out)
	}
}

// TestScheduledActionsIgnoreCooldowns: "During a cooldown period, when a scheduled action starts at the scheduled
// time, it can trigger a scaling activity immediately without waiting for the cooldown period to expire."
func TestScheduledActionsIgnoreCooldowns(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("m", 10)
	b.next(steady(10), map[string]float64{"m": 15})
	least, most := 30, 40
	d, err := b.Scheduled(b.now(), "morning", &least, &most, steady(15))
	if err != nil || d.Desired != 30 || b.Bounds() != (Bounds{30, 40}) {
		t.Fatalf("%+v, %v", d, err)
	}
	// The words are those of the example in "Scheduled scaling", user guide of Application Auto Scaling.
	var got []string
	for _, a := range d.Activities {
		got = append(got, a.Cause+" | "+a.Description+" | "+a.StatusMessage)
	}
	want := []string{
		"scheduled action name morning was triggered | Setting min capacity to 30 and max capacity to 40 | " +
			"Successfully set min capacity to 30 and max capacity to 40",
		"monitor alarm TargetTracking-service/jobs/worker-AlarmHigh-id-1 in state ALARM triggered policy m | " +
			"Setting desired count to 15. | Successfully set desired count to 15. Change successfully fulfilled by " +
			"ecs.",
		"minimum capacity was set to 30 | Setting desired count to 30. | " +
			"Successfully set desired count to 30. Waiting for change to be fulfilled by ecs.",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("activities\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	b.Suspend(Suspended{Scheduled: true})
	if d, err = b.Scheduled(b.now(), "evening", nil, &least, steady(15)); err != nil || d.Changed ||
		b.Bounds() != (Bounds{30, 40}) {
		t.Errorf("suspended: %+v, %v, bounds %v", d, err, b.Bounds())
	}
	b.Suspend(Suspended{})
	for _, bad := range []struct{ least, most *int }{{nil, nil}, {&most, &least}} {
		if _, err := b.Scheduled(b.now(), "bad", bad.least, bad.most, steady(30)); err == nil {
			t.Error("no error")
		}
	}
}

func TestBoundsMovedAtRunTime(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 10})
	for _, test := range []struct {
		bounds        Bounds
		desired, want int
		cause         string
	}{
		{Bounds{4, 10}, 2, 4, "minimum capacity was set to 4"},
		{Bounds{1, 3}, 4, 3, "maximum capacity was set to 3"},
		{Bounds{1, 5}, 3, 3, ""},
		{Bounds{1, 5}, 0, 1, "minimum capacity was set to 1"}, // set by hand: enforced without a change, too
	} {
		d, err := b.SetBounds(b.now(), test.bounds, Capacity{Desired: test.desired, Running: test.desired,
			Deploying: true})
		if err != nil || d.Desired != test.want {
			t.Errorf("%v at %d: %+v, %v", test.bounds, test.desired, d, err)
		}
		cause := ""
		for _, a := range d.Activities {
			if a.Status == InProgress {
				cause = a.Cause
			}
		}
		if cause != test.cause {
			t.Errorf("%v at %d: cause %q, want %q", test.bounds, test.desired, cause, test.cause)
		}
	}
	for _, bad := range []Bounds{{-1, 2}, {3, 2}} {
		if _, err := b.SetBounds(b.now(), bad, steady(3)); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
}

// TestDesiredOutsideBounds holds the two considerations of the ECS developer guide on a desired count that somebody
// set by hand: the next scale-out lifts it to the minimum and on, the next scale-in lowers it to the maximum and on,
// and neither adjusts it the other way.
func TestDesiredOutsideBounds(t *testing.T) {
	for _, test := range []struct {
		name          string
		desired, want int
		metric        float64
	}{
		{"below, scale-out small", 2, 5, 12},
		{"below, scale-out large", 2, 8, 40},
		{"below, scale-in", 2, 2, 0},
		{"above, scale-in", 30, 15, 5},
		{"above, scale-in small", 30, 20, 8.8},
		{"above, scale-out", 30, 30, 15},
	} {
		b := newBench(t, quick(), Bounds{5, 20})
		b.track("m", 10)
		if d := b.next(steady(test.desired), map[string]float64{"m": test.metric}); d.Desired != test.want {
			t.Errorf("%s: desired %d, want %d", test.name, d.Desired, test.want)
		}
	}
}

// TestDeployment: "Application Auto Scaling turns off scale-in processes while Amazon ECS deployments are in progress.
// However, scale-out processes continue to occur, unless suspended, during a deployment."
func TestDeployment(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("m", 10)
	deploying := Capacity{Desired: 10, Running: 10, Deploying: true}
	checkReason(t, b.next(deploying, map[string]float64{"m": 3}), PutAsUnscalable)
	if d := b.next(deploying, map[string]float64{"m": 15}); d.Desired != 15 {
		t.Errorf("scale-out during a deployment: %+v", d)
	}
}

func TestSuspended(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("m", 10)
	b.Suspend(Suspended{In: true})
	if d := b.next(steady(10), map[string]float64{"m": 3}); d.Changed || d.Activities != nil {
		t.Errorf("scale-in suspended: %+v", d)
	}
	if d := b.next(steady(10), map[string]float64{"m": 15}); d.Desired != 15 {
		t.Errorf("scale-out not suspended: %+v", d)
	}
	b.Suspend(Suspended{Out: true})
	if d := b.next(steady(15), map[string]float64{"m": 50}); d.Changed {
		t.Errorf("scale-out suspended: %+v", d)
	}
	if d := b.next(steady(15), map[string]float64{"m": 3}); d.Desired != 5 {
		t.Errorf("scale-in not suspended: %+v", d)
	}
}

// TestNotScaledOnce: an alarm acts again each period; the same reason for not scaling is recorded once.
func TestNotScaledOnce(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 4})
	b.track("m", 10)
	d := b.next(steady(4), map[string]float64{"m": 20})
	checkReason(t, d, AtMaxCapacity)
	a := d.Activities[0]
	// The example in "Scaling activities for Application Auto Scaling", section on not scaled activities.
	if a.Description != "Attempting to scale due to alarm triggered" || a.Status != Failed ||
		*a.NotScaled[0].MaxCapacity != 4 ||
		a.NotScaled[0].MinCapacity != nil || a.NotScaled[0].CurrentCapacity != nil || !a.End.IsZero() ||
		a.Cause != "monitor alarm TargetTracking-service/jobs/worker-AlarmHigh-id-1 in state ALARM triggered policy m" {
		t.Errorf("%+v", a)
	}
	if d = b.next(steady(4), map[string]float64{"m": 30}); d.Activities != nil {
		t.Errorf("again: %+v", d.Activities)
	}
	b.next(steady(4), map[string]float64{"m": 10})
	checkReason(t, b.next(steady(4), map[string]float64{"m": 20}), AtMaxCapacity)
}

func TestActivityLife(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 100})
	b.track("m", 10)
	first := b.next(steady(2), map[string]float64{"m": 20}).Activities[0]
	if first.StatusMessage != "Successfully set desired count to 4. Waiting for change to be fulfilled by ecs." ||
		first.Description != "Setting desired count to 4." || first.Status != InProgress {
		t.Errorf("begun: %+v", first)
	}
	d := b.next(Capacity{Desired: 4, Running: 2, Pending: 2}, map[string]float64{"m": 30})
	if len(d.Activities) != 2 || d.Activities[0].ID != first.ID || d.Activities[0].Status != Overridden ||
		d.Activities[0].StatusMessage != "Successfully set desired count to 4. Found it was later changed to 6." {
		t.Errorf("overridden: %+v", d.Activities)
	}
	d = b.next(steady(6), map[string]float64{"m": 10})
	if len(d.Activities) != 1 || d.Activities[0].Status != Successful || d.Activities[0].End != b.now() ||
		d.Activities[0].StatusMessage != "Successfully set desired count to 6. Change successfully fulfilled by ecs." {
		t.Errorf("fulfilled: %+v", d.Activities)
	}
	b.minute += 10 // past the cooldown
	b.next(steady(6), map[string]float64{"m": 30})
	d = b.next(steady(7), map[string]float64{"m": 10}) // somebody set 7
	if len(d.Activities) != 1 || d.Activities[0].Status != Overridden {
		t.Errorf("changed by hand: %+v", d.Activities)
	}
}

func TestPutAgain(t *testing.T) {
	names := func(b *bench) (all []string) {
		for _, a := range b.Alarms() {
			all = append(all, fmt.Sprintf("%s %s %v", strings.TrimPrefix(a.Spec.Name, "TargetTracking-"+resource+"-"),
				a.State, a.Spec.Threshold))
		}
		return all
	}
	for _, test := range []struct {
		recreate bool
		want     []string
	}{
		{false, []string{"AlarmHigh-id-1 ALARM 20", "AlarmLow-id-2 OK 18"}},
		{true, []string{"AlarmHigh-id-4 INSUFFICIENT_DATA 20", "AlarmLow-id-5 INSUFFICIENT_DATA 18"}},
	} {
		assume := quick()
		assume.PutRecreatesAlarms, assume.PutResetsCooldown = test.recreate, test.recreate
		b := newBench(t, assume, Bounds{1, 100})
		b.track("m", 10)
		b.next(steady(2), map[string]float64{"m": 15}) // takes id-3 for its activity
		b.track("m", 20)
		if got := names(b); !reflect.DeepEqual(got, test.want) {
			t.Errorf("recreate %v: alarms %v, want %v", test.recreate, got, test.want)
		}
		if out, _ := b.CooldownUntil(); out.IsZero() != test.recreate {
			t.Errorf("reset %v: cooldown until %v", test.recreate, out)
		}
		b.next(steady(3), map[string]float64{"m": 15})
		if got := b.Alarms()[0].State; got != StateOK {
			t.Errorf("15 against the new target 20: %s", got)
		}
		if !b.DeletePolicy("m") || b.DeletePolicy("m") || len(b.Alarms()) != 0 {
			t.Error("delete")
		}
	}
}

func TestPolicyErrors(t *testing.T) {
	b := newBench(t, quick(), Bounds{1, 10})
	one, two, three := 1.0, 2.0, 3.0
	for want, p := range map[string]TargetTracking{
		"without a name":           {Target: 1, Metrics: SingleMetric(metric("m"))},
		"policy p: target value 0": {Name: "p", Metrics: SingleMetric(metric("m"))},
		"function SEARCH is not supported": {Name: "p", Target: 1, Metrics: []MetricQuery{{ID: "e1",
			Expression: "SEARCH('x')", ReturnData: true}}},
	} {
		if err := b.PutTargetTracking(epoch, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for want, p := range map[string]StepScaling{
		"step policy without":       {},
		`adjustment type "Double"`:  {Name: "p", Adjustment: "Double"},
		`aggregation type "Median"`: {Name: "p", Adjustment: ExactCapacity, Aggregation: "Median"},
		"at least one step":         {Name: "p", Adjustment: ExactCapacity},
		"is empty": {Name: "p", Adjustment: ExactCapacity, Steps: []Step{{Lower: &two,
			Upper: &one}}},
		"has no bound": {Name: "p", Adjustment: ExactCapacity, Steps: []Step{{}, {Lower: &one}}},
		"adjustments 1 and 2 overlap": {Name: "p", Adjustment: ExactCapacity, Steps: []Step{{Lower: &one,
			Upper: &three}, {Lower: &two}}},
		"no step adjustment begins at 1": {Name: "p", Adjustment: ExactCapacity, Steps: []Step{{Upper: &one},
			{Lower: &two}}},
	} {
		if err := b.PutStep(epoch, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

package retune

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// TestWhatACarefulOperatorWouldDo: situations that a retune comes into, and what is done about them. Each begins from a
// thousand samples of 4 s where 5 s were before.
func TestWhatACarefulOperatorWouldDo(t *testing.T) {
	current := Targets{Backlog: 13, Rate: 9.6}
	following := Targets{Backlog: 16, Rate: 12} // right for 4 s
	for name, test := range map[string]struct {
		change    func(*Measurement)
		outcome   string
		by        string
		targets   Targets
		reference float64
		again     bool     // still outside
		says      []string // parts of why
	}{
		"the duration has drifted": {nil, "change", ByFormula, following, 4, false, nil},
		"it has drifted further than one run may follow": {
			func(m *Measurement) {
				m.ProcessingSeconds, m.Drift.RecentSeconds = 50, 50
			},
			"change", ByFormula, Targets{Backlog: 3.25, Rate: 2.4}, 20, true,
			[]string{"the rate target moves from 9.6 only to 2.4 on its way to 0.96: at most a factor of 4 a run"},
		},
		"it drifts on": {
			func(m *Measurement) { m.Drift.RecentSeconds = 9 }, "change", ByFormula, following, 4, true, nil,
		},
		"one outlier among few": {
			func(m *Measurement) {
				m.Samples, m.ProcessingSeconds, m.ProcessingQuantiles = 40, 20, map[string]float64{"p50": 4, "p95": 5}
			},
			"within the dead band", ByFormula, current, 5, false,
			[]string{"the mean of 20 s lies above the 95th percentile, so at most 2 of 40 messages make it: the 5 s " +
				"that " +
				"95 % of them did not exceed stand in"},
		},
		"a heavy tail that is real": {
			func(m *Measurement) {
				m.Samples, m.ProcessingSeconds, m.ProcessingQuantiles = 10_000, 4, map[string]float64{"p50": 0.1,
					"p95": 3}
			},
			"change", ByFormula, following, 4, false, nil,
		},
		"an idle queue": {
			func(m *Measurement) { m.Samples, m.ProcessingSeconds = 0, 0 }, "too few samples", ByRecord, current, 5,
			false,
			[]string{"0 samples are fewer than the minimum of 30"},
		},
		"an idle queue before the first retune": {
			func(m *Measurement) { m.Samples, m.ProcessingSeconds, m.Record = 0, 0, nil }, "too few samples", ByFormula,
			current, 0, false, nil,
		},
		"an update of the stack that changed the delay, and few samples since": {
			func(m *Measurement) {
				m.Samples, m.Reason = 3, ReasonStackUpdate
				m.Record.Promise.AcceptableDelaySeconds = 30 // that the targets were made for
				m.Current, m.Record.Targets = Targets{Backlog: 7, Rate: 9.6}, Targets{Backlog: 7, Rate: 9.6}
			},
			"change", ByRecord, current, 5, false, []string{
				"3 samples are fewer than the minimum of 30",
				"the 5 s of the last retune stand in, and those in force are not made for them",
			},
		},
		"an update that was rolled back wrote stale targets": {
			func(m *Measurement) {
				m.Samples, m.Reason, m.Current = 0, ReasonStackUpdate, Targets{Backlog: 31, Rate: 24}
			},
			"change", ByRecord, current, 5, false, []string{"the 5 s of the last retune stand in"},
		},
		"an update that was rolled back while targets are held": {
			func(m *Measurement) {
				m.Record.HoldUntil, m.Reason, m.Current = UntilReleased, ReasonStackUpdate, Targets{Backlog: 31,
					Rate: 24}
			},
			"change", ByRecord, current, 0, false, []string{
				"the targets are held until they are released",
				"the update of the stack wrote others: the held ones are put back",
			},
		},
		"an update that was rolled back wrote a stale drift alarm": {
			func(m *Measurement) { m.Samples, m.Reason, m.Drift.ReferenceSeconds = 0, ReasonStackUpdate, 9 }, "record",
			ByRecord, current, 5, false, []string{"the drift alarm compares with 9 s: it is given 5 s"},
		},
		"targets that went part of the way, and too few samples to go on": {
			func(m *Measurement) {
				m.Samples, m.Record.ProcessingSeconds, m.Record.ReferenceSeconds = 0, 50, 5
			},
			"too few samples", ByRecord, current, 5, false, nil,
		},
		"somebody has set a target in the console": {
			func(m *Measurement) { m.Current.Backlog = 40 }, "change", ByFormula, following, 4, false,
			[]string{"in force were not the targets of the last retune: somebody else set them, without a hold"},
		},
		"somebody holds the targets": {
			func(m *Measurement) { m.Record.HoldUntil = "2026-03-01T18:00:00Z" }, "targets are held", ByFormula,
			current, 0,
			false, []string{"the targets are held until 2026-03-01T18:00:00Z"},
		},
		"somebody holds other targets than those in force": {
			func(m *Measurement) { m.Record.HoldUntil, m.Current.Backlog = UntilReleased, 14 }, "targets are held",
			ByFormula,
			Targets{Backlog: 14, Rate: 9.6}, 0, false,
			[]string{"those in force are others, set by somebody else since: they are left alone too"},
		},
		"released": {
			func(m *Measurement) { m.Record.HoldUntil, m.Release = UntilReleased, true }, "change", ByFormula,
			following, 4,
			false, nil,
		},
		"released where they are right": {
			func(m *Measurement) { m.Record.HoldUntil, m.Release, m.ProcessingSeconds = UntilReleased, true, 5 },
			"record",
			ByFormula, current, 5, false, []string{"the targets are released"},
		},
		"released, but what is wanted was taken back": {
			func(m *Measurement) {
				m.Record.HoldUntil, m.Release = UntilReleased, true
				m.Record.Refused = &Refused{Settings: Settings{Targets: following}, At: noon}
			},
			"record", ByFormula, current, 4, false, []string{"the targets are released"},
		},
		"released with few samples": {
			func(m *Measurement) { m.Record.HoldUntil, m.Release, m.Samples = UntilReleased, true, 3 }, "record",
			ByRecord, current, 5, false, []string{"the targets are released"},
		},
		"set by hand": {
			func(m *Measurement) { m.Backlog, m.Rate = 25, 5 }, "change", ByHand, Targets{Backlog: 25, Rate: 5}, 4,
			false,
			[]string{"the backlog target is set by hand to 25", "the rate target is set by hand to 5",
				"the targets are held until they are released"},
		},
		"one set by hand, below what there can be": {
			func(m *Measurement) { m.Backlog, m.Samples = 0.5, 0 }, "change", ByHand, Targets{Backlog: 1, Rate: 9.6},
			0, false,
			[]string{"it is raised to 1, the messages that a task works on at once"},
		},
		"set by hand over a hold": {
			func(m *Measurement) { m.Record.HoldUntil, m.Backlog = UntilReleased, 25 }, "change", ByHand,
			Targets{Backlog: 25, Rate: 9.6}, 4, false, nil,
		},
		"another delay by hand": {
			func(m *Measurement) { m.DelaySeconds, m.HoldUntil = 30, "2026-03-01T18:00:00Z" }, "change", ByHand,
			Targets{Backlog: 8.5, Rate: 12}, 4, false, []string{"made by hand for a delay of 30 s instead of 60 s",
				"the targets are held until 2026-03-01T18:00:00Z"},
		},
		"another delay by hand, and few samples": {
			func(m *Measurement) { m.DelaySeconds, m.Samples = 30, 2 }, "change", ByHand, Targets{Backlog: 7,
				Rate: 9.6}, 0,
			false, nil,
		},
		"another delay by hand, and nothing known": {
			func(m *Measurement) { m.DelaySeconds, m.Samples, m.Record, m.Drift = 30, 2, nil, Drift{} }, "change",
			ByHand,
			Targets{Backlog: 7, Rate: 9.6}, 0, false, nil,
		},
		"held as they are": {
			func(m *Measurement) { m.HoldUntil = UntilReleased }, "hold", ByHand, current, 4, false, nil,
		},
		"what was taken back today": {
			func(m *Measurement) {
				m.Record.Refused = &Refused{Settings: Settings{Targets: following}, At: noon.Add(-23 * time.Hour)}
				m.Drift.RecentSeconds = 1
			}, "tried and taken back", ByFormula, current, 4, false,
			[]string{"settings like these were tried at 2026-02-28T13:00:00Z and taken back, because fewer messages " +
				"started " +
				"in time"},
		},
		"what was taken back yesterday": {
			func(m *Measurement) {
				m.Record.Refused = &Refused{Settings: Settings{Targets: following}, At: noon.Add(-24 * time.Hour)}
			},
			"change",
			ByFormula, following, 4, false, nil,
		},
		"less than what was taken back": {
			func(m *Measurement) {
				m.Record.Refused = &Refused{Settings: Settings{Targets: Targets{Backlog: 31, Rate: 24}}, At: noon}
			},
			"change",
			ByFormula, following, 4, false, nil,
		},
		"the drift alarm compares with something else": {
			func(m *Measurement) { m.ProcessingSeconds, m.Drift.ReferenceSeconds = 5, 9 }, "record", ByFormula,
			current, 5,
			false, []string{"the drift alarm compares with 9 s: it is given 5 s"},
		},
		"a worker that measures nothing": {
			func(m *Measurement) { m.ProcessingSeconds = 0 }, "no duration measured", ByFormula, current, 0, false, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := measurement(1000, 4)
			if test.change != nil {
				test.change(&m)
			}
			got := decide(t, m)
			changes := test.outcome == "change" || test.outcome == "record" || test.outcome == "hold"
			if got.Outcome != test.outcome || got.By != test.by || got.WorthChanging != changes {
				t.Errorf(
					"%q by %s, worth changing %v: %q; want %q by %s",
					got.Outcome,
					got.By,
					got.WorthChanging,
					got.Why,
					test.outcome,
					test.by,
				)
			}
			if got.Targets != test.targets || math.Abs(got.ReferenceSeconds-test.reference) > 0.01 ||
				got.StillOutside != test.again || got.Bounds != nil {
				t.Errorf("%v right for %g s, still outside %v, bounds %v; want %v right for %g s, %v", got.Targets,
					got.ReferenceSeconds, got.StillOutside, got.Bounds, test.targets, test.reference, test.again)
			}
			why := strings.Join(got.Why, "; ")
			for _, words := range test.says {
				if !strings.Contains(why, words) {
					t.Errorf("it says %q, not %q", why, words)
				}
			}
		})
	}
}

// TestHoldIsRecorded: what the record will say of a hold, and that a promise by hand is not the stack's, so that a
// deployment after the hold makes the targets anew.
func TestHoldIsRecorded(t *testing.T) {
	m := measurement(1000, 4)
	m.DelaySeconds, m.HoldUntil = 30, "2026-03-01T18:00:00Z"
	if got := decide(t, m); got.HoldUntil != m.HoldUntil || got.Promise.AcceptableDelaySeconds != 30 {
		t.Errorf("held until %q for %+v", got.HoldUntil, got.Promise)
	}
	m = measurement(1000, 4)
	m.Backlog = 20
	if got := decide(t, m); got.HoldUntil != UntilReleased || got.Promise != (Promise{}) {
		t.Errorf("held until %q for %+v", got.HoldUntil, got.Promise)
	}
	m = measurement(1000, 4)
	m.HoldUntil = UntilReleased
	if got := decide(t, m); got.HoldUntil != UntilReleased || got.Promise != PromiseOf(promise) {
		t.Errorf("held until %q for %+v", got.HoldUntil, got.Promise)
	}
	m = measurement(1000, 4)
	m.Record.HoldUntil = "2026-02-01T00:00:00Z" // over
	if got := decide(t, m); got.HoldUntil != "" {
		t.Errorf("held until %q", got.HoldUntil)
	}
}

// fakeChooser answers what it is told.
type fakeChooser struct {
	tuning Tuning
	chosen *Chosen
	err    error
	asked  int
	told   Tuning
}

func (f *fakeChooser) Choose(_ context.Context, _ Measurement, _ *History, inForce Tuning) (Tuning, *Chosen, error) {
	f.asked, f.told = f.asked+1, inForce
	return f.tuning, f.chosen, f.err
}

func TestChoiceByReplay(t *testing.T) {
	inForce := Bounds{MinTasks: 2, MaxTasks: 8}
	tuning := Tuning{Headroom: 4, Utilization: 0.7, Bounds: Bounds{MinTasks: 0, MaxTasks: 20}}
	chosen := &Chosen{By: ByReplay, Reason: "the cheapest"}
	for name, test := range map[string]struct {
		chooser fakeChooser
		change  func(*Measurement)
		d       func(*Decider)
		by      string
		targets Targets
		bounds  *Bounds
		says    string
	}{
		"chosen": {
			fakeChooser{tuning: tuning, chosen: chosen}, nil, nil, ByReplay, Targets{Backlog: 49, Rate: 8.4},
			&Bounds{MinTasks: 1, MaxTasks: 10}, "the bounds move from 2 to 8 tasks to 1 to 10 tasks",
		},
		"the band owns the bounds": {
			fakeChooser{tuning: tuning, chosen: chosen}, nil, func(d *Decider) { d.OwnsBounds = false }, ByReplay,
			Targets{Backlog: 49, Rate: 8.4}, nil, "the cheapest",
		},
		"it fails": {
			fakeChooser{err: errors.New("no time")}, nil, nil, ByFormula, Targets{Backlog: 13, Rate: 9.6}, nil,
			"the choice by replay failed, so the formula speaks: no time",
		},
		"switched off": {
			fakeChooser{tuning: tuning, chosen: chosen}, func(m *Measurement) { m.Choice = ByFormula }, nil, ByFormula,
			Targets{Backlog: 13, Rate: 9.6}, nil, "",
		},
		"switched off after it moved the bounds": {
			fakeChooser{}, func(m *Measurement) {
				m.Choice, m.Record.Tuning = ByFormula, &Tuning{Headroom: 4, Utilization: 0.7, Bounds: inForce}
			}, nil, ByFormula, Targets{Backlog: 13, Rate: 9.6}, &Bounds{MinTasks: 1, MaxTasks: 10},
			"the bounds move from 2 to 8 tasks to 1 to 10 tasks",
		},
		"held": {
			fakeChooser{tuning: tuning}, func(m *Measurement) { m.Record.HoldUntil = UntilReleased }, nil, ByFormula,
			Targets{Backlog: 13, Rate: 9.6}, nil, "held",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := measurement(1000, 5)
			m.Choice, m.Bounds = ByReplay, &inForce
			if test.change != nil {
				test.change(&m)
			}
			d := decider
			d.Chooser = &test.chooser
			if test.d != nil {
				test.d(&d)
			}
			got, err := d.Decide(t.Context(), DecideRequest{Measurement: m, History: &History{}})
			if err != nil {
				t.Fatal(err)
			}
			if got.By != test.by || math.Abs(got.Targets.Backlog-test.targets.Backlog) > 0.1 ||
				got.Targets.Rate != test.targets.Rate || !reflect.DeepEqual(got.Bounds, test.bounds) {
				t.Errorf(
					"%v and %v by %s; want %v and %v by %s",
					got.Targets,
					got.Bounds,
					got.By,
					test.targets,
					test.bounds,
					test.by,
				)
			}
			if why := strings.Join(got.Why, "; "); !strings.Contains(why, test.says) {
				t.Errorf("it says %q, not %q", why, test.says)
			}
			if got.Bounds != nil && !got.WorthChanging {
				t.Error("bounds that move are worth changing")
			}
		})
	}
}

// TestBoundsThatWereTakenBackAreNotTriedAgain, though those that allow more tasks are.
func TestBoundsThatWereTakenBackAreNotTriedAgain(t *testing.T) {
	for to, want := range map[Bounds]string{
		{MinTasks: 1, MaxTasks: 5}: outcomeRefused, {MinTasks: 1, MaxTasks: 4}: outcomeRefused,
		{MinTasks: 1, MaxTasks: 6}: outcomeChange, {MinTasks: 3, MaxTasks: 5}: outcomeChange,
	} {
		m := measurement(1000, 5)
		m.Choice, m.Bounds = ByReplay, &Bounds{MinTasks: 2, MaxTasks: 8}
		m.Record.Refused = &Refused{
			Settings: Settings{Targets: m.Current, Bounds: &Bounds{MinTasks: 1, MaxTasks: 5}}, At: noon.Add(-time.Hour),
		}
		d := decider
		d.Chooser = &fakeChooser{
			tuning: Tuning{Headroom: 1, Utilization: 0.8, Bounds: to}, chosen: &Chosen{By: ByReplay, Reason: "cheaper"},
		}
		got, err := d.Decide(t.Context(), DecideRequest{Measurement: m, History: &History{}})
		if err != nil || got.Outcome != want || (got.Bounds == nil) != (want == outcomeRefused) {
			t.Errorf("%v: %q, %v, %v; want %q", to, got.Outcome, got.Bounds, err, want)
		}
	}
}

// TestChoiceStartsFromWhatIsInForce: what an earlier choice chose, as long as the promise is the same.
func TestChoiceStartsFromWhatIsInForce(t *testing.T) {
	m := measurement(1000, 5)
	m.Choice, m.Bounds = ByReplay, &Bounds{MinTasks: 2, MaxTasks: 8}
	m.Record.Tuning = &Tuning{Headroom: 3, Utilization: 0.6}
	f := &fakeChooser{tuning: Tuning{Headroom: 1, Utilization: 0.8, Bounds: *m.Bounds}}
	d := decider
	d.Chooser = f
	for _, test := range []struct {
		promise Promise
		want    Tuning
	}{
		{PromiseOf(promise), Tuning{Headroom: 3, Utilization: 0.6, Bounds: *m.Bounds}},
		{Promise{}, Tuning{Headroom: 1, Utilization: 0.8, Bounds: *m.Bounds}},
	} {
		m.Record.Promise = test.promise
		if _, err := d.Decide(t.Context(), DecideRequest{Measurement: m, History: &History{}}); err != nil {
			t.Fatal(err)
		}
		if f.told != test.want {
			t.Errorf("told %+v, want %+v", f.told, test.want)
		}
	}
}

// TestDecisionsKeepTheirRails: whatever was measured, targets are ones that a policy can have, a run moves them by at
// most the factor, and what is not worth changing is not changed.
func TestDecisionsKeepTheirRails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := measurement(rapid.IntRange(0, 5000).Draw(t, "samples"), rapid.Float64Range(0, 1e5).Draw(t, "seconds"))
		m.Current = Targets{
			Backlog: rapid.Float64Range(1, 1000).
				Draw(t, "backlog"),
			Rate: rapid.Float64Range(0.01, 1000).Draw(t, "rate"),
		}
		m.ProcessingQuantiles = map[string]float64{"p95": rapid.Float64Range(0, 1e5).Draw(t, "p95")}
		m.Drift = Drift{
			ReferenceSeconds: rapid.Float64Range(0, 100).Draw(t, "reference"),
			RecentSeconds:    rapid.Float64Range(0, 100).Draw(t, "recent"),
		}
		got, err := decider.Decide(context.Background(), DecideRequest{Measurement: m})
		if err != nil {
			t.Fatal(err)
		}
		if !got.WorthChanging && got.Targets != m.Current {
			t.Errorf("not worth changing, but changed: %+v", got)
		}
		if got.Targets.Backlog < 1 || !(got.Targets.Rate > 0) {
			t.Errorf("targets %v", got.Targets)
		}
		moved := func(from, to float64) bool {
			return to > from*m.MaximumFactor*1.0001 || to < from/m.MaximumFactor/1.0001
		}
		if got.By == ByFormula && (moved(m.Current.Backlog, got.Targets.Backlog) && got.Targets.Backlog > 1 ||
			moved(m.Current.Rate, got.Targets.Rate)) {
			t.Errorf("from %v to %v is more than a factor of %g", m.Current, got.Targets, m.MaximumFactor)
		}
		if got.WorthChanging && got.ProcessingSeconds < backlog.ShortestProcessing.Seconds() {
			t.Errorf("a record of %g s", got.ProcessingSeconds)
		}
	})
}

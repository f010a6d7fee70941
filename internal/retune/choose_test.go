package retune

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/simulation/choice"
)

// day is the history of a day in minutes.
func day(sent func(minute int) float64) *History {
	values := make([]float64, 24*60)
	for i := range values {
		values[i] = math.Round(sent(i))
	}
	return &History{PeriodSeconds: 60, Sent: numbers(values), Processing: numbers(repeat(5, 96))}
}

func cycle(minute int) float64 { return 100 - 60*math.Cos(2*math.Pi*float64(minute)/1440) }

// bursts of five minutes, each half an hour.
func bursts(minute int) float64 {
	if minute%30 < 5 {
		return 400
	}
	return 10
}

// replaying is a decider that chooses by replay, and a measurement of a day at 5 s a message with the template's
// defaults in force.
func replaying() (Decider, Measurement) {
	asked := backlog.Promise{
		AcceptableDelay: time.Minute, Headroom: 4, Utilization: 0.8, Concurrency: 1, Period: time.Minute,
	}
	limits, rule := Bounds{MinTasks: 1, MaxTasks: 100}, DriftRule{Factor: 1.5, Periods: 5}
	m := Measurement{
		Request:           Request{Reason: "schedule", MinimumSamples: 30, MaximumFactor: 4, Choice: ByReplay},
		Window:            Window{From: noon.Add(-24 * time.Hour), To: noon, PeriodSeconds: 60},
		Samples:           144000,
		ProcessingSeconds: 5,
		ProcessingQuantiles: map[string]float64{
			"p10": 2.2, "p25": 3.1, "p50": 4.5, "p75": 6.3, "p90": 8.6, "p95": 10.2, "p99": 14,
		},
		Current: Targets{Backlog: 49, Rate: 9.6}, Bounds: &Bounds{MinTasks: 1, MaxTasks: 100},
		Drift: Drift{ReferenceSeconds: 5, RecentSeconds: 5},
	}
	return Decider{
		Promise: asked, Limits: limits, OwnsBounds: true, DriftRule: rule,
		Chooser: Replay{
			Promise: asked, Limits: limits, OwnsBounds: true, DriftRule: rule,
			ScaleOutCooldown: 5 * time.Minute, ScaleInCooldown: 5 * time.Minute,
		},
	}, m
}

func decided(t *testing.T, d Decider, m Measurement, h *History) Decision {
	t.Helper()
	decision, err := d.Decide(t.Context(), DecideRequest{Measurement: m, History: h})
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

func TestDecideChoosesByReplay(t *testing.T) {
	d, m := replaying()
	got := decided(t, d, m, day(cycle))
	c := got.Choice
	if got.By != ByReplay || c == nil || c.By != ByReplay || !got.WorthChanging || got.Outcome != outcomeChange {
		t.Fatalf("%+v", got)
	}
	if c.KeptPercent < 96 || c.ReplayedHours != 24 || len(c.Candidates) < 5 || len(c.Candidates) > choice.MostReplays {
		t.Errorf("kept %v of %v h, %d candidates", c.KeptPercent, c.ReplayedHours, len(c.Candidates))
	}
	if !strings.HasPrefix(c.Candidates[0], "headroom 4, utilisation 0.8, 1 to 100 tasks, scale-in proportional: ") {
		t.Errorf("the first candidate is not what is in force: %q", c.Candidates[0])
	}
	// A smooth day can do with less slack, and the targets say so.
	if got.Tuning != c.Tuning || got.Tuning.Utilization <= 0.8 {
		t.Errorf("tuning %+v, chosen %+v", got.Tuning, c.Tuning)
	}
	asked := d.Promise
	asked.Headroom, asked.Utilization = c.Headroom, c.Utilization
	if want, err := asked.Targets(5 * time.Second); err != nil || got.Targets != Targets(want.Rounded()) {
		t.Errorf("targets %+v, the arithmetic with what was chosen gives %+v (%v)", got.Targets, want, err)
	}
	if got.Promise != PromiseOf(d.Promise) {
		t.Errorf("the promise became %+v", got.Promise)
	}
	if !strings.Contains(strings.Join(got.Why, "; "), "chosen by replay: headroom") {
		t.Errorf("%q does not say who spoke", got.Why)
	}
	again := decided(t, d, m, day(cycle))
	if !reflect.DeepEqual(got, again) {
		t.Error("the same measurement gives another decision")
	}
	document, err := json.Marshal(got)
	if err != nil || len(document) > 10_000 {
		t.Errorf("the decision has %d bytes (%v): too many to read", len(document), err)
	}
}

func TestBurstsRaiseTheMinimum(t *testing.T) {
	d, m := replaying()
	got := decided(t, d, m, day(bursts))
	if got.Bounds == nil || got.Bounds.MinTasks < got.Choice.FixedTasks/2 || got.Bounds.MaxTasks > d.Limits.MaxTasks {
		t.Errorf("bounds %v; a fixed count of %d would keep the promise", got.Bounds, got.Choice.FixedTasks)
	}
	t.Run("not when they are somebody else's", func(t *testing.T) {
		replay := d.Chooser.(Replay)
		replay.OwnsBounds = false
		d.OwnsBounds, d.Chooser = false, replay
		got := decided(t, d, m, day(bursts))
		if got.Bounds != nil || got.Choice == nil || got.Choice.Bounds != *m.Bounds {
			t.Errorf("bounds %v, choice %+v", got.Bounds, got.Choice)
		}
	})
}

func TestWhenTheFormulaSpeaks(t *testing.T) {
	short := day(cycle)
	short.Sent = strings.Join(strings.Fields(short.Sent)[:59], " ")
	sparse := day(cycle)
	sparse.Sent = strings.Repeat("- ", 1400) + "5 5 5 5 5"
	garbled := day(cycle)
	garbled.Sent += " soon"
	for name, test := range map[string]struct {
		change  func(*Measurement)
		history *History
		why     string
	}{
		"switched off":   {func(m *Measurement) { m.Choice = ByFormula }, day(cycle), ""},
		"no history":     {func(*Measurement) {}, nil, ""},
		"short history":  {func(*Measurement) {}, short, "has arrivals of 59 periods, and a replay needs 60"},
		"sparse history": {func(*Measurement) {}, sparse, "the history has arrivals of 5 periods"},
		"broken history": {func(*Measurement) {}, garbled,
			`the choice by replay failed, so the formula speaks: the history's sent has "soon"`},
	} {
		t.Run(name, func(t *testing.T) {
			d, m := replaying()
			m.ProcessingSeconds = 10
			test.change(&m)
			got := decided(t, d, m, test.history)
			want := Targets{Backlog: 25, Rate: 4.8} // 1 + 4 × 60 / 10, and 60 × 0.8 / 10
			if got.By != ByFormula || got.Targets != want || got.Bounds != nil {
				t.Errorf("%s: %+v, bounds %v", got.By, got.Targets, got.Bounds)
			}
			if !strings.Contains(strings.Join(got.Why, "; "), test.why) {
				t.Errorf("%q, want %q in it", got.Why, test.why)
			}
		})
	}
}

func TestReplayInAFasterWorld(t *testing.T) {
	d, m := replaying()
	slow := decided(t, d, m, day(cycle))
	// The same world, 30 times as fast: every duration is divided by 30.
	asked, replay := d.Promise, d.Chooser.(Replay)
	asked.AcceptableDelay, asked.Period = 2*time.Second, 2*time.Second
	replay.Promise, replay.ScaleOutCooldown, replay.ScaleInCooldown = asked, 10*time.Second, 10*time.Second
	d.Promise, d.Chooser = asked, replay
	m.ProcessingSeconds /= 30
	quantiles := map[string]float64{}
	for name, value := range m.ProcessingQuantiles {
		quantiles[name] = value / 30
	}
	m.ProcessingQuantiles = quantiles
	h := day(cycle)
	h.PeriodSeconds, h.Processing = 2, numbers(repeat(5.0/30, 96))
	fast := decided(t, d, m, h)
	if fast.Tuning != slow.Tuning {
		t.Errorf("it chooses %+v, in the slow world %+v", fast.Tuning, slow.Tuning)
	}
	if ratio := slow.Choice.TaskHours / fast.Choice.TaskHours; math.Abs(ratio-30) > 0.3 {
		t.Errorf("task-hours %v there, %v here", slow.Choice.TaskHours, fast.Choice.TaskHours)
	}
	if fast.Choice.ReplayedHours != 0.8 {
		t.Errorf("replayed %v h, want 24 / 30", fast.Choice.ReplayedHours)
	}
}

func TestAReplayOutOfTimeLeavesItToTheFormula(t *testing.T) {
	d, m := replaying()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(conclusionTime))
	defer cancel()
	got, err := d.Decide(ctx, DecideRequest{Measurement: m, History: day(cycle)})
	if err != nil || got.By != ByFormula || !strings.Contains(strings.Join(got.Why, "; "), "deadline exceeded") {
		t.Errorf("%s, %q, %v", got.By, got.Why, err)
	}
}

// TestADayFitsIntoTheFunction holds what the function has: less than 10 s of a processor and 256 MB for a day of 100
// messages a minute. What the runtime took from the system is no less than what is resident.
func TestADayFitsIntoTheFunction(t *testing.T) {
	d, m := replaying()
	h := day(func(minute int) float64 { return 100 + 60*math.Sin(float64(minute)/60) })
	before := processorTime(t)
	got := decided(t, d, m, h)
	took := processorTime(t) - before
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d replays in %v of a processor, %.0f MB from the system", len(got.Choice.Candidates), took,
		float64(memory.Sys)/1e6)
	limit := 10 * time.Second
	if raced() {
		limit *= 10
	}
	if took > limit || !raced() && memory.Sys > 256e6 {
		t.Errorf("%v of a processor and %.0f MB", took, float64(memory.Sys)/1e6)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// raced tells whether the race detector is on, which makes everything slower and larger.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// BenchmarkDecideADay is a decision by replay of 24 hours at 100 messages a minute.
func BenchmarkDecideADay(b *testing.B) {
	d, m := replaying()
	h := day(func(minute int) float64 { return 100 + 60*math.Sin(float64(minute)/60) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decide(b.Context(), DecideRequest{Measurement: m, History: h}); err != nil {
			b.Fatal(err)
		}
	}
}

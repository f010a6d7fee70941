package choice

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// hours is a measured window: messages sent in each minute.
func hours(n int, sent func(minute int) float64) Window {
	w := Window{Period: time.Minute, Sent: make([]float64, n*60), Mean: 5 * time.Second, CV: 0.3}
	for i := range w.Sent {
		w.Sent[i] = sent(i)
	}
	return w
}

func smooth(minute int) float64 { return 90 - 60*math.Cos(2*math.Pi*float64(minute)/360) }

// bursts of five minutes, each half an hour: over before target tracking acts.
func bursts(minute int) float64 {
	if minute%30 < 5 {
		return 400
	}
	return 10
}

func request(w Window) Request {
	return Request{
		Window: w, Tuning: policy.Retuned(policy.Defaults()).(policy.Project),
		Bounds: tracking.Bounds{Min: 1, Max: 100}, Limits: tracking.Bounds{Min: 1, Max: 100},
		Delay: time.Minute, Keep: DefaultKeep, Margin: DefaultMargin,
		Assumptions: simulation.DefaultAssumptions(), Seed: 1,
	}
}

func choose(t testing.TB, r Request) Choice {
	t.Helper()
	c, err := Choose(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Candidates) > MostReplays {
		t.Errorf("%d replays, at most %d are allowed", len(c.Candidates), MostReplays)
	}
	for _, candidate := range c.Candidates {
		if b := candidate.Bounds; b.Min < r.Limits.Min || b.Max > r.Limits.Max || b.Min > b.Max {
			t.Errorf("a replay with %d to %d tasks, outside of %d to %d", b.Min, b.Max, r.Limits.Min, r.Limits.Max)
		}
	}
	return c
}

func TestASmoothLoadIsServedAtLessCost(t *testing.T) {
	c := choose(t, request(hours(6, smooth)))
	if before := c.Candidates[0]; !c.Better || c.Kept < 0.96 || c.TaskHours > 0.95*before.TaskHours {
		t.Errorf("chose %+v, which keeps %.3f for %.1f task-hours; before %.3f for %.1f",
			c.Settings, c.Kept, c.TaskHours, before.Kept, before.TaskHours)
	}
	if c.Utilization <= policy.Defaults().Utilization {
		t.Errorf("utilisation %v: a smooth load can do with less slack", c.Utilization)
	}
}

func TestBurstsNeedAMinimum(t *testing.T) {
	c := choose(t, request(hours(6, bursts)))
	if before := c.Candidates[0]; before.Kept > 0.9 {
		t.Fatalf("the settings in force keep %.3f of the bursts: the test needs harder ones", before.Kept)
	}
	if !c.Better || c.Kept < 0.96 || c.Bounds.Min < c.FixedTasks/2 {
		t.Errorf("chose %+v, which keeps %.3f; a fixed count of %d would", c.Settings, c.Kept, c.FixedTasks)
	}
}

func TestWhatCannotBeKeptIsSaid(t *testing.T) {
	r := request(hours(6, bursts))
	r.Limits.Max, r.Bounds.Max = 10, 10
	c := choose(t, r)
	if !strings.Contains(c.Reason, "keep the promise for this load") || c.Kept <= c.Candidates[0].Kept {
		t.Errorf("%q: keeps %.3f, before %.3f", c.Reason, c.Kept, c.Candidates[0].Kept)
	}
}

func TestTheBestSettingsStay(t *testing.T) {
	r := request(hours(6, smooth))
	first := choose(t, r)
	r.Tuning.Headroom, r.Tuning.Utilization, r.Bounds = first.Headroom, first.Utilization, first.Bounds
	if second := choose(t, r); second.TaskHours > first.TaskHours || second.Kept < 0.96 {
		t.Errorf("from the chosen settings it goes to %+v: %.3f for %.1f task-hours, from %.1f",
			second.Settings, second.Kept, second.TaskHours, first.TaskHours)
	}
}

func TestTheSameWindowGivesTheSameChoice(t *testing.T) {
	r := request(hours(6, bursts))
	if first, second := choose(t, r), choose(t, r); !reflect.DeepEqual(first, second) {
		t.Error("two choices from the same window differ")
	}
}

func TestARequestThatCannotBeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"needs a period":        func(r *Request) { r.Window.Period = 0 },
		"messages sent in each": func(r *Request) { r.Window.Sent = nil },
		"mean processing":       func(r *Request) { r.Window.Mean = 0 },
		"has no message":        func(r *Request) { r.Window.Sent = make([]float64, 100) },
		"that cannot be":        func(r *Request) { r.Limits.Max = 0 },
		"a share of 2":          func(r *Request) { r.Keep = 2 },
		"slow":                  func(r *Request) { r.Assumptions.Tracking.ScaleInPace = "slow" },
	} {
		r := request(hours(6, smooth))
		change(&r)
		_, err := Choose(context.Background(), r)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q in it", err, name)
		}
	}
}

func TestAWindowIsReplayedAsItWasMeasured(t *testing.T) {
	w := hours(6, smooth)
	w.Sent[3] = math.NaN()
	w.Processing = make([]time.Duration, len(w.Sent))
	for i := 180; i < 360; i++ {
		w.Processing[i] = 10 * time.Second // twice the mean in the second half
	}
	load, err := w.Load("window", 1)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for i, sent := range w.Sent {
		if i != 3 {
			total += math.Round(sent)
		}
	}
	if len(load.At) != int(total) {
		t.Errorf("%d messages, %v were sent", len(load.At), total)
	}
	var first, second, n, m float64
	for i, at := range load.At {
		if at < 3*time.Hour {
			first, n = first+load.Work[i].Seconds(), n+1
		} else {
			second, m = second+load.Work[i].Seconds(), m+1
		}
	}
	if math.Abs(first/n-5) > 0.1 || math.Abs(second/m-10) > 0.2 {
		t.Errorf("mean work %.2f s and %.2f s, measured 5 and 10", first/n, second/m)
	}
}

// BenchmarkDay is what a Lambda function has to do: 24 hours of 100 messages a minute, in under 10 s and 256 MB.
func BenchmarkDay(b *testing.B) {
	r := request(hours(24, func(minute int) float64 { return 100 + 50*math.Sin(float64(minute)/60) }))
	b.ReportAllocs()
	for b.Loop() {
		choose(b, r)
	}
}

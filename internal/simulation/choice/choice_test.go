package choice

import (
	"context"
	"math"
	"reflect"
	"slices"
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
	r.Limits.Max, r.Bounds.Max = 27, 27 // a little less than the bursts need
	c := choose(t, r)
	if c.Keeps || c.OutOfReach || !strings.Contains(c.Reason, "no settings") || c.Kept <= c.Candidates[0].Kept {
		t.Errorf("%q: keeps %.3f, before %.3f", c.Reason, c.Kept, c.Candidates[0].Kept)
	}
}

func TestWhatIsOutOfReachIsLeftToTheTemplate(t *testing.T) {
	r := request(hours(6, bursts))
	r.Limits.Max = 10
	r.Bounds = tracking.Bounds{Min: 8, Max: 10} // of an earlier choice
	r.Base = policy.Settings{Headroom: 3, Utilization: 0.77, Bounds: r.Limits}
	c := choose(t, r)
	if !c.OutOfReach || !c.Better || c.Settings != r.Base || !strings.Contains(c.Reason, "those of the template hold") {
		t.Errorf("%+v", c.Settings)
	}
	r.KeepBounds = true
	if c := choose(t, r); c.Bounds != r.Bounds || c.Headroom != 3 {
		t.Errorf("with bounds of somebody else %+v", c.Settings)
	}
}

func TestBoundsOfSomebodyElseAreLeftAlone(t *testing.T) {
	r := request(hours(6, bursts))
	r.KeepBounds = true
	for _, candidate := range choose(t, r).Candidates {
		if candidate.Bounds != r.Bounds {
			t.Errorf("a replay with %+v", candidate.Bounds)
		}
	}
}

// TestPricesAreAWeighing pins what a late message counts: where the promise is kept five late ones in a hundred are
// worth a quarter of the cost, and while it is not kept far more.
func TestPricesAreAWeighing(t *testing.T) {
	s := search{request: request(hours(1, smooth))}
	at := func(kept, hours float64) Candidate { return Candidate{Kept: kept, TaskHours: hours} }
	for _, test := range []struct {
		what          string
		better, worse Candidate
	}{
		{"the cheaper of two that keep as much", at(0.99, 10), at(0.99, 11)},
		{"the one that keeps more for as much", at(0.99, 10), at(0.98, 10)},
		{"a point for four hundredths", at(0.99, 10.4), at(0.98, 10)},
		{"but not for six", at(0.98, 10), at(0.99, 10.6)},
		{"below the goal a point for fourteen", at(0.95, 11.4), at(0.94, 10)},
		{"but not for twice the cost", at(0.94, 10), at(0.95, 20)},
	} {
		if !s.better(test.better, test.worse) || s.better(test.worse, test.better) {
			t.Error(test.what)
		}
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

func TestDurationsHaveTheMeasuredShape(t *testing.T) {
	w := hours(6, smooth)
	w.Mean = 10 * time.Second
	for _, q := range []struct{ share, seconds float64 }{{0.9, 30}, {0.5, 2}, {0.1, 1}, {0.95, 40}} { // in any order
		w.Quantiles = append(w.Quantiles, Quantile{q.share, time.Duration(q.seconds * float64(time.Second))})
	}
	load, err := w.Load("window", 1)
	if err != nil {
		t.Fatal(err)
	}
	sum, ordered := 0.0, slices.Clone(load.Work)
	for _, work := range ordered {
		sum += work.Seconds()
	}
	slices.Sort(ordered)
	at := func(share float64) float64 { return ordered[int(share*float64(len(ordered)))].Seconds() }
	if mean := sum / float64(len(ordered)); math.Abs(mean-10) > 0.3 {
		t.Errorf("mean %.2f s, measured 10", mean)
	}
	// The shape is kept, and scaled to the mean, which quantiles alone do not tell.
	if ratio := at(0.9) / at(0.5); math.Abs(ratio-15) > 1.5 {
		t.Errorf("the 90 %% quantile is %.1f times the median, measured 15", ratio)
	}
	if ratio := at(0.5) / at(0.1); math.Abs(ratio-2) > 0.3 {
		t.Errorf("the median is %.1f times the 10 %% quantile, measured 2", ratio)
	}
}

func TestALargeLoadIsReplayedFromItsEnd(t *testing.T) {
	w := hours(24, func(minute int) float64 { return float64(minute) })
	w.Processing = make([]time.Duration, len(w.Sent))
	cut := w.newest(100_000)
	sum := 0.0
	for _, sent := range cut.Sent {
		sum += sent
	}
	if sum > 100_000 || sum < 98_000 || cut.Sent[len(cut.Sent)-1] != 1439 || len(cut.Processing) != len(cut.Sent) {
		t.Errorf("%v messages in %d periods, %d durations", sum, len(cut.Sent), len(cut.Processing))
	}
	if all := w.newest(10_000_000); len(all.Sent) != len(w.Sent) {
		t.Errorf("%d periods are left of %d", len(all.Sent), len(w.Sent))
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

package backlog

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var usual = Rails{MinimumSamples: 30, MaximumFactor: 4, DeadBand: 0.05}

func TestPropose(t *testing.T) {
	made := Targets{Backlog: 13, Rate: 9.6} // for 5 s a message
	for name, test := range map[string]struct {
		current Targets
		reading Reading
		want    Targets
		change  bool
		rails   []Rail
		words   string
	}{
		"follows": {
			made, Reading{1000, 4 * time.Second}, Targets{Backlog: 16, Rate: 12}, true, nil, "",
		},
		"no samples": {
			made, Reading{}, made, false, []Rail{TooFewSamples},
			"0 samples are fewer than the minimum of 30",
		},
		"one sample too few": {made, Reading{29, time.Second}, made, false, []Rail{TooFewSamples}, "29 samples"},
		"just enough":        {made, Reading{30, 4 * time.Second}, Targets{Backlog: 16, Rate: 12}, true, nil, ""},
		"defect 4: a mean of 0": {
			made, Reading{1000, 0}, made, false, []Rail{NoDuration}, "a mean processing duration of 0s is no " +
				"measurement",
		},
		"negative mean": {made, Reading{1000, -1}, made, false, []Rail{NoDuration}, "-1ns"},
		"shorter than possible": {
			made, Reading{1000, time.Microsecond}, Targets{Backlog: 52, Rate: 38.4}, true,
			[]Rail{Clamp, FactorARun, FactorARun},
			"the mean processing duration of 1µs is taken as 1ms; the backlog target moves from 13 only to 52 on " +
				"its way " +
				"to 60000: at most a factor of 4 a run; the rate target moves from 9.6 only to 38.4",
		},
		"longer than possible": {
			made, Reading{1000, 24 * time.Hour}, Targets{Backlog: 3.25, Rate: 2.4}, true,
			[]Rail{Clamp, FactorARun, FactorARun}, "of 24h0m0s is taken as 12h0m0s",
		},
		"defect 4: jobs longer than the delay": {
			Targets{Backlog: 1.2, Rate: 0.1}, Reading{50, 900 * time.Second}, Targets{Backlog: 1.067, Rate: 0.05333},
			true, nil, "",
		},
		"factor downwards": {
			made, Reading{1000, 60 * time.Second}, Targets{Backlog: 3.25, Rate: 2.4}, true,
			[]Rail{FactorARun, FactorARun},
			"the backlog target moves from 13 only to 3.25 on its way to 2: at most a factor of 4 a run; " +
				"the rate target moves from 9.6 only to 2.4 on its way to 0.8",
		},
		"only one target bounded": {
			Targets{Backlog: 2, Rate: 0.1}, Reading{1000, 60 * time.Second}, Targets{Backlog: 2, Rate: 0.4}, true,
			[]Rail{FactorARun}, "the rate target moves from 0.1 only to 0.4",
		},
		"dead band": {
			made, Reading{1000, 4900 * time.Millisecond}, made, false, []Rail{WithinDeadBand},
			"both targets would change by at most 5 %",
		},
		"one target beyond the dead band moves both": {
			Targets{Backlog: 13, Rate: 8}, Reading{1000, 5 * time.Second},
			Targets{Backlog: 13, Rate: 9.6}, true, nil, "",
		},
		"target below the concurrency, set by hand": {
			Targets{Backlog: 0.1, Rate: 9.6}, Reading{1000, 5 * time.Second}, Targets{Backlog: 1, Rate: 9.6}, true,
			[]Rail{FactorARun, Clamp}, "the backlog target is raised from 0.4 to the 1 messages that a task works on",
		},
		"defect 4: a policy whose target is 0 is repaired": {
			Targets{}, Reading{1000, 5 * time.Second}, Targets{Backlog: 13, Rate: 9.6}, true, nil, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := usual.Propose(blueprint, test.current, test.reading)
			if err != nil {
				t.Fatal(err)
			}
			if got.Targets != test.want || got.Change != test.change {
				t.Errorf("got %v, change %v; want %v, %v", got.Targets, got.Change, test.want, test.change)
			}
			var rails []Rail
			var words []string
			for _, bound := range got.Bounds {
				rails, words = append(rails, bound.Rail), append(words, bound.Words)
			}
			if strings.Join(strs(rails), ",") != strings.Join(strs(test.rails), ",") {
				t.Errorf("bounds %v, want %v", rails, test.rails)
			}
			if said := strings.Join(words, "; "); !strings.Contains(said, test.words) {
				t.Errorf("it says %q, want %q", said, test.words)
			}
		})
	}
}

func TestDeadBandEdge(t *testing.T) {
	rails := Rails{MinimumSamples: 1, MaximumFactor: 4, DeadBand: 0.05}
	for _, test := range []struct {
		rate   float64
		change bool
	}{
		{9.6 / 1.05, false}, {9.6 / 1.051, true}, {9.6 / 0.95, false}, {9.6 / 0.949, true},
	} {
		got, err := rails.Propose(blueprint, Targets{Backlog: 13, Rate: test.rate}, Reading{1, 5 * time.Second})
		if err != nil || got.Change != test.change {
			t.Errorf("from %g to 9.6: change %v, %v; want %v", test.rate, got.Change, err, test.change)
		}
	}
}

func TestProposeRefusesNonsense(t *testing.T) {
	for want, rails := range map[string]Rails{
		"minimum of samples is 0; allowed: 1 to 1000000000": {0, 4, 0.05},
		"maximum factor is 1; allowed: 1.1 to 1000":         {30, 1, 0.05},
		"maximum factor is NaN":                             {30, math.NaN(), 0.05},
		"dead band is 1; allowed: 0 to less than 1":         {30, 4, 1},
		"dead band is -0.1":                                 {30, 4, -0.1},
	} {
		_, err := rails.Propose(blueprint, Targets{13, 9.6}, Reading{1000, time.Second})
		var value *ValueError
		if !errors.As(err, &value) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a *ValueError that says %q", err, want)
		}
	}
	if _, err := usual.Propose(Promise{}, Targets{13, 9.6}, Reading{1000, time.Second}); err == nil {
		t.Error("a promise of nothing is accepted")
	}
}

func TestProposeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		promise := anyPromise(t)
		rails := Rails{
			MinimumSamples: rapid.IntRange(1, 100).Draw(t, "minimum"),
			MaximumFactor:  rapid.Float64Range(LeastFactor, 100).Draw(t, "factor"),
			DeadBand:       rapid.Float64Range(0, 0.5).Draw(t, "dead band"),
		}
		positive := rapid.Float64Range(1e-6, 1e6)
		current := Targets{Backlog: positive.Draw(t, "backlog"), Rate: positive.Draw(t, "rate")}
		reading := Reading{
			Samples: rapid.IntRange(-1, 200).Draw(t, "samples"),
			Mean:    time.Duration(rapid.Int64Range(-1, int64(2*LongestProcessing)).Draw(t, "mean")),
		}
		got, err := rails.Propose(promise, current, reading)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := rails.Propose(promise, current, reading)
		if again.Targets != got.Targets || again.Change != got.Change {
			t.Error("the same question has two answers")
		}
		if !got.Change {
			if got.Targets != current || len(got.Bounds) == 0 {
				t.Errorf("kept, but %v became %v, with %d reasons", current, got.Targets, len(got.Bounds))
			}
			return
		}
		if got.Targets.Backlog < float64(promise.Concurrency) {
			t.Errorf("the backlog target %g is below the concurrency %d", got.Targets.Backlog, promise.Concurrency)
		}
		most := rails.MaximumFactor * (1 + 1e-9)
		raised := got.Targets.Backlog == float64(promise.Concurrency)
		if f := got.Targets.Backlog / current.Backlog; (f > most && !raised) || f < 1/most {
			t.Errorf("the backlog target moved by a factor of %g", f)
		}
		if f := got.Targets.Rate / current.Rate; f > most || f < 1/most {
			t.Errorf("the rate target moved by a factor of %g", f)
		}
	})
}

// TestRunsConverge checks that the rails delay, but do not prevent: with the same reading, run after run ends at the
// wanted targets, give or take the dead band.
func TestRunsConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		processing := time.Duration(rapid.Int64Range(int64(ShortestProcessing), int64(time.Hour)).Draw(t, "processing"))
		current := Targets{Backlog: 13, Rate: 9.6}
		for range 20 {
			proposal, err := usual.Propose(blueprint, current, Reading{1000, processing})
			if err != nil {
				t.Fatal(err)
			}
			current = proposal.Targets
			if proposal.Change {
				continue
			}
			wanted, _ := blueprint.Targets(processing)
			if math.Abs(current.Rate-wanted.Rate) > 0.051*current.Rate ||
				math.Abs(current.Backlog-wanted.Backlog) > 0.051*current.Backlog {
				t.Errorf("ended at %v, wanted %v", current, wanted)
			}
			return
		}
		t.Errorf("still moving after 20 runs: %v", current)
	})
}

func strs(rails []Rail) []string {
	out := make([]string, len(rails))
	for i, rail := range rails {
		out[i] = string(rail)
	}
	return out
}

package backlog

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// blueprint is the promise of the template's defaults.
var blueprint = Promise{
	AcceptableDelay: 60 * time.Second, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: 60 * time.Second,
}

func TestTargets(t *testing.T) {
	for name, test := range map[string]struct {
		change     func(*Promise)
		processing time.Duration
		want       Targets
	}{
		"template defaults": {nil, 5 * time.Second, Targets{Backlog: 13, Rate: 9.6}},
		"10 s delay, 300 ms a message": {
			func(p *Promise) { p.AcceptableDelay = 10 * time.Second }, 300 * time.Millisecond,
			Targets{Backlog: 34.33, Rate: 160},
		},
		"defect 4: jobs of 900 s with a delay of 60 s need no target below 1": {
			nil, 900 * time.Second, Targets{Backlog: 1.067, Rate: 0.05333},
		},
		"four at once": {
			func(p *Promise) { p.Concurrency = 4 }, 5 * time.Second, Targets{Backlog: 52, Rate: 38.4},
		},
		"no headroom": {func(p *Promise) { p.Headroom = 0 }, 5 * time.Second, Targets{Backlog: 1, Rate: 9.6}},
		"half the delay": {
			func(p *Promise) { p.Headroom = 0.5 }, 5 * time.Second, Targets{Backlog: 7, Rate: 9.6},
		},
		"scaled world, 30 times as fast": {
			func(p *Promise) { p.AcceptableDelay, p.Period = 2*time.Second, 2*time.Second },
			5 * time.Second / 30, Targets{Backlog: 13, Rate: 9.6},
		},
		"shortest duration": {nil, time.Nanosecond, Targets{Backlog: 6e10, Rate: 4.8e10}},
	} {
		t.Run(name, func(t *testing.T) {
			promise := blueprint
			if test.change != nil {
				test.change(&promise)
			}
			got, err := promise.Targets(test.processing)
			if err != nil {
				t.Fatal(err)
			}
			if got.Rounded() != test.want {
				t.Errorf("got %v, want %v", got.Rounded(), test.want)
			}
		})
	}
}

func TestTargetsRefuseNonsense(t *testing.T) {
	for name, test := range map[string]struct {
		change     func(*Promise)
		processing time.Duration
		want       string
	}{
		"defect 4: a mean of 0": {nil, 0, "processing duration is 0s; allowed: more than 0s"},
		"negative mean":         {nil, -time.Second, "processing duration is -1s; allowed: more than 0s"},
		"no delay": {
			func(p *Promise) { p.AcceptableDelay = 0 }, time.Second,
			"acceptable delay is 0s; allowed: more than 0s, at most 336h0m0s",
		},
		"delay beyond SQS's retention": {
			func(p *Promise) { p.AcceptableDelay = LongestDelay + 1 }, time.Second, "acceptable delay is " +
				"336h0m0.000000001s",
		},
		"negative headroom": {
			func(p *Promise) { p.Headroom = -0.1 }, time.Second, "headroom is -0.1; allowed: 0 to 100",
		},
		"headroom not a number": {func(p *Promise) { p.Headroom = math.NaN() }, time.Second, "headroom is NaN"},
		"utilisation 0": {
			func(p *Promise) { p.Utilization = 0 }, time.Second, "utilisation is 0; allowed: more than 0 and less " +
				"than 1",
		},
		"utilisation 1":   {func(p *Promise) { p.Utilization = 1 }, time.Second, "utilisation is 1"},
		"utilisation NaN": {func(p *Promise) { p.Utilization = math.NaN() }, time.Second, "utilisation is NaN"},
		"concurrency 0": {func(p *Promise) { p.Concurrency = 0 }, time.Second, "concurrency is 0; allowed: 1 " +
			"to 1000"},
		"concurrency 1001":  {func(p *Promise) { p.Concurrency = 1001 }, time.Second, "concurrency is 1001"},
		"no period":         {func(p *Promise) { p.Period = 0 }, time.Second, "metric period is 0s"},
		"period of a month": {func(p *Promise) { p.Period = 720 * time.Hour }, time.Second, "at most 24h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			promise := blueprint
			if test.change != nil {
				test.change(&promise)
			}
			_, err := promise.Targets(test.processing)
			var value *ValueError
			if !errors.As(err, &value) {
				t.Fatalf("got %v, want a *ValueError", err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want it to say %q", err, test.want)
			}
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := Promise{Headroom: -1}.Validate()
	for _, field := range []string{"acceptable delay", "headroom", "utilisation", "concurrency", "metric period"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
}

func TestPerTask(t *testing.T) {
	for _, test := range []struct {
		messages, tasks int
		want            float64
	}{
		{0, 0, 0}, {7, 0, 7}, {7, 1, 7}, {7, 2, 3.5}, {0, 3, 0},
	} {
		if got, err := PerTask(test.messages, test.tasks); err != nil || got != test.want {
			t.Errorf("%d messages, %d tasks: got %g, %v; want %g", test.messages, test.tasks, got, err, test.want)
		}
	}
	for _, bad := range [][2]int{{-1, 1}, {1, -1}} {
		var value *ValueError
		if _, err := PerTask(bad[0], bad[1]); !errors.As(err, &value) {
			t.Errorf("%v: got %v, want a *ValueError", bad, err)
		}
	}
}

// anyPromise draws a valid promise.
func anyPromise(t *rapid.T) Promise {
	return Promise{
		AcceptableDelay: time.Duration(rapid.Int64Range(1, int64(LongestDelay)).Draw(t, "delay")),
		Headroom:        rapid.Float64Range(0, MostHeadroom).Draw(t, "headroom"),
		Utilization:     rapid.Float64Range(0.001, 0.999).Draw(t, "utilisation"),
		Concurrency:     rapid.IntRange(1, MostConcurrency).Draw(t, "concurrency"),
		Period:          time.Duration(rapid.Int64Range(1, int64(LongestPeriod)).Draw(t, "period")),
	}
}

func anyProcessing(t *rapid.T) time.Duration {
	return time.Duration(rapid.Int64Range(1, int64(LongestProcessing)).Draw(t, "processing"))
}

func TestTargetsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		promise, processing := anyPromise(t), anyProcessing(t)
		got, err := promise.Targets(processing)
		if err != nil {
			t.Fatal(err)
		}
		if got.Backlog < float64(promise.Concurrency) || math.IsInf(got.Backlog, 0) {
			t.Errorf(
				"the backlog target %g is below the concurrency %d, or not finite",
				got.Backlog,
				promise.Concurrency,
			)
		}
		if !(got.Rate > 0) || math.IsInf(got.Rate, 0) {
			t.Errorf("the rate target %g is not a positive number", got.Rate)
		}
		longer, err := promise.Targets(2 * processing)
		if err != nil {
			t.Fatal(err)
		}
		if longer.Backlog > got.Backlog || longer.Rate >= got.Rate {
			t.Errorf("longer jobs allow more: %v for %v, %v for twice that", got, processing, longer)
		}
	})
}

// TestPromiseHolds checks what the backlog target is for: with headroom 1, a task that holds exactly the target works
// off what waits within the delay.
func TestPromiseHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		promise, processing := anyPromise(t), anyProcessing(t)
		promise.Headroom = 1
		got, err := promise.Targets(processing)
		if err != nil {
			t.Fatal(err)
		}
		waiting := got.Backlog - float64(promise.Concurrency)
		wait := waiting * processing.Seconds() / float64(promise.Concurrency)
		if delay := promise.AcceptableDelay.Seconds(); math.Abs(wait-delay) > 1e-6*delay+1e-6 {
			t.Errorf("the last message waits %g s, not %g s", wait, delay)
		}
	})
}

// TestScaledWorld checks that no target changes when all durations are divided by the same number.
func TestScaledWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		promise, processing := blueprint, time.Duration(rapid.Int64Range(1e9, 1e12).Draw(t, "processing"))
		speed := time.Duration(rapid.IntRange(1, 100).Draw(t, "speed"))
		scaled := promise
		scaled.AcceptableDelay /= speed
		scaled.Period /= speed
		want, err1 := promise.Targets(processing)
		got, err2 := scaled.Targets(processing / speed)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !near(got.Backlog, want.Backlog) || !near(got.Rate, want.Rate) {
			t.Errorf("at speed %d: %v, want %v", speed, got, want)
		}
	})
}

func TestRounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := math.Pow(10, rapid.Float64Range(-20, 20).Draw(t, "exponent"))
		got := Targets{Backlog: value, Rate: value}.Rounded()
		if math.Abs(got.Rate-value) > 0.0005*value+1e-300 {
			t.Errorf("%g became %g", value, got.Rate)
		}
		if len(strings.TrimLeft(strings.SplitN(fmt.Sprintf("%e", got.Rate), "e", 2)[0], "-")) > 8 {
			t.Errorf("%g has more digits than a person wants", got.Rate)
		}
	})
	for _, odd := range []float64{0, math.Inf(1), 1e308, 1e-308} {
		if got := significant(odd, 4); got != odd {
			t.Errorf("significant(%g) = %g", odd, got)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

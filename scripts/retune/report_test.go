package main

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/retune"
	"sqs-dynamic-target-tracking/internal/terminal"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReport(t *testing.T) {
	for _, name := range []string{"applied", "too-few-samples"} {
		t.Run(name, func(t *testing.T) {
			output, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			outcome, err := retune.ReadOutcome(output)
			if err != nil {
				t.Fatal(err)
			}
			got := report(outcome)
			golden(t, name+".golden", got)
		})
	}
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestOnlyGivenFlagsEnterTheInput(t *testing.T) {
	tests := []struct {
		args string
		want map[string]any
	}{
		{"", map[string]any{"reason": "by hand"}},
		{"-dry-run", map[string]any{"reason": "by hand", "dryRun": true}},
		{"-reason slower -window 90s -minimum-samples 5 -maximum-factor 2", map[string]any{
			"reason": "slower", "windowMinutes": 1.5, "minimumSamples": 5, "maximumFactor": 2.0,
		}},
		{"-watch 0s -on-busy skip -choice formula", map[string]any{
			"reason": "by hand", "watchMinutes": 0.0, "onBusy": "skip", "choice": "formula",
		}},
		{"-delay 30s -hold-until 8h", map[string]any{
			"reason": "by hand", "delaySeconds": 30.0, "holdUntil": "2026-03-01T20:00:00Z",
		}},
		{"-target backlog=20,rate=9.5 -hold-until 2026-03-02T08:00:00+02:00", map[string]any{
			"reason": "by hand", "backlogTarget": 20.0, "rateTarget": 9.5, "holdUntil": "2026-03-02T06:00:00Z",
		}},
		{"-hold-until released", map[string]any{"reason": "by hand", "holdUntil": "released"}},
		{"-release", map[string]any{"reason": "by hand", "release": true}},
	}
	for _, test := range tests {
		o, err := parse(strings.Fields(test.args), now)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(o.input, test.want) {
			t.Errorf("%q gives the input %v, want %v", test.args, o.input, test.want)
		}
		// What the flags let through, the machine takes.
		document, err := json.Marshal(o.input)
		if err != nil {
			t.Fatal(err)
		}
		defaults := retune.Request{Reason: "x", OnBusy: "wait", WindowMinutes: 60, MinimumSamples: 1, MaximumFactor: 2,
			Choice: "formula"}
		if _, err := retune.ParseRequest(document, defaults, now); err != nil {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}

// TestBadFlagsAreRefusedByName: nothing is started, and the message says which flag it was.
func TestBadFlagsAreRefusedByName(t *testing.T) {
	for args, want := range map[string]string{
		"now":                              `"now"`,
		"-window 48h":                      `"48h" for flag -window: allowed are 1s to 24h0m0s`,
		"-window soon":                     `for flag -window: give a number with a unit`,
		"-watch 25h":                       `for flag -watch: allowed are 0s to 24h0m0s`,
		"-minimum-samples 0":               `for flag -minimum-samples: allowed are the whole numbers 1 to 1000000000`,
		"-maximum-factor 1":                `for flag -maximum-factor: allowed are 1.1 to 1000`,
		"-delay 0s":                        `for flag -delay: allowed are 1ms to`,
		"-target 20":                       `for flag -target: "20" is not backlog=`,
		"-target backlog=-1":               `for flag -target: "backlog=-1" is not backlog=`,
		"-hold-until yesterday":            `for flag -hold-until: give a time to come like 2026-03-01T20:00:00Z`,
		"-hold-until 2026-03-01T11:59:59Z": `for flag -hold-until`,
		"-on-busy hurry":                   `for flag -on-busy: allowed are skip and wait`,
		"-choice guess":                    `for flag -choice: allowed are formula and replay`,
		"-delay 30s -target rate=9":        "-delay and -target exclude each other",
		"-release -hold-until 8h":          "-release excludes",
		"-history -dry-run":                "-history starts no retune",
		"-history -last 0":                 "-last 0",
	} {
		_, err := parse(strings.Fields(args), now)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", args, err, want)
		}
	}
}

func TestHistory(t *testing.T) {
	kept := 96.5
	run := func(at time.Duration, reason, outcome string, before, after float64, why ...string) retune.Run {
		return retune.Run{
			At: now.Add(at), Execution: "e" + reason, Reason: reason, Outcome: outcome, By: "formula", Why: why,
			Samples: 1234, ProcessingSeconds: 4.25, P95Seconds: 9, PromisePercent: &kept,
			Before: retune.Settings{Targets: retune.Targets{Backlog: before, Rate: 9.6}},
			After: retune.Settings{Targets: retune.Targets{Backlog: after, Rate: 9.6},
				Bounds: &retune.Bounds{MinTasks: 1, MaxTasks: 10}},
		}
	}
	runs := []retune.Run{
		run(-time.Hour, "schedule", "kept: within the dead band", 13, 13),
		run(-10*time.Minute, "drift", "applied", 13, 15.12),
		run(0, "the new model is said to be much slower than the old", "taken back", 15.12, 13, "worse: the promise"),
	}
	runs[0].Before.Bounds = &retune.Bounds{MinTasks: 1, MaxTasks: 20}
	runs[0].P95Seconds, runs[0].PromisePercent = 0, nil
	golden(t, "history.golden", historyTable(runs))
	if got := historyTable(nil); !strings.Contains(got, "no retune") {
		t.Errorf("got %q", got)
	}
}

// TestFollowerKnowsTheMachine: the steps that it tells of, and the one before which it reports, are states.
func TestFollowerKnowsTheMachine(t *testing.T) {
	definition, err := os.ReadFile("../../statemachines/retune.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("report.go")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile(`"((?:[A-Z]\w+ ?)+\??)"`).FindAllSubmatch(source, -1)
	for _, step := range steps {
		if !strings.Contains(string(definition), string(step[0])+": {") {
			t.Errorf("%s is no state", step[0])
		}
	}
	if len(steps) < 9 {
		t.Errorf("only %d steps", len(steps))
	}
}

// TestFollower: each step is told with what came of it, the report comes before the watch, and its end after it.
func TestFollower(t *testing.T) {
	var out strings.Builder
	f := follower{screen: terminal.NewLog(&out)}
	say := func(name, output string) {
		step := execution.Step{Name: name, Duration: time.Second, Output: json.RawMessage(output)}
		if line := f.step(step); line != "" {
			out.WriteString(line + "\n")
		}
	}
	say("Take Turn", `{"answer":"go","summary":"nothing else is at work"}`)
	say("My Turn?", `{}`)
	say(
		"Measure Duration",
		`{"measurement":{"summary":"2400 messages took 8.8 s","samples":2400,"processingSeconds":8.8,
		"watchMinutes":30,"window":{"from":"2026-01-01T11:00:00Z","to":"2026-01-01T12:00:00Z",
		"begins":"1h0m0s before"}}}`,
	)
	say(
		"Decide Targets",
		`{"outcome":"change","summary":"from 13 to 7.82","current":{"backlogTarget":13,"rateTarget":9.6},
		"wanted":{"backlogTarget":7.82,"rateTarget":5.45},"targets":{"backlogTarget":7.82,"rateTarget":5.45},
		"why":["because"]}`,
	)
	say("Apply Targets", `{"summary":"orders-backlog from 13 to 7.82","before":{"backlogTarget":13,"rateTarget":9.6},
		"after":{"backlogTarget":7.82,"rateTarget":5.45},"notes":["no alarm"]}`)
	say("Publish", `{"parameter":"/orders/tuning"}`)
	say("Watch Change?", `{}`)
	outcome := f.known
	outcome.Outcome = "taken back"
	outcome.Compared = &retune.Comparison{Summary: "worse: 95 % before and 80 % since", Worse: true,
		Before: &retune.Figures{
			From:    now,
			To:      now,
			Samples: 100,
		}, After: &retune.Figures{From: now, To: now, Samples: 90}}
	outcome.Restored = &retune.Applied{Summary: "orders-backlog from 7.82 to 13"}
	f.end(outcome)
	golden(t, "followed.golden", out.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s (%v) reads\n%s\nwant\n%s", path, err, got, want)
	}
}

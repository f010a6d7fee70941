package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

func simulated(t *testing.T, args ...string) string {
	t.Helper()
	o, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(context.Background(), &out, terminal.NewLog(io.Discard), o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFilesAreWritten(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	out := simulated(
		t,
		"-load",
		"poisson",
		"-length",
		"1h",
		"-policies",
		"project,keda,fixed:5",
		"-sweep",
		"headroom=1+4",
		"-html",
		path("r.html"),
		"-svg",
		path("svg"),
		"-png",
		path("png"),
		"-csv",
		path("points.csv"),
		"-series",
		path("series"),
	)
	for _, want := range []string{"fixed:5", "clairvoyant plan", "On the front of 2 settings"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	for _, name := range []string{
		"r.html", "svg/together.svg", "svg/cost-against-promise.svg", "svg/sweep.svg", "svg/keda.svg", "points.csv",
		"png/together.png", "png/cost-against-promise.png", "png/sweep.png", "png/keda.png",
		"series/fixed-5.csv",
	} {
		if info, err := os.Stat(path(name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONAloneCanBePiped(t *testing.T) {
	var decoded map[string]any
	out := simulated(t, "-length", "1h", "-policies", "guide", "-json", "-")
	if err := json.Unmarshal([]byte(out), &decoded); err != nil {
		t.Errorf("%v in:\n%s", err, out)
	}
}

func TestAssumptionsAreListed(t *testing.T) {
	out := simulated(t, "-assume", "startUp=90", "-assumptions")
	if !strings.Contains(out, "startUp              90 s           OBS") {
		t.Errorf("startUp is not listed with its value and evidence:\n%s", out)
	}
}

func TestAnAssumedPaceIsAChoice(t *testing.T) {
	for args, want := range map[string][]tracking.Pace{
		"":                                  {tracking.Proportional, tracking.OneAtATime},
		"-assume scaleInPace=one-at-a-time": {tracking.OneAtATime},
		"-pace proportional":                {tracking.Proportional},
	} {
		o, err := parse(strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := o.paces(); len(got) != len(want) || got[0] != want[0] {
			t.Errorf("%q: paces %v, want %v", args, got, want)
		}
	}
}

func TestLoads(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		args     string
		messages int // within 5 %
		length   time.Duration
		work     float64 // mean, seconds, within 5 %
	}{
		{"-length 1h", 3000, time.Hour, 5},
		{"-load constant -rate 10 -length 1h", 600, time.Hour, 5},
		{"-load poisson -busy 8 -length 10h", 57600, 10 * time.Hour, 5},
		{"-load diurnal:0.8 -busy 2 -durations lognormal:20,1", 8640, 24 * time.Hour, 20},
		{"-load onoff:10m,20m -rate 60 -length 10h", 36000, 10 * time.Hour, 5},
		{"-load azure_llm_code_1h_10s", 8768, 57*time.Minute + 10*time.Second, 5},
		{"-load azure_llm_code_1h_10s -rate 20 -length 12h", 14400, 12 * time.Hour, 5},
		{"-load poisson -busy 4 -length 6h -drift 2h=1,2h1m=3", 17280, 6 * time.Hour, 11.65},
		{"-load " + file("bins.csv", "offset_s,arrivals\n0,60\n60,120\n"), 180, 2 * time.Minute, 5},
		{"-load " + file("requests.csv", "offset_s,duration_s\n0,1\n1.5,2\n9,3\n"), 3, 9*time.Second + 1, 2},
		{"-load constant -rate 60 -length 1h -durations empirical:" + file("d.txt", "2\n4\n"), 3600, time.Hour, 3},
	} {
		o, err := parse(strings.Fields(test.args))
		if err != nil {
			t.Fatal(err)
		}
		load, err := o.load.build(1)
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		near := func(got, want float64) bool { return got > 0.95*want && got < 1.05*want }
		if !near(float64(len(load.At)), float64(test.messages)) || load.Length != test.length ||
			!near(load.MeanWork().Seconds(), test.work) {
			t.Errorf("%s: %d messages in %v, %.3f s each; want %d in %v, %v s each", test.args,
				len(load.At), load.Length, load.MeanWork().Seconds(), test.messages, test.length, test.work)
		}
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for args, want := range map[string]string{
		"extra":                                  `unexpected argument "extra"`,
		"-goal 0":                                "-goal 0",
		"-pace fast":                             `-pace "fast"`,
		"-local":                                 "-from-stack",
		"-from-stack x -days 40":                 "15 days",
		"-from-stack x -suite":                   "-suite",
		"-assume startUp":                        "an assumption is name=value or a file",
		"-assume speed=1":                        `no assumption "speed"`,
		"-policies magic":                        `no policy "magic"`,
		"-load nowhere.csv":                      "nowhere.csv",
		"-load onoff:5":                          "onoff:10m,20m",
		"-load diurnal:2":                        "0 to 1",
		"-durations short":                       "-durations short",
		"-durations fixed:0":                     "above 0",
		"-durations lognormal:x":                 "coefficient of variation",
		"-drift 8h":                              "-drift",
		"-drift 8h=1,7h=2":                       "ascending",
		"-sweep speed=1:2:1 -policies guide":     "sweep",
		"-min 5 -max 2":                          "-min 5 -max 2",
		"-rate -3":                               "-rate -3",
		"-rate Inf":                              "-rate +Inf",
		"-rate 5 -busy 2":                        "give one",
		"-busy NaN":                              "-busy NaN",
		"-groups -1":                             "-groups -1",
		"-load poisson -rate 1e9":                "lower -rate",
		"-concurrency 0":                         "-concurrency 0",
		"-tasks 5000 -max 10":                    "-tasks 5000",
		"-from 3h -to 1h":                        "-from 3h0m0s",
		"-utilization 1":                         "-utilization 1",
		"-sweep headroom=0:9:0.0001":             "larger step",
		"-sweep headroom=0:9:0.1,min=0:500:1":    "at most 10000",
		"-length -1h":                            "length",
		"-delay -5s":                             "-delay -5s",
		"-durations empirical:/does/not/exist.x": "no such file",
	} {
		o, err := parse(strings.Fields(args))
		if err == nil {
			o.load.length = orElseDuration(o.load.length, time.Hour)
			err = run(context.Background(), io.Discard, terminal.NewLog(io.Discard), o)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", args, err, want)
		}
	}
}

func orElseDuration(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func TestAFileOfRequestsIsRefusedByLine(t *testing.T) {
	for content, want := range map[string]string{
		"offset_s,duration_s\n5,1\n3,1\n":  "line 3: the offset 3s",
		"offset_s,duration_s\n-1,1\n":      "line 2: the offset -1s",
		"offset_s,duration_s\n1,1\n2,0\n":  "line 3: the duration 0s",
		"offset_s,duration_s\n1,1\n2,no\n": "line 3",
		"":                                 "the file is empty",
	} {
		path := filepath.Join(t.TempDir(), "requests.csv")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		spec := loadSpec{name: path, durations: "fixed:5"}
		if _, err := spec.build(1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", content, err, want)
		}
	}
}

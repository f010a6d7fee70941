package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// TestTheFiguresOfTheBand on short loads: a row for each policy and age of the counts, and one for each world.
func TestTheFiguresOfTheBand(t *testing.T) {
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	short := loadSpec{name: "onoff:5m,10m", busy: 4, durations: "fixed:5", length: time.Hour}
	p := &bandPage{
		options: o, screen: terminal.NewLog(io.Discard), paces: []tracking.Pace{tracking.Proportional},
		loads: []suiteLoad{{"short", "", short, 20}, {"another", "", short, 20}},
	}
	if err := p.peers(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := p.worlds(context.Background()); err != nil {
		t.Fatal(err)
	}
	text := p.text.String()
	for _, want := range []string{
		"### The goals", "| short | 99.9 / 1.15 |", "### Against its peers, scale-in proportional",
		"| band, counts 0 s old |", "| band, counts 60 s old |", "| keda, counts 30 s old |", "| project |",
		"| (best fixed count) |", "| **delay 20 s**: band |", "| without |",
		"| **looks stop after 12 h, no dead man**: band |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the figures lack %q:\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		cells := regexp.MustCompile(`^\| .* \| [0-9.]+ / [0-9.]+ \| [0-9.]+ / [0-9.]+ \|$`)
		if strings.HasPrefix(line, "| band") && !cells.MatchString(line) {
			t.Errorf("a row without its cells: %s", line)
		}
	}
}

func TestGoalsAreForTheLoadsOfTheSuite(t *testing.T) {
	if len(bandGoals) != len(suiteLoads()) {
		t.Errorf("%d goals for %d loads", len(bandGoals), len(suiteLoads()))
	}
}

func TestThePageOfTheBandHasAPlaceForItsFigures(t *testing.T) {
	before, after, err := around("../../docs/band.md")
	if err != nil || before == "" || after == "" {
		t.Fatalf("%v", err)
	}
	for _, picture := range regexp.MustCompile(`\]\((band/[^)]+)\)`).FindAllStringSubmatch(before+after, -1) {
		if _, err := os.Stat(filepath.Join("../../docs", picture[1])); err != nil {
			t.Error(err)
		}
	}
	empty := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(empty, []byte("# nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"-band", empty})
	if err != nil {
		t.Fatal(err)
	}
	err = run(context.Background(), io.Discard, terminal.NewLog(io.Discard), o)
	if err == nil || !strings.Contains(err.Error(), "has no place for the figures") {
		t.Errorf("got %v", err)
	}
}

//go:build local

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/produce"
	deployed "sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// TestLocalStory is the whole system: the program itself, with the real SAM CLI, real Lambda binaries and real worker
// processes. It fails when a message is lost or done twice, for then run does.
func TestLocalStory(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	o := options{
		root: root, speed: 30, stack: "story", trace: "azure_llm_conv_1h_10s", rate: 40, minTasks: 1, maxTasks: 10,
		parts: []string{scalingPart},
	}
	err = run(ctx, terminal.NewLog(&told), o)
	t.Logf("the story:\n%s", told.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`lost\s+0\n`, `done twice\s+0\n`, // no job is lost or done twice
		`longer messages\s+\d.*dry run: nothing changed`,
		`longer messages\s+\d+\.\d+ → \d+\.\d+\s+\d+\.\d+ → \d+\.\d+\s+applied`, // both targets move
		`produce\s+succeeded\s+\d+`,
		`\d+ → \d+ tasks\s+monitor alarm AlarmHigh in state ALARM`,
		`\d+ → \d+ tasks\s+monitor alarm AlarmLow in state ALARM`,
	} {
		if !regexp.MustCompile(want).MatchString(told.String()) {
			t.Errorf("the story does not tell %s", want)
		}
	}
	pictures, err := filepath.Glob(filepath.Join(root, ".local", "run", "*", "story.svg"))
	if err != nil || len(pictures) == 0 {
		t.Errorf("no picture was drawn: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, ".local", "running.env")); !os.IsNotExist(err) {
		t.Errorf("the environment file of the closed engine is still there: %v", err)
	}
}

// TestLocalReleases brings a good version and four bad ones out while load runs. It fails when one of them does not end
// as it should, or a message is lost or done twice, for then run does.
func TestLocalReleases(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	// The usual name is long: names that CloudFormation generates are cut.
	o := options{root: root, speed: 20, stack: deployed.DefaultName, minTasks: 1, maxTasks: 10,
		parts: []string{deploymentsPart}}
	err = run(ctx, terminal.NewLog(&told), o)
	t.Logf("the story:\n%s", told.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`side by side\s+[1-9]\d* old tasks and [1-9]\d* new ones run`,
		`rolled out\s+\d+ of \d+ tasks run it; never fewer than [1-9]`,
		`Send Canary\s+answered by sqs-dynamic-target-tracking-worker:2`,
		`Send Canary\s+CanaryFailed: sqs-dynamic-target-tracking-worker:3: the table of results has no column total`,
		`good\s+verified\s.*tracking-worker:2 `,
		`canary\s+VersionRolledBack\s.*tracking-worker:2\s+1\s+the new version took the canary and failed`,
		`crash\s+RolloutStoppedByECS\s.*tracking-worker:2\s+2\s.*circuit breaker`, // by ECS, and by the action
		`slow\s+VersionRolledBack\s.*tracking-worker:2\s+1\s+messages take longer`,
		`poison\s+VersionRolledBack\s.*tracking-worker:2\s+1\s+\d+ messages were set aside`,
		`set aside\s+[1-9]\d*, and [1-9]\d* of them brought back and processed`,
		`lost\s+0\n`, `done twice\s+0\n`,
	} {
		if !regexp.MustCompile(want).MatchString(told.String()) {
			t.Errorf("the story does not tell %s", want)
		}
	}
}

// TestLocalBursts plays the same bursts without the band and with it: the band moves the bounds, more messages start in
// time, and nothing else is to be seen of it.
func TestLocalBursts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	o := options{root: root, speed: 20, stack: "bursts", minTasks: 1, maxTasks: 10, parts: []string{burstPart}}
	err = run(ctx, terminal.NewLog(&told), o)
	t.Logf("the story:\n%s", told.String())
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`started within 60 s\s+(\d+\.\d) %\s+(\d+\.\d) %`).FindStringSubmatch(told.String())
	if row == nil {
		t.Fatal("the story does not set the two side by side")
	}
	alone, _ := strconv.ParseFloat(row[1], 64)
	banded, _ := strconv.ParseFloat(row[2], 64)
	if banded <= alone {
		t.Errorf("with the band %g %% of the messages start in time, %g %% without it", banded, alone)
	}
	for _, want := range []string{`bounds moved\s+0 times\s+[1-9]\d* times`, `lost\s+0\n`, `done twice\s+0\n`} {
		if !regexp.MustCompile(want).MatchString(told.String()) {
			t.Errorf("the story does not tell %s", want)
		}
	}
}

// TestLocalFromZero is one message for a service without tasks: a task starts for it, and when nothing more comes the
// service goes back to zero.
func TestLocalFromZero(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	w, err := setUp(ctx, terminal.NewLog(t.Output()), options{root: root, speed: 30, stack: "zero", maxTasks: 3})
	if w.cloud != nil {
		defer func() { _ = w.cloud.Close() }()
	}
	if err != nil {
		t.Fatal(err)
	}
	camera := newCamera(w)
	until := func(what string, met func(scene) bool) {
		t.Helper()
		for {
			seen, err := camera.look(ctx)
			if err != nil {
				t.Fatalf("waiting until %s: %v", what, err)
			}
			if met(seen) {
				t.Logf("%s: %s", clock(seen.at), what)
				return
			}
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				t.Fatalf("waiting until %s: %v; last seen: %s", what, err, seen.line())
			}
		}
	}
	until("no task runs", func(s scene) bool { return s.tasks.Running == 0 && s.tasks.Desired == 0 })

	spec, err := w.spec("one", firstDuration)
	if err != nil {
		t.Fatal(err)
	}
	sender := &produce.Sender{Client: w.sqs, QueueURL: w.queueURL}
	if _, err := sender.Send(ctx, []produce.Message{spec.Message(0)}); err != nil {
		t.Fatal(err)
	}
	until("a task runs for one message", func(s scene) bool { return s.tasks.Running == 1 })
	until("the message is processed", func(s scene) bool { return s.account.Processed == 1 })
	until("no task runs again", func(s scene) bool { return s.tasks.Running == 0 && s.tasks.Desired == 0 })
	if account := w.ledger.Account(w.queue); account.Sent != 1 || account.Open != 0 || account.Repeated != 0 {
		t.Errorf("the account is %+v, want one message, processed once", account)
	}
}

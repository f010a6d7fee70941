package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestVersionsAreThere: each version has its handler, and bad ones end as bad ones.
func TestVersionsAreThere(t *testing.T) {
	bad := 0
	for _, v := range versions {
		if _, err := os.Stat(filepath.Join("..", "..", versionsFolder, v.name+".go")); err != nil {
			t.Error(err)
		}
		if v.ends != verified {
			bad++
		}
	}
	if bad != 4 || versions[0].ends != verified {
		t.Errorf("%d of %d versions are bad, and the first ends %s", bad, len(versions), versions[0].ends)
	}
}

// TestAReleaseHasToEndAsItShould: whatever else happens is an error that says what.
func TestAReleaseHasToEndAsItShould(t *testing.T) {
	good, slow := versions[0], version{name: "slow", about: "four times as slow", ends: rolledBack}
	for _, test := range []struct {
		release
		ok bool
	}{
		{release{version: good, from: "w:1", to: "w:2", runs: "w:2", ended: verified}, true},
		{release{version: good, from: "w:1", to: "w:2", runs: "w:1", ended: rolledBack}, false},
		{release{version: good, from: "w:1", to: "w:2", runs: "w:2", ended: "no traffic"}, false},
		{release{version: slow, from: "w:1", to: "w:2", runs: "w:1", ended: rolledBack}, true},
		{release{version: slow, from: "w:1", to: "w:2", runs: "w:2", ended: verified}, false},
		{release{version: slow, from: "w:1", to: "w:2", runs: "w:2", ended: rolledBack}, false}, // it says so only
	} {
		err := test.check()
		if (err == nil) != test.ok {
			t.Errorf("%s ended %s with %s running: %v", test.name, test.ended, test.runs, err)
		}
		if err != nil && !strings.Contains(err.Error(), test.ends) {
			t.Errorf("%v does not say how it had to end", err)
		}
	}
}

func TestReleaseTable(t *testing.T) {
	got := releaseTable([]release{
		{version: versions[0], began: began.Add(18 * time.Second), took: 20 * time.Second, to: "w:2", runs: "w:2",
			ended: verified, notified: 1, told: "w:2: verified: 236 messages processed in 21 s"},
		{version: versions[3], began: began.Add(40 * time.Second), took: 15 * time.Second, to: "w:3", runs: "w:2",
			ended: rolledBack, notified: 1, told: "w:3: rolled back: messages take longer: " + strings.Repeat("x", 99)},
	}, func(at time.Time) string { return clock(20 * at.Sub(began)) },
		func(d time.Duration) time.Duration { return 20 * d })
	want := strings.Join([]string{
		"deployments   version   ended               after   runs now   notified   " +
			"because (in seconds of this machine)",
		"  06:00       good      verified            06:40   w:2        1          236 messages processed in 21 s",
		"  13:20       slow      VersionRolledBack   05:00   w:2        1          messages take longer: " +
			strings.Repeat("x", 50) + "…",
		"",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSubjectOfANotification(t *testing.T) {
	for body, want := range map[string]string{
		`{"Type":"Notification","Subject":"ALARM: \"dlq\" in x","Message":"{}"}`:            `ALARM: "dlq" in x`,
		`{"Subject":"EventBridge Notification","Message":"\"The pipeline p\"\n\"ended.\""}`: "The pipeline p",
		`{"Message":"one line"}`: "one line",
		`no envelope`:            "no envelope",
	} {
		if got := subjectOf(body); got != want {
			t.Errorf("subjectOf(%s) is %q, want %q", body, got, want)
		}
	}
}

func TestRolloutOf(t *testing.T) {
	type state = types.DeploymentRolloutState
	deployment := func(definition, status string, at state, running int32) types.Deployment {
		return types.Deployment{TaskDefinition: &definition, Status: &status, RolloutState: at, RunningCount: running}
	}
	const done, failed, going = types.DeploymentRolloutStateCompleted, types.DeploymentRolloutStateFailed,
		types.DeploymentRolloutStateInProgress
	for _, test := range []struct {
		name string
		all  []types.Deployment
		own  types.DeploymentRolloutState // blank: gone
		old  int32
		back bool
	}{
		{"side by side", []types.Deployment{
			deployment("new", "PRIMARY", going, 1), deployment("old", "ACTIVE", done, 3)}, going, 3, false},
		{"done, old ones still stop", []types.Deployment{
			deployment("new", "PRIMARY", done, 3), deployment("old", "ACTIVE", done, 2)}, done, 2, false},
		{"done", []types.Deployment{deployment("new", "PRIMARY", done, 3)}, done, 0, false},
		{"failed, on its way back", []types.Deployment{
			deployment("new", "ACTIVE", failed, 0), deployment("old", "PRIMARY", going, 2)}, failed, 2, false},
		{"failed, and back", []types.Deployment{deployment("old", "PRIMARY", done, 3)}, "", 3, true},
	} {
		own, old, back := rolloutOf(test.all, "new")
		state := types.DeploymentRolloutState("")
		if own != nil {
			state = own.RolloutState
		}
		if state != test.own || old != test.old || back != test.back {
			t.Errorf("%s: %q, %d old tasks, back %v", test.name, state, old, back)
		}
	}
}

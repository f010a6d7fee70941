package verify

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	version := Version{TaskDefinition: "worker:8", Image: "registry/worker@" + badDigest}
	bad := Outcome{Verdict: Unhealthy, Problems: []string{"tasks crashed"}}
	for name, test := range map[string]struct {
		rollout   Rollout
		outcome   Outcome
		rollback  RollbackStatus
		want      Result
		wantError string
		wantSays  string
	}{
		"good": {Rollout{Status: RolloutCompleted}, Outcome{Verdict: Healthy, After: Measured{Processed: 40,
			Seconds: 300}}, "",
			Verified, "", "40 messages processed in 300 s"},
		"no traffic is not healthy": {Rollout{Status: RolloutCompleted}, Outcome{Verdict: NoTraffic}, "",
			VerifiedIdle, "", "no traffic: no message came"},
		"inconclusive": {Rollout{Status: RolloutCompleted}, Outcome{Verdict: Inconclusive,
			Notes: []string{"nobody answered"}}, "",
			NotProved, "", "nobody answered"},
		"taken back": {Rollout{Status: RolloutCompleted}, bad, RollbackDone,
			RolledBack, "VersionRolledBack", "tasks crashed"},
		"a failed rollout taken back": {Rollout{Status: RolloutFailed, Summary: "ECS gave up"}, Outcome{}, RollbackDone,
			RolledBack, "VersionRolledBack", "the rollout is failed: ECS gave up"},
		"a slow rollout taken back": {Rollout{Status: RolloutSlow, Summary: "1 of 2"}, Outcome{}, RollbackDone,
			RolledBack, "VersionRolledBack", "the rollout is slow: 1 of 2"},
		"report only": {Rollout{Status: RolloutCompleted}, bad, RollbackNotWanted,
			ReportedOnly, "VersionBad", "tasks crashed"},
		"not taken back: failed": {Rollout{Status: RolloutCompleted}, bad, RollbackFailed,
			NotRolledBack, "VersionNotRolledBack", "why not"},
		"not taken back: slow": {Rollout{Status: RolloutCompleted}, bad, RollbackSlow,
			NotRolledBack, "VersionNotRolledBack", "why not"},
		"not taken back: nowhere": {Rollout{Status: RolloutCompleted}, bad, RollbackNowhere,
			NotRolledBack, "VersionNotRolledBack", "why not"},
		"overtaken while bad": {Rollout{Status: RolloutCompleted}, bad, RollbackSuperseded,
			CameTooLate, "VersionSuperseded", "why not"},
		"overtaken": {Rollout{Status: RolloutSuperseded, Summary: "to worker:9"}, Outcome{}, "",
			CameTooLate, "VersionSuperseded", "to worker:9"},
		"stopped by ECS": {Rollout{Status: RolloutRolledBack, Summary: "to worker:7"}, Outcome{}, "",
			StoppedByECS, "RolloutStoppedByECS", "to worker:7"},
		"never deployed": {Rollout{Status: RolloutNotDeployed, Summary: "it runs worker:7"}, Outcome{}, "",
			NeverDeployed, "VersionNotDeployed", "it runs"},
		"deleted": {Rollout{Status: RolloutGone, Summary: "gone"}, Outcome{}, "",
			ServiceDeleted, "ServiceMissing", "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			request := ReportRequest{
				Execution: "arn:aws:states:eu-central-1:123456789012:execution:stack-verify:pipeline-1",
				Plan: Plan{Expected: version, Before: &Version{TaskDefinition: "worker:7"}, Reason: "pipeline",
					Change: "4f2c — ü"},
				Rollout: test.rollout, Outcome: test.outcome,
				Rollback: Rollback{Status: test.rollback, Summary: "why not"},
			}
			got, err := Reporter{Stack: strings.Repeat("stack", 20)}.Report(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if got.Result != test.want || got.Error != test.wantError || got.OK != (test.wantError == "") {
				t.Errorf("result is %s with error %q, want %s with %q", got.Result, got.Error, test.want,
					test.wantError)
			}
			if !strings.HasPrefix(got.Summary, "worker:8: ") || !strings.Contains(got.Summary, test.wantSays) {
				t.Errorf("summary is %q, want %q in it", got.Summary, test.wantSays)
			}
			if got.OK {
				if got.Subject != "" || got.Message != "" {
					t.Errorf("a good end has a notification: %q", got.Subject)
				}
				return
			}
			printable := func(r rune) bool { return r >= ' ' && r <= '~' }
			if len(got.Subject) > 100 || strings.TrimFunc(got.Subject, printable) != "" {
				t.Errorf("SNS refuses the subject %q", got.Subject)
			}
			for _, want := range []string{
				test.wantSays, "4f2c — ü", badDigest, "worker:7",
				"https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/v2/executions/" +
					"details/arn:aws:states:",
			} {
				if !strings.Contains(got.Message, want) {
					t.Errorf("the message lacks %q:\n%s", want, got.Message)
				}
			}
		})
	}
}

// The alarm of the dead-letter queue is held back while a version is verified, so the report says what it would.
func TestReportTellsOfDeadLetters(t *testing.T) {
	for left, want := range map[int]bool{0: false, 3: true} {
		got, err := Reporter{Stack: "jobs"}.Report(t.Context(), ReportRequest{
			Plan:    Plan{Expected: Version{TaskDefinition: "worker:8"}},
			Outcome: Outcome{Verdict: Unhealthy, DeadLetters: left}, Rollback: Rollback{Status: RollbackDone},
		})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got.Message, "3 more messages lie in the dead-letter queue") != want {
			t.Errorf("with %d dead letters the message is\n%s", left, got.Message)
		}
	}
}

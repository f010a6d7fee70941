package retune

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/stepinput"
)

func TestRequestIsCheckedWhole(t *testing.T) {
	for input, want := range map[string]string{
		`{"reason":""}`:    `reason is ""; allowed: a text of 1 to 200 characters`,
		`{"dryRun":"yes"}`: `dryRun is "yes"; allowed: true or false`,
		`{"dryrun":true}`: "dryrun is not a field of the input; allowed: reason, dryRun, windowMinutes, " +
			"minimumSamples",
		`{"windowMinutes":0}`:      "windowMinutes is 0; allowed: a number from 0.016",
		`{"windowMinutes":1441}`:   "windowMinutes is 1441; allowed: a number from 0.016",
		`{"minimumSamples":0}`:     "minimumSamples is 0; allowed: a whole number from 1 to 1000000000",
		`{"minimumSamples":1.5}`:   "minimumSamples is 1.5",
		`{"maximumFactor":1}`:      "maximumFactor is 1; allowed: a number from 1.1 to 1000",
		`{"maximumFactor":"fast"}`: `maximumFactor is "fast"`,
		`{"onBusy":"hurry"}`:       `onBusy is "hurry"; allowed: one of "skip", "wait"`,
		`{"watchMinutes":-1}`:      "watchMinutes is -1; allowed: a number from 0 to 1440",
		`{"choice":"guess"}`:       `choice is "guess"; allowed: one of "formula", "replay"`,
		`{"delaySeconds":0}`:       "delaySeconds is 0; allowed: a number from 0.001",
		`{"backlogTarget":-1}`:     "backlogTarget is -1",
		`{"rateTarget":null}`:      "rateTarget is null",
		`{"holdUntil":"2026-03-01T12:00:00Z"}`: `holdUntil is "2026-03-01T12:00:00Z"; allowed: a time to come like ` +
			`2026-03-01T13:00:00Z, or "released"`,
		`{"holdUntil":"tonight"}`:                 `holdUntil is "tonight"`,
		`{"delaySeconds":30,"rateTarget":9}`:      "no target beside it",
		`{"release":true,"holdUntil":"released"}`: "either release the targets or set them",
		`"now"`: `the input is "now"; allowed: a JSON object`,
	} {
		_, err := ParseRequest(json.RawMessage(input), defaults, noon)
		var invalid *stepinput.InvalidInput
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want *InvalidInput that says %q", input, err, want)
		}
	}
}

func TestRequestByHand(t *testing.T) {
	for input, want := range map[string]string{
		`{}`:                   "",
		`{"release":true}`:     "",
		`{"delaySeconds":30}`:  UntilReleased,
		`{"backlogTarget":20}`: UntilReleased,
		`{"rateTarget":9,"holdUntil":"2026-03-01T14:00:00+01:00"}`: "2026-03-01T14:00:00+01:00",
		`{"holdUntil":"released"}`:                                 UntilReleased,
	} {
		got, err := ParseRequest(json.RawMessage(input), defaults, noon)
		if err != nil || got.hold() != want || got.setByHand() != (want != "") {
			t.Errorf("%s holds until %q, %v; want %q", input, got.hold(), err, want)
		}
	}
}

// FuzzRequest checks that whatever is accepted is in range, and whatever is refused is so by the name that the machine
// matches.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"reason":null}`,
		`{"reason":"x","dryRun":true,"windowMinutes":0.5,"minimumSamples":1,"maximumFactor":1.1}`,
		`{"delaySeconds":30,"holdUntil":"2026-03-02T00:00:00Z","watchMinutes":0}`,
		`{"backlogTarget":2,"release":false}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		got, err := ParseRequest(json.RawMessage(input), defaults, noon)
		if err != nil {
			var invalid *stepinput.InvalidInput
			if !errors.As(err, &invalid) {
				t.Errorf("%q: %T", input, err)
			}
			return
		}
		if got.Reason == "" || !(got.WindowMinutes > 0 && got.WindowMinutes <= 1440) || got.MinimumSamples < 1 ||
			!(got.MaximumFactor >= 1.1 && got.MaximumFactor <= 1000) {
			t.Errorf("%q became %+v", input, got)
		}
	})
}

// TestTheInputIsDescribed: each field of the input is in the page about the retune and in the comment of its machine.
func TestTheInputIsDescribed(t *testing.T) {
	_, err := ParseRequest(json.RawMessage(`{"x":1}`), defaults, noon)
	_, list, _ := strings.Cut(err.Error(), "allowed: ")
	fields := strings.Split(list, ", ")
	if len(fields) != 13 {
		t.Errorf("fields %q", fields)
	}
	for _, file := range []string{"../../docs/retune.md", "../../statemachines/retune.asl.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range fields {
			if !regexp.MustCompile(`\b` + field + `\b`).Match(text) {
				t.Errorf("%s does not say what %s is", file, field)
			}
		}
	}
}

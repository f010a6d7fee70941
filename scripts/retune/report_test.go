package main

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReport(t *testing.T) {
	for _, name := range []string{"applied", "too-few-samples"} {
		t.Run(name, func(t *testing.T) {
			output, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := readReport(output)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the report reads\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestReportRefusesWhatIsNoOutcome(t *testing.T) {
	if _, err := readReport(json.RawMessage(`[]`)); err == nil {
		t.Error("a list was taken for the output of a retune")
	}
}

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
	}
	for _, test := range tests {
		o, err := parse(strings.Fields(test.args))
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(o.input, test.want) {
			t.Errorf("%q gives the input %v, want %v", test.args, o.input, test.want)
		}
	}
	if _, err := parse([]string{"now"}); err == nil || !strings.Contains(err.Error(), `"now"`) {
		t.Errorf("got error %v for an argument without a flag", err)
	}
}

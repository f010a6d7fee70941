package retune

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

var update = flag.Bool("update", false, "write the golden files anew")

func measurement(samples int, processing float64) Measurement {
	kept := 96.5
	return Measurement{
		Summary:            "as measured",
		Execution:          arn,
		Request:            defaults,
		Window:             Window{From: noon.Add(-LongestWindow), To: noon, PeriodSeconds: 60},
		Samples:            samples,
		ProcessingSeconds:  processing,
		PromiseKeptPercent: &kept,
		Current:            Targets{Backlog: 13, Rate: 9.6},
		Drift:              Drift{ReferenceSeconds: 5},
		Record: &Record{
			ProcessingSeconds: 5,
			Targets:           Targets{Backlog: 13, Rate: 9.6},
			MeasuredAt:        noon.Add(-time.Hour),
			Promise:           PromiseOf(promise),
			Execution:         "before",
		},
	}
}

var decider = Decider{
	Promise: promise, Limits: Bounds{MinTasks: 1, MaxTasks: 10}, OwnsBounds: true,
	DriftRule: DriftRule{Factor: 1.5, Periods: 5},
}

func decide(t *testing.T, m Measurement) Decision {
	t.Helper()
	got, err := decider.Decide(t.Context(), DecideRequest{Measurement: m})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDecide(t *testing.T) {
	held := func(until string) func(*Measurement) {
		return func(m *Measurement) {
			m.Record.HoldUntil = until
		}
	}
	kept := Targets{Backlog: 13, Rate: 9.6}
	unrecorded := func(record *Record) func(*Measurement) { return func(m *Measurement) { m.Record = record } }
	const inBand = "both targets would change by at most 5 %"
	const notNamed = "the tuning record does not name them: it is written, so that a deployment keeps them"
	for name, test := range map[string]struct {
		samples    int
		processing float64
		change     func(*Measurement)
		outcome    string
		targets    Targets
		why        []string
	}{
		"follows": {1000, 4, nil, "change", Targets{Backlog: 16, Rate: 12}, nil},
		"within dead band": {1000, 4.95, nil, "within the dead band", kept, []string{"both targets would change " +
			"by at most 5 %"}},
		"defect 6: nothing recorded yet": {1000, 4.95, unrecorded(nil), "record", kept, []string{inBand, notNamed}},
		"defect 6: something else recorded": {
			1000, 4.95, unrecorded(&Record{Targets: Targets{Backlog: 12, Rate: 9}}), "record", kept,
			[]string{inBand, notNamed},
		},
		"something else recorded, but held": {
			1000, 4.95, unrecorded(&Record{Targets: Targets{Backlog: 12, Rate: 9}, HoldUntil: "2026-03-01T18:00:00Z"}),
			"targets are held", kept, []string{
				"the targets are held until 2026-03-01T18:00:00Z",
				"those in force are others, set by somebody else since: they are left alone too",
			},
		},
		"too few samples, nothing recorded": {
			29, 4, unrecorded(nil), "too few samples", kept, []string{"29 samples are fewer than the minimum of 30"},
		},
		"too few samples": {29, 4, nil, "too few samples", kept, []string{"29 samples are fewer than the minimum " +
			"of 30"}},
		"defect 4: a mean of 0": {1000, 0, nil, "no duration measured", kept, []string{
			"a mean processing duration of 0s is no measurement; look at what the worker publishes",
		}},
		"defect 4: a mean above the delay": {1000, 900, nil, "change", Targets{Backlog: 3.25, Rate: 2.4}, []string{
			"the backlog target moves from 13 only to 3.25 on its way to 1.067: at most a factor of 4 a run",
			"the rate target moves from 9.6 only to 2.4 on its way to 0.05333: at most a factor of 4 a run",
		}},
		"another factor": {
			1000, 900, func(m *Measurement) { m.MaximumFactor = 1000 }, "change",
			Targets{Backlog: 1.067, Rate: 0.05333}, nil,
		},
		"held": {1000, 4, held("2026-03-01T18:00:00Z"), "targets are held", kept, []string{
			"the targets are held until 2026-03-01T18:00:00Z",
		}},
		"hold is over": {1000, 4, held("2026-03-01T12:00:00Z"), "change", Targets{Backlog: 16, Rate: 12}, nil},
		"held, and dead band": {
			1000, 5, held("2026-03-01T18:00:00Z"), "targets are held", kept,
			[]string{"the targets are held until 2026-03-01T18:00:00Z"},
		},
		"a record without hold": {1000, 4, held(""), "change", Targets{Backlog: 16, Rate: 12}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := measurement(test.samples, test.processing)
			if test.change != nil {
				test.change(&m)
			}
			got := decide(t, m)
			if got.Outcome != test.outcome ||
				got.WorthChanging != (test.outcome == "change" || test.outcome == "record") {
				t.Errorf("outcome %q, worth changing %v; want %q", got.Outcome, got.WorthChanging, test.outcome)
			}
			if got.Targets != test.targets || got.Current != m.Current || !slices.Equal(got.Why, test.why) {
				t.Errorf("targets %v because %q; want %v because %q", got.Targets, got.Why, test.targets, test.why)
			}
		})
	}
}

// TestOutputForPeople compares the outputs that people read in the console with golden files.
func TestOutputForPeople(t *testing.T) {
	m := measurement(1234, 1)
	decision := decide(t, m)
	few := measurement(3, 1)
	few.MinimumSamples = 3
	few.ProcessingSeconds = 4.9
	kept := decide(t, few)
	golden(t, "change.json", decision)
	golden(t, "kept.json", kept)
	golden(t, "measured.json", m)
}

func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != string(got)+"\n" {
		t.Errorf("%s differs (%v); run with -update and look at the change:\n%s", path, err, got)
	}
}

func TestDecideRefusesNonsense(t *testing.T) {
	m := measurement(1000, 4)
	m.MaximumFactor = 0
	for _, test := range []struct {
		promise     backlog.Promise
		measurement Measurement
	}{{backlog.Promise{}, measurement(1000, 4)}, {promise, m}} {
		var value *backlog.ValueError
		d := decider
		d.Promise = test.promise
		if _, err := d.Decide(t.Context(), DecideRequest{Measurement: test.measurement}); !errors.As(err, &value) {
			t.Errorf("got %v, want *backlog.ValueError", err)
		}
	}
}

package tracking

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestCatalogueIsComplete: every assumption is listed once, in order, with evidence and a source.
func TestCatalogueIsComplete(t *testing.T) {
	fields := reflect.VisibleFields(reflect.TypeFor[Assumptions]())
	known := Catalogue()
	if len(known) != len(fields) {
		t.Fatalf("%d entries for %d fields", len(known), len(fields))
	}
	for i, k := range known {
		if k.Field != fields[i].Name {
			t.Errorf("entry %d is %s, want %s", i, k.Field, fields[i].Name)
		}
		switch k.Evidence {
		case Documented, Observed, Inferred, Unknown:
		default:
			t.Errorf("%s: evidence %q", k.Field, k.Evidence)
		}
		if k.Source == "" {
			t.Errorf("%s: no source", k.Field)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	if err := DefaultAssumptions().Validate(); err != nil {
		t.Fatal(err)
	}
	if err := DefaultAssumptions().Scaled(37).Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Assumptions){
		"Period":           func(a *Assumptions) { a.Period = 0 },
		"AlarmLag":         func(a *Assumptions) { a.AlarmLag = -time.Second },
		"HighDatapoints":   func(a *Assumptions) { a.HighDatapoints = 4 },
		"LowDatapoints":    func(a *Assumptions) { a.LowDatapoints = 0 },
		"LowRatio":         func(a *Assumptions) { a.LowRatio = 1.1 },
		"ExtraDatapoints":  func(a *Assumptions) { a.ExtraDatapoints = -1 },
		"ZeroDatapoints":   func(a *Assumptions) { a.ZeroDatapoints = 0 },
		"Datapoint":        func(a *Assumptions) { a.Datapoint = "oldest" },
		"ScaleInPace":      func(a *Assumptions) { a.ScaleInPace = "" },
		"CooldownStart":    func(a *Assumptions) { a.CooldownStart = "" },
		"CooldownScope":    func(a *Assumptions) { a.CooldownScope = "" },
		"CooldownBasis":    func(a *Assumptions) { a.CooldownBasis = "" },
		"ScaleInCooldown":  func(a *Assumptions) { a.ScaleInCooldown = -1 },
		"ScaleOutCooldown": func(a *Assumptions) { a.ScaleOutCooldown = -1 },
	} {
		a := DefaultAssumptions()
		change(&a)
		if err := a.Validate(); err == nil || !strings.HasPrefix(err.Error(), "assumption "+field) {
			t.Errorf("%s: error %v", field, err)
		}
		if _, err := New(Config{Assumptions: a, Metrics: NewMemory(time.Minute, 1), NewID: ids()}); err == nil {
			t.Errorf("%s: an engine was made", field)
		}
	}
}

func TestDecisionDoesNotAllocate(t *testing.T) {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 10}, 4)
	w.track(t, "backlog", 12, templateBacklog())
	w.track(t, "rate", 48, templateRate())
	w.arrivals = func(time.Duration) float64 { return 3 }
	w.run(time.Hour)
	if allocs := testing.AllocsPerRun(100, func() { w.engine.Evaluate(w.now(), w.capacity()) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestVirtualTimeMayBeginAtZero: a simulation counts from the Unix epoch, and alarms look back before it.
func TestVirtualTimeMayBeginAtZero(t *testing.T) {
	zero := time.Unix(0, 0)
	store := NewMemory(time.Minute, 8)
	e, err := New(Config{Bounds: Bounds{1, 9}, Assumptions: DefaultAssumptions(), Metrics: store, NewID: ids()})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.PutTargetTracking(zero, TargetTracking{Name: "p", Target: 10,
		Metrics: SingleMetric(metric("m"))}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		start := zero.Add(time.Duration(i) * time.Minute)
		if d := e.Evaluate(start.Add(9*time.Second), steady(2)); d.Changed {
			if i != 5 { // a minute earlier than after a step: no datapoint before them is below the target
				t.Errorf("scale-out in minute %d, want 5", i)
			}
			return
		}
		store.Put(metric("m").Key(), start, 20, start.Add(2*time.Minute))
	}
	t.Error("no scale-out")
}

func TestPredefinedMetric(t *testing.T) {
	queries, err := PredefinedMetric("ECSServiceAverageCPUUtilization", resource)
	if err != nil || queries[0].Metric.Key() != "AWS/ECS/CPUUtilization{ClusterName=jobs,ServiceName=worker}Average" {
		t.Errorf("%+v, %v", queries, err)
	}
	for _, bad := range [][2]string{{"ALBRequestCountPerTarget", resource}, {"ECSServiceAverageCPUUtilization",
		"table/x"}} {
		if _, err := PredefinedMetric(bad[0], bad[1]); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

// TestDocumentedAssumptions: the table in docs/target-tracking.md has every assumption with its default and evidence.
func TestDocumentedAssumptions(t *testing.T) {
	page, err := os.ReadFile("../../docs/target-tracking.md")
	if err != nil {
		t.Fatal(err)
	}
	defaults := reflect.ValueOf(DefaultAssumptions())
	for _, k := range Catalogue() {
		row := fmt.Sprintf("| %s | %v | %s |\n", k.Field, defaults.FieldByName(k.Field).Interface(), k.Evidence)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/target-tracking.md has no row %q", row)
		}
	}
}

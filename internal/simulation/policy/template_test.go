package policy

import (
	"os"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// TestTheTemplateTracksTheSame keeps the simulated requests equal to the deployed ones.
func TestTheTemplateTracksTheSame(t *testing.T) {
	template, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(template)), " ") // long expressions are folded
	for _, metrics := range [][]tracking.MetricQuery{backlogPerTask(), sentPerTask()} {
		for _, q := range metrics {
			if !strings.Contains(text, q.Expression) {
				t.Errorf("the template has no expression %q", q.Expression)
			}
			if q.Metric != nil && !strings.Contains(text, "MetricName: "+q.Metric.Name) {
				t.Errorf("the template has no metric %s", q.Metric.Name)
			}
		}
	}
}

// TestTheTemplateHasTheSameDefaults keeps the settings that are simulated equal to those that are deployed.
func TestTheTemplateHasTheSameDefaults(t *testing.T) {
	raw, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]struct {
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	p := Defaults()
	for name, want := range map[string]float64{
		"Headroom":                p.Headroom,
		"Utilization":             p.Utilization,
		"ScaleOutCooldownSeconds": p.ScaleOutCooldown.Seconds(),
		"ScaleInCooldownSeconds":  p.ScaleInCooldown.Seconds(),
		"RetuneWindowMinutes":     p.Retune.Window.Minutes(),
		"RetuneMinimumSamples":    float64(p.Retune.Rails.MinimumSamples),
		"RetuneMaximumFactor":     p.Retune.Rails.MaximumFactor,
		"DriftFactor":             p.Retune.DriftFactor,
		"DriftPeriods":            p.Retune.DriftWindow.Minutes(),
	} {
		node := template.Parameters[name].Default
		var got float64
		if err := node.Decode(&got); err != nil || got != want {
			t.Errorf("%s is %s in the template, %v in the simulation (%v)", name, node.Value, want, err)
		}
	}
	schedule := template.Parameters["RetuneSchedule"].Default.Value
	if schedule != "rate(1 hour)" || p.Retune.Every != time.Hour {
		t.Errorf("retunes are scheduled at %s in the template, each %v in the simulation", schedule, p.Retune.Every)
	}
}

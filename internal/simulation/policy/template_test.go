package policy

import (
	"os"
	"strings"
	"testing"

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

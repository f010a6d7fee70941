package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/tracking/metricmath"
)

// picture is a widget as CloudWatch reads it.
type picture struct {
	X, Y, Width, Height int
	Properties          struct {
		Title   string
		Metrics [][]any
	}
}

func pictures(t *testing.T) []picture {
	t.Helper()
	text, _ := subText(committed(t).property(t, "Dashboard", "DashboardBody").(map[string]any))
	var body struct{ Widgets []picture }
	// Numbers stand without quotes, so anything that is one will do for all.
	if err := json.Unmarshal([]byte(variable.ReplaceAllString(text, "1")), &body); err != nil {
		t.Fatal(err)
	}
	return body.Widgets
}

func TestPicturesDoNotOverlap(t *testing.T) {
	taken := map[[2]int]string{}
	for _, p := range pictures(t) {
		if p.Properties.Title == "" || len(p.Properties.Metrics) == 0 || p.X+p.Width > 24 {
			t.Errorf("picture %q at %d, %d is not whole", p.Properties.Title, p.X, p.Y)
		}
		for x := p.X; x < p.X+p.Width; x++ {
			for y := p.Y; y < p.Y+p.Height; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Properties.Title, other)
				}
				taken[[2]int{x, y}] = p.Properties.Title
			}
		}
	}
}

// The ids of a picture are its own, and what it calculates can be calculated.
func TestPicturesCalculate(t *testing.T) {
	for _, p := range pictures(t) {
		var lines []metricmath.Query
		seen := map[string]bool{}
		for _, m := range p.Properties.Metrics {
			options := m[len(m)-1].(map[string]any)
			id := options["id"].(string)
			if seen[id] {
				t.Errorf("%s: two lines are called %s", p.Properties.Title, id)
			}
			seen[id] = true
			expression, _ := options["expression"].(string)
			lines = append(lines, metricmath.Query{ID: id, Expression: expression})
		}
		for _, line := range lines {
			if _, err := metricmath.Compile(lines, line.ID); err != nil {
				t.Errorf("%s: %v", p.Properties.Title, err)
			}
		}
	}
}

// Every metric of this system's own that an alarm or a picture reads is one that
// the worker or the retune publishes.
func TestOwnMetricsArePublished(t *testing.T) {
	d := committed(t)
	read := map[string]bool{}
	for _, p := range pictures(t) {
		for _, m := range p.Properties.Metrics {
			if m[0] == metricNamespace {
				read[m[1].(string)] = true
			}
		}
	}
	for _, id := range d.ofType("AWS::CloudWatch::Alarm") {
		walk(d.resource(t, id), func(v any) {
			if at(v, "Namespace") == metricNamespace {
				read[at(v, "MetricName").(string)] = true
			}
		})
	}
	if len(read) < 8 {
		t.Fatalf("only %v are read", read)
	}
	var source strings.Builder
	for _, folder := range []string{"consumer", "retune"} {
		files, err := filepath.Glob("../internal/" + folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") }) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(raw)
		}
	}
	for name := range read {
		if !strings.Contains(source.String(), `"`+name+`"`) {
			t.Errorf("nobody publishes %s", name)
		}
	}
}

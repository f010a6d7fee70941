package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a small comparison: three policies on two hours with a burst.
func example(t testing.TB) *compare.Comparison {
	t.Helper()
	load, err := simulation.NewLoad("two bursts", 2*time.Hour,
		simulation.OnOff(240, 15*time.Minute, 45*time.Minute), simulation.Fixed(5*time.Second), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := simulation.Scenario{
		Load: load, Assumptions: simulation.DefaultAssumptions(), Delay: time.Minute,
		Bounds: tracking.Bounds{Min: 1, Max: 50}, Seed: 1,
	}
	policies := []simulation.Policy{policy.Retuned(policy.Defaults()), policy.Guide{}, policy.Fixed{Tasks: 20}}
	c, err := compare.Run(context.Background(), s, 0.95,
		compare.Jobs(policies, []tracking.Pace{tracking.Proportional, tracking.OneAtATime}), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is written now (-update writes it):\n%s", path, got)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	c := example(t)
	Table(&out, c)
	for _, line := range Verdict(c) {
		out.WriteString(line + "\n")
	}
	golden(t, "table.txt", out.String())
}

func TestMarkdown(t *testing.T) {
	var out bytes.Buffer
	Markdown(&out, example(t))
	golden(t, "table.md", out.String())
}

func TestCSVHasTheNamesOfTheJSON(t *testing.T) {
	c := example(t)
	var text, object bytes.Buffer
	if err := CSV(&text, Rows(c)); err != nil {
		t.Fatal(err)
	}
	if err := JSON(&object, c); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Policies    []map[string]any
		Assumptions map[string]any
	}
	if err := json.Unmarshal(object.Bytes(), &decoded); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(c.Outcomes) || len(decoded.Policies) != len(c.Outcomes) {
		t.Fatalf("%d rows, %d policies, want %d", len(rows)-1, len(decoded.Policies), len(c.Outcomes))
	}
	for _, name := range rows[0] {
		if _, ok := decoded.Policies[0][name]; !ok {
			t.Errorf("the CSV has a column %q that the JSON has not", name)
		}
	}
	if decoded.Assumptions["startUp"] != 45.0 {
		t.Errorf("the JSON's assumptions are %v", decoded.Assumptions)
	}
}

func TestSeriesCSVHasARowAPeriod(t *testing.T) {
	c := example(t)
	var out bytes.Buffer
	if err := SeriesCSV(&out, &c.Outcomes[0].Result.Series); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 121 {
		t.Errorf("%d rows, want a head and 120 minutes", len(rows))
	}
	if head := strings.Join(rows[0], ","); !strings.HasSuffix(head, "backlog target,rate target") {
		t.Errorf("columns %s", head)
	}
}

func TestPicture(t *testing.T) {
	c := example(t)
	one := Picture(c, c.Outcomes[:1], View{}).SVG()
	for _, want := range []string{
		"messages that wait", "running tasks", "backlog per task", "messages sent a period", "promise",
	} {
		if !strings.Contains(one, want) {
			t.Errorf("the picture of one policy does not show %q", want)
		}
	}
	if together := Picture(
		c,
		Together(c),
		View{From: 30 * time.Minute, To: time.Hour},
	).SVG(); strings.Contains(
		together,
		"target",
	) {
		t.Error("the picture of several policies shows the target of one")
	}
}

func TestHTMLNeedsNoOtherFile(t *testing.T) {
	c := example(t)
	axes, err := compare.ParseAxes("headroom=1+4")
	if err != nil {
		t.Fatal(err)
	}
	sweep, err := compare.RunSweep(
		context.Background(),
		c.Scenario,
		c.Goal,
		policy.Defaults(),
		axes,
		tracking.Proportional,
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := HTML(&out, Page{Comparison: c, Sweep: sweep, Command: "simulate <b>"}); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, want := range []string{
		"two bursts", "fixed:20", "clairvoyant plan", "Settings on the front", "scaleInPace", "simulate &lt;b&gt;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for _, outside := range []string{`src="http`, `href="http`, "@import", "<script"} {
		if strings.Contains(page, outside) {
			t.Errorf("the report has %s in it", outside)
		}
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

func TestShortTexts(t *testing.T) {
	for percent, want := range map[float64]string{
		100: "100.0", 99.994: "99.99", 99.999: "99.99", 99.5: "99.50", 42.04: "42.0",
	} {
		if got := kept(percent); got != want {
			t.Errorf("kept(%v) = %s, want %s", percent, got, want)
		}
	}
	for seconds, want := range map[float64]string{0: "0", 0.25: "0.2s", 42: "42s", 1000: "17m", 20000: "5.6h"} {
		if got := wait(seconds); got != want {
			t.Errorf("wait(%v) = %s, want %s", seconds, got, want)
		}
	}
}

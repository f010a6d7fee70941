package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		wanted    int
		want      []float64
	}{
		{0, 100, 5, []float64{0, 20, 40, 60, 80, 100}},
		{0, 1, 5, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{0, 37, 4, []float64{0, 10, 20, 30}},
		{-3, 3, 3, []float64{-2, 0, 2}},
		{5, 5, 3, []float64{5}},
		{0, 7, 10, []float64{0, 1, 2, 3, 4, 5, 6, 7}},
	} {
		got := ticks(test.low, test.high, test.wanted)
		if !slices.EqualFunc(got, test.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("ticks(%v, %v, %d) = %v, want %v", test.low, test.high, test.wanted, got, test.want)
		}
	}
}

func everything() Chart {
	x := []float64{0, 1, 2, 3, 4}
	return Chart{
		Title: "Tasks & <messages>", Subtitle: "all marks", XLabel: "minutes",
		Panels: []Panel{
			{Title: "tasks", Marks: []Mark{
				Span{From: 1, To: 2, Label: "deployment", Color: Gray},
				Band{Name: "bounds", X: x, Low: []float64{1, 1, 2, 2, 2}, High: []float64{9, 9, 8, 8, 8}, Color: Gray},
				Line{Name: "running", X: x, Y: []float64{1, 1, 5, 5, 2}, Step: true, Fill: true},
				Event{X: 2, Label: "out", Color: Green},
				Event{X: 2.1, Label: "hidden, there is no room", Color: Green},
			}},
			{Title: "backlog per task", Height: 90, Marks: []Mark{
				Line{Name: "metric", X: x, Y: []float64{4, 20, math.NaN(), 10, 3}, Color: Orange},
				Rule{Name: "target", Y: 12, Color: Red},
			}},
			{Title: "nothing", Marks: []Mark{Band{}, Line{Name: "empty"}}},
		},
	}
}

func TestSVGIsWellFormedAndRepeats(t *testing.T) {
	svg := everything().SVG()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"Tasks &amp; &lt;messages&gt;", "prefers-color-scheme:dark", ">bounds<",
		">deployment<", ">out<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in the SVG", want)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, "hidden") {
		t.Error("something is drawn that cannot be")
	}
	if svg != everything().SVG() {
		t.Error("the same chart gives another SVG")
	}
}

func TestUnbroken(t *testing.T) {
	nan := math.NaN()
	runs := unbroken([]float64{0, 1, 2, 3, 4}, []float64{nan, 1, 2, nan, 4})
	if len(runs) != 2 || len(runs[0].y) != 2 || runs[1].x[0] != 4 {
		t.Errorf("%v", runs)
	}
}

func TestText(t *testing.T) {
	got := Text{
		Width: 24, Height: 4, XLabel: "minutes",
		Lines: []Line{{Name: "tasks", X: []float64{0, 10, 20}, Y: []float64{1, 10, 4}, Step: true}},
	}.String()
	want := strings.Join([]string{
		"10 ┤            ⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤",
		"   ┤            ⡇",
		"   ┤            ⡇",
		" 0 ┤⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠃",
		"   └────────────────────────",
		"    0             20 minutes",
		"    ⠶ tasks",
		"",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if colored := (Text{Color: true, Lines: []Line{{X: []float64{0, 1}, Y: []float64{0, 1},
		Color: Green}}}).String(); !strings.Contains(colored, "\x1b[32m") {
		t.Errorf("no colour in %q", colored)
	}
}

// TestTextHasARowForEachValue: with as many rows as values each one stands beside its label.
func TestTextHasARowForEachValue(t *testing.T) {
	got := Text{Width: 10, Height: 5, Lines: []Line{
		{X: []float64{0, 1, 2, 3, 4, 5}, Y: []float64{0, 1, 2, 3, 4, 4}, Step: true},
	}}.String()
	want := strings.Join([]string{
		"4 ┤        ⡤⠤",
		"  ┤      ⡤⠤⠇",
		"2 ┤    ⡤⠤⠇",
		"  ┤  ⡤⠤⠇",
		"0 ┤⠤⠤⠇",
		"  └──────────",
		"   0        5",
		"",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func ExampleText() {
	fmt.Print(Text{Width: 20, Height: 3, XLabel: "minutes", Lines: []Line{
		{Name: "queue", X: []float64{0, 5, 10}, Y: []float64{0, 8, 0}},
	}})
	// Output:
	// 8 ┤        ⣀⣠⢤⣀⡀
	//   ┤   ⣀⣠⠴⠒⠋⠁   ⠉⠓⠲⢤⣀⡀
	// 0 ┤⠴⠒⠋⠁             ⠉⠓⠲
	//   └────────────────────
	//    0         10 minutes
	//    ⠶ queue
}

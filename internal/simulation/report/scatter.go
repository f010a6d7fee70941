package report

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"sqs-dynamic-target-tracking/internal/simulation/compare"
)

// dot is a policy or a set of settings in the picture of cost against promise.
type dot struct {
	name    string
	x, y    float64
	onFront bool
	bound   bool // not a policy: cannot be reached
}

// Scatter draws cost against promise kept for a comparison, as SVG. What lies on the front is named and joined.
func Scatter(c *compare.Comparison) string {
	rows := Rows(c)
	front := compare.Front(rows)
	var dots []dot
	for i, o := range c.Outcomes {
		dots = append(dots, dot{label(o, c.Outcomes), o.Ratio, o.Kept, front[i], false})
	}
	for _, b := range bounds(c)[:2] {
		dots = append(dots, dot{strings.Trim(b.Policy, "()"), b.Ratio, b.Kept, false, true})
	}
	return scatter(c.Scenario.Load.Name+": cost against promise kept", dots, 100*c.Goal)
}

// SweepScatter draws the points of a sweep and their front.
func SweepScatter(title string, s *compare.Sweep, goal float64) string {
	var dots []dot
	for _, p := range s.Points {
		var parts []string
		for k, axis := range s.Axes {
			parts = append(parts, fmt.Sprintf("%s %.4g", axis.Name, p.Values[k]))
		}
		dots = append(dots, dot{strings.Join(parts, ", "), p.Ratio, p.Kept, p.OnFront, false})
	}
	return scatter(title, dots, 100*goal)
}

const (
	scatterWidth, scatterHeight = 860.0, 440.0
	scatterLeft, scatterRight   = 56.0, 20.0
	scatterTop, scatterBottom   = 44.0, 46.0
	scatterInsideX              = scatterWidth - scatterLeft - scatterRight
	scatterInsideY              = scatterHeight - scatterTop - scatterBottom
)

// scatter has a logarithmic axis of cost, and one of promise that spreads what is close to 100 %.
func scatter(title string, dots []dot, goal float64) string {
	low, high, least := math.Inf(1), 1.0, goal
	for _, d := range dots {
		low, high, least = min(low, d.x), max(high, d.x), min(least, d.y)
	}
	low, high, least = low/1.05, high*1.6, max(0, math.Floor((least-2)/10)*10)
	x := func(v float64) float64 { return scatterLeft + scatterInsideX*math.Log(v/low)/math.Log(high/low) }
	y := func(v float64) float64 { return scatterTop + scatterInsideY*spreadShare(v)/spreadShare(least) }

	var b strings.Builder
	fmt.Fprintf(
		&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" `+
			`aria-label="%s">`,
		scatterWidth,
		scatterHeight,
		scatterWidth,
		scatterHeight,
		html.EscapeString(title),
	)
	b.WriteString(scatterStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%g" height="%g"/>`, scatterWidth, scatterHeight)
	fmt.Fprintf(&b, `<text x="%g" y="19" class="title">%s</text>`, scatterLeft, html.EscapeString(title))
	writeGrid(&b, x, y, low, high, least)
	fmt.Fprintf(
		&b,
		`<line class="goal" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`,
		scatterLeft,
		scatterWidth-scatterRight,
		y(goal),
		y(goal),
	)
	label := labelBox{scatterWidth - scatterRight - 72, y(goal) - 5, 70}
	fmt.Fprintf(&b, `<text x="%g" y="%.1f" class="goaltext">goal %.4g %%</text>`, label.x, label.y, goal)
	writeFront(&b, dots, x, y)
	writeDots(&b, dots, x, y, label)
	b.WriteString("</svg>\n")
	return b.String()
}

const scatterStyle = `<style>text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-size:15px;font-weight:600}.soft{fill:#656d76}.paper{fill:#fff}.grid{stroke:#8b949e;stroke-opacity:.28}
.front{fill:none;stroke:#1a7f37;stroke-width:2}.on{fill:#1a7f37}.off{fill:#0969da;fill-opacity:.65}
.bound{fill:none;stroke:#656d76;stroke-width:1.5}
.goal{stroke:#cf222e;stroke-dasharray:5 4}.goaltext{fill:#cf222e}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.paper{fill:#0d1117}
.front{stroke:#3fb950}.on{fill:#3fb950}
.off{fill:#58a6ff}.bound{stroke:#9198a1}.goal{stroke:#ff7b72}.goaltext{fill:#ff7b72}}</style>`

// spreadShare grows from 0 at 100 %, fast at first: 99 and 99.9 % can be told apart.
func spreadShare(percent float64) float64 { return math.Sqrt(100 - min(percent, 100)) }

func writeGrid(b *strings.Builder, x, y func(float64) float64, low, high, least float64) {
	for _, v := range []float64{0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50} {
		if v < low || v > high {
			continue
		}
		fmt.Fprintf(
			b,
			`<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`,
			x(v),
			x(v),
			scatterTop,
			scatterHeight-scatterBottom,
		)
		fmt.Fprintf(
			b,
			`<text class="soft" x="%.1f" y="%g" text-anchor="middle">%g</text>`,
			x(v),
			scatterHeight-scatterBottom+16,
			v,
		)
	}
	for _, v := range []float64{100, 99.5, 98, 95, 90, 80, 70, 60, 40, 20, 0} {
		if v < least {
			break
		}
		fmt.Fprintf(
			b,
			`<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`,
			scatterLeft,
			scatterWidth-scatterRight,
			y(v),
			y(v),
		)
		fmt.Fprintf(b, `<text class="soft" x="%g" y="%.1f" text-anchor="end">%g</text>`, scatterLeft-6, y(v)+4, v)
	}
	fmt.Fprintf(b, `<text class="soft" x="%g" y="36">started within the delay, %%</text>`, scatterLeft)
	fmt.Fprintf(
		b,
		`<text class="soft" x="%g" y="%g" text-anchor="end">task-hours, times those of the clairvoyant plan</text>`,
		scatterWidth-scatterRight,
		scatterHeight-10,
	)
}

func writeFront(b *strings.Builder, dots []dot, x, y func(float64) float64) {
	var front []dot
	for _, d := range dots {
		if d.onFront {
			front = append(front, d)
		}
	}
	slices.SortFunc(front, func(a, b dot) int { return compareFloats(a.x, b.x) })
	var path []string
	for i, d := range front {
		if i > 0 {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x(d.x), y(front[i-1].y)))
		}
		path = append(path, fmt.Sprintf("%.1f,%.1f", x(d.x), y(d.y)))
	}
	fmt.Fprintf(b, `<polyline class="front" points="%s"/>`, strings.Join(path, " "))
}

// labels keeps names from lying on each other.
type labels struct{ taken []labelBox }

type labelBox struct{ x, y, width float64 }

const letterWidth = 6.3

// place finds room for a name beside a dot, if there is any: off the line that joins the front, for a dot on it.
func (l *labels) place(name string, x, y float64, onFront bool) (labelBox, bool) {
	offsets := []float64{4, -8, 16, -20, 28}
	if onFront {
		offsets = []float64{-8, 16, -20, 28, 4}
	}
	for _, offset := range offsets {
		here := labelBox{x + 9, y + offset, letterWidth * float64(len([]rune(name)))}
		if here.inside() && !l.collides(here) {
			l.taken = append(l.taken, here)
			return here, true
		}
	}
	return labelBox{}, false
}

func (b labelBox) inside() bool {
	return b.x+b.width < scatterWidth && b.y > scatterTop-4 && b.y < scatterHeight-scatterBottom+4
}

func (l *labels) collides(here labelBox) bool {
	return slices.ContainsFunc(l.taken, func(other labelBox) bool {
		return math.Abs(other.y-here.y) < 12 && here.x < other.x+other.width && other.x < here.x+here.width
	})
}

// manyDots is from how many on only those on the front are named; the others have their tooltips.
const manyDots = 40

// writeDots draws the dots and their names, those on the front first.
func writeDots(b *strings.Builder, dots []dot, x, y func(float64) float64, goal labelBox) {
	names := labels{taken: []labelBox{goal}}
	for _, front := range []bool{true, false} {
		for _, d := range dots {
			if d.onFront != front {
				continue
			}
			fmt.Fprintf(
				b,
				`<circle class="%s" cx="%.1f" cy="%.1f" r="4.5"><title>%s: %.2f %% at %.2f</title></circle>`,
				d.class(),
				x(d.x),
				y(d.y),
				html.EscapeString(d.name),
				d.y,
				d.x,
			)
			if !front && len(dots) > manyDots {
				continue
			}
			if at, ok := names.place(d.name, x(d.x), y(d.y), d.onFront); ok {
				fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, at.x, at.y, html.EscapeString(d.name))
			}
		}
	}
}

func (d dot) class() string {
	switch {
	case d.bound:
		return "bound"
	case d.onFront:
		return "on"
	default:
		return "off"
	}
}

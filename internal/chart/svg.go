package chart

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// Measures in pixels.
const (
	defaultWidth  = 860
	defaultHeight = 150
	left, right   = 56, 16
	headHeight    = 26 // title, and subtitle
	panelHead     = 28 // panel title and legend
	panelGap      = 10
	footHeight    = 40 // ticks and label of the time axis
	letter        = 6.4
)

// WriteSVG writes the chart as an SVG document.
func (c Chart) WriteSVG(w io.Writer) error {
	if c.Width == 0 {
		c.Width = defaultWidth
	}
	cv := &canvas{width: float64(c.Width)}
	cv.xLow, cv.xHigh = c.rangeX()
	y := 0.0
	if c.Title != "" {
		y += headHeight
		cv.text(left, y-7, "title", "", c.Title)
	}
	for _, line := range wrap(c.Subtitle, int((cv.width-left-right)/letter)) {
		y += headHeight - 8
		cv.text(left, y-5, "soft", "", line)
	}
	for i, p := range c.Panels {
		y = cv.panel(p, y, fmt.Sprintf("panel%d", i), i == len(c.Panels)-1)
	}
	cv.text(cv.width-right, y+footHeight-10, "soft", "end", c.XLabel)
	_, err := io.WriteString(w, c.document(cv, y+footHeight))
	return err
}

// wrap breaks a text into lines of at most so many characters, where its words allow it.
func wrap(s string, length int) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		if n := len(lines); n > 0 && len([]rune(lines[n-1]))+1+len([]rune(word)) <= length {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// SVG returns the chart as an SVG document.
func (c Chart) SVG() string {
	var b bytes.Buffer
	if err := c.WriteSVG(&b); err != nil { // a buffer takes everything
		panic(err)
	}
	return b.String()
}

func (c Chart) document(cv *canvas, height float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]s %[2]s" width="%[1]s" height="%[2]s" `+
		`role="img" aria-label="%[3]s">`+"\n", num(cv.width), num(height), html.EscapeString(c.Title))
	b.WriteString("<style>\n" +
		"text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\n" +
		".title{font-size:15px;font-weight:600}.strong{font-weight:600}.soft{fill:#656d76}\n" +
		".paper{fill:#fff}.grid{stroke:#8b949e;stroke-opacity:.28}.axis{stroke:#8b949e}\n")
	for i, color := range colors {
		fmt.Fprintf(&b, ".s%d{stroke:%s}.f%d{fill:%s}\n", i, color.light, i, color.light)
	}
	b.WriteString("@media (prefers-color-scheme:dark){\n.paper{fill:#0d1117}text{fill:#e6edf3}.soft{fill:#8b949e}\n")
	for i, color := range colors {
		fmt.Fprintf(&b, ".s%d{stroke:%s}.f%d{fill:%s}\n", i, color.dark, i, color.dark)
	}
	b.WriteString("}\n</style>\n")
	fmt.Fprintf(&b, `<rect class="paper" width="%s" height="%s" rx="6"/>`+"\n", num(cv.width), num(height))
	b.WriteString(cv.out.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// canvas collects what is drawn, with the scales of the panel at hand.
type canvas struct {
	out                      strings.Builder
	width                    float64
	xLow, xHigh, yLow, yHigh float64
	top, bottom              float64 // of the panel's plot, in pixels
	labelled                 float64 // where the last label of an event ends
}

func (cv *canvas) x(v float64) float64 {
	return left + (v-cv.xLow)/(cv.xHigh-cv.xLow)*(cv.width-left-right)
}

func (cv *canvas) y(v float64) float64 {
	return cv.bottom - (v-cv.yLow)/(cv.yHigh-cv.yLow)*(cv.bottom-cv.top)
}

// panel draws one panel below y and returns where it ends.
func (cv *canvas) panel(p Panel, y float64, id string, last bool) float64 {
	if p.Height == 0 {
		p.Height = defaultHeight
	}
	cv.yLow, cv.yHigh = p.rangeY()
	cv.top, cv.labelled = y+panelHead, 0
	cv.bottom = cv.top + float64(p.Height)
	cv.text(left, cv.top-9, "strong", "", p.Title)
	cv.legend(p, left+float64(len(p.Title))*letter*1.1+18)
	for _, v := range ticks(cv.yLow, cv.yHigh, max(2, p.Height/32)) {
		cv.line("grid", left, cv.y(v), cv.width-right, cv.y(v))
		cv.text(left-8, cv.y(v)+4, "soft", "end", label(v))
	}
	for _, v := range ticks(cv.xLow, cv.xHigh, 12) {
		cv.line("grid", cv.x(v), cv.top, cv.x(v), cv.bottom)
		if last {
			cv.text(cv.x(v), cv.bottom+16, "soft", "middle", label(v))
		}
	}
	fmt.Fprintf(&cv.out, `<clipPath id="%[1]s"><rect x="%[2]d" y="%[3]s" width="%[4]s" height="%[5]s"/></clipPath>`+
		`<g clip-path="url(#%[1]s)">`+"\n", id, left, num(cv.top), num(cv.width-left-right), num(cv.bottom-cv.top))
	for _, m := range p.Marks {
		m.draw(cv)
	}
	cv.out.WriteString("</g>\n")
	cv.line("axis", left, cv.bottom, cv.width-right, cv.bottom)
	return cv.bottom + panelGap
}

// legend draws a sample and the name of each mark that has one, from x on.
func (cv *canvas) legend(p Panel, x float64) {
	for _, m := range p.Marks {
		name, s := m.entry()
		if name == "" {
			continue
		}
		y := cv.top - 13
		if s.area {
			fmt.Fprintf(&cv.out, `<rect class="f%d" fill-opacity=".25" x="%s" y="%s" width="18" height="9"/>`+"\n",
				s.color, num(x), num(y-4.5))
		} else {
			fmt.Fprintf(&cv.out, `<path class="s%d" stroke-width="2"%s d="M%s %sh18"/>`+"\n", s.color,
				dashes(s.dashed), num(x), num(y))
		}
		cv.text(x+23, y+4, "", "", name)
		x += 23 + float64(len([]rune(name)))*letter + 16
	}
}

func (cv *canvas) text(x, y float64, class, anchor, s string) {
	if s == "" {
		return
	}
	attributes := ""
	if class != "" {
		attributes += fmt.Sprintf(` class="%s"`, class)
	}
	if anchor != "" {
		attributes += fmt.Sprintf(` text-anchor="%s"`, anchor)
	}
	fmt.Fprintf(&cv.out, `<text x="%s" y="%s"%s>%s</text>`+"\n", num(x), num(y), attributes, html.EscapeString(s))
}

func (cv *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&cv.out, `<path class="%s" d="M%s %sL%s %s"/>`+"\n", class, num(x1), num(y1), num(x2), num(y2))
}

func dashes(dashed bool) string {
	if dashed {
		return ` stroke-dasharray="5 4"`
	}
	return ""
}

func (l Line) draw(cv *canvas) {
	for _, run := range unbroken(l.X, l.Y) {
		d := cv.path(run.x, run.y, l.Step)
		if l.Fill {
			base := num(cv.y(max(0, cv.yLow)))
			fmt.Fprintf(&cv.out, `<path class="f%d" fill-opacity=".15" d="%sV%sH%sZ"/>`+"\n", l.Color, d, base,
				num(cv.x(run.x[0])))
		}
		fmt.Fprintf(&cv.out, `<path class="s%d" fill="none" stroke-width="1.8"%s d="%s"/>`+"\n", l.Color,
			dashes(l.Dashed), d)
	}
}

// series is a stretch of a line without gaps.
type series struct{ x, y []float64 }

func unbroken(x, y []float64) []series {
	var runs []series
	start := -1
	for i := 0; i <= len(y); i++ {
		there := i < len(y) && !math.IsNaN(y[i])
		if there && start < 0 {
			start = i
		}
		if !there && start >= 0 {
			runs = append(runs, series{x[start:i], y[start:i]})
			start = -1
		}
	}
	return runs
}

// path draws a line from point to point; values that do not change take no room in it.
func (cv *canvas) path(x, y []float64, step bool) string {
	var b strings.Builder
	for i := range y {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "M%s %s", num(cv.x(x[i])), num(cv.y(y[i])))
		case step && y[i] == y[i-1] && i < len(y)-1:
		case step:
			fmt.Fprintf(&b, "H%sV%s", num(cv.x(x[i])), num(cv.y(y[i])))
		case i < len(y)-1 && y[i] == y[i-1] && y[i] == y[i+1]:
		default:
			fmt.Fprintf(&b, "L%s %s", num(cv.x(x[i])), num(cv.y(y[i])))
		}
	}
	return b.String()
}

func (b Band) draw(cv *canvas) {
	if len(b.X) == 0 {
		return
	}
	var back strings.Builder
	for i := len(b.X) - 1; i >= 0; i-- {
		fmt.Fprintf(&back, "V%sH%s", num(cv.y(b.Low[max(0, i-1)])), num(cv.x(b.X[max(0, i-1)])))
	}
	fmt.Fprintf(&cv.out, `<path class="f%d" fill-opacity=".18" d="%s%sZ"/>`+"\n", b.Color, cv.path(b.X, b.High, true),
		back.String())
}

func (r Rule) draw(cv *canvas) {
	fmt.Fprintf(&cv.out, `<path class="s%d" stroke-width="1.5"%s d="M%d %sH%s"/>`+"\n", r.Color, dashes(true), left,
		num(cv.y(r.Y)), num(cv.width-right))
}

func (s Span) draw(cv *canvas) {
	from, to := cv.x(max(s.From, cv.xLow)), cv.x(min(s.To, cv.xHigh))
	fmt.Fprintf(&cv.out, `<rect class="f%d" fill-opacity=".12" x="%s" y="%s" width="%s" height="%s"/>`+"\n",
		s.Color, num(from), num(cv.top), num(max(0, to-from)), num(cv.bottom-cv.top))
	cv.text(from+4, cv.top+13, fmt.Sprintf("f%d", s.Color), "", s.Label)
}

func (e Event) draw(cv *canvas) {
	x := cv.x(e.X)
	fmt.Fprintf(&cv.out, `<path class="s%d" stroke-width="1" stroke-dasharray="2 3" d="M%s %sV%s"/>`+"\n", e.Color,
		num(x), num(cv.top), num(cv.bottom))
	if e.Label == "" || x < cv.labelled { // no room beside the one before
		return
	}
	width := float64(len([]rune(e.Label)))*letter + 8
	anchor, at := "", x+4
	if x+width > cv.width-right {
		anchor, at = "end", x-4
	}
	cv.text(at, cv.top+13, fmt.Sprintf("f%d", e.Color), anchor, e.Label)
	cv.labelled = x + width
}

// num writes a coordinate.
func num(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

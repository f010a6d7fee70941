// Package chart draws series over time: as SVG for documents and reports, and as text for a terminal.
//
// A [Chart] is a stack of panels with one time axis. Its SVG is small, has no scripts and no fonts of its own, is the
// same for the same input, and reads on a light and on a dark page: it follows the reader's colour scheme, its own
// background with it.
package chart

// Chart is one picture.
type Chart struct {
	Title      string
	Subtitle   string
	Width      int    // in pixels, 0 means 860
	XLabel     string // what X counts, for instance "minutes"
	XMin, XMax float64
	Panels     []Panel // from top to bottom; X runs over all data when XMin equals XMax
}

// Panel is a diagram within a chart.
type Panel struct {
	Title    string  // what Y counts, with its unit
	Height   int     // in pixels, 0 means 150
	Min, Max float64 // of Y; when equal, from 0 (or the least value) to the greatest
	Marks    []Mark  // drawn in order
}

// Mark is one of [Line], [Band], [Rule], [Span] and [Event].
type Mark interface {
	// extent reports the values that a panel has to make room for, or nothing.
	extent() (xs, ys []float64)
	// entry is what the legend shows, or an empty name.
	entry() (name string, style style)
	draw(*canvas)
}

// Line is a series: a line from point to point. NaN in Y breaks it.
type Line struct {
	Name   string // in the legend; empty for none
	X, Y   []float64
	Color  Color
	Step   bool // keeps each value until the next, as a count of tasks does
	Dashed bool
	Fill   bool // fills the area down to zero as well
}

// Band is the area between two series of steps, for instance the bounds of a count.
type Band struct {
	Name      string
	X         []float64
	Low, High []float64
	Color     Color
}

// Rule is a horizontal line, for instance a target.
type Rule struct {
	Name  string
	Y     float64
	Color Color
}

// Span shades a stretch of time.
type Span struct {
	From, To float64
	Label    string
	Color    Color
}

// Event is a vertical line at a moment, with a short text at its top.
type Event struct {
	X     float64
	Label string
	Color Color
}

// Color is one of a few that can be told apart on light and dark backgrounds, by people who see colours differently
// too.
type Color int

// Colors.
const (
	Blue Color = iota
	Orange
	Green
	Red
	Purple
	Gray
)

var colors = []struct{ light, dark string }{
	Blue:   {"#0969da", "#58a6ff"},
	Orange: {"#bc4c00", "#f0883e"},
	Green:  {"#1a7f37", "#3fb950"},
	Red:    {"#cf222e", "#ff7b72"},
	Purple: {"#8250df", "#bc8cff"},
	Gray:   {"#656d76", "#8b949e"},
}

// style is how a mark looks, for the legend.
type style struct {
	color  Color
	area   bool
	dashed bool
}

func (l Line) extent() (xs, ys []float64) { return l.X, l.Y }
func (b Band) extent() (xs, ys []float64) {
	return b.X, append(append([]float64{}, b.Low...), b.High...)
}
func (r Rule) extent() (xs, ys []float64)  { return nil, []float64{r.Y} }
func (s Span) extent() (xs, ys []float64)  { return nil, nil }
func (e Event) extent() (xs, ys []float64) { return nil, nil }

func (l Line) entry() (string, style)  { return l.Name, style{color: l.Color, dashed: l.Dashed} }
func (b Band) entry() (string, style)  { return b.Name, style{color: b.Color, area: true} }
func (r Rule) entry() (string, style)  { return r.Name, style{color: r.Color, dashed: true} }
func (s Span) entry() (string, style)  { return "", style{} }
func (e Event) entry() (string, style) { return "", style{} }

package chart

import (
	"fmt"
	"math"
	"strings"
)

// Text draws lines with characters, for a terminal: four dots of Braille above each other and two beside in each place.
type Text struct {
	Width, Height int // of the plot in characters, without axis and legend; 0 means 72 by 8
	XLabel        string
	Lines         []Line
	Color         bool // with terminal colours
}

// terminalColors are the codes for foreground colours, by [Color].
var terminalColors = []int{Blue: 34, Orange: 33, Green: 32, Red: 31, Purple: 35, Gray: 90}

type cell struct {
	dots  rune
	color Color
}

// String returns the plot, with a newline at its end.
func (t Text) String() string {
	if t.Width == 0 {
		t.Width = 72
	}
	if t.Height == 0 {
		t.Height = 8
	}
	panel := Panel{}
	for _, l := range t.Lines {
		panel.Marks = append(panel.Marks, l)
	}
	xLow, xHigh := Chart{Panels: []Panel{panel}}.rangeX()
	yLow, yHigh := panel.spanY()
	grid := make([]cell, t.Width*t.Height)
	for _, l := range t.Lines {
		t.plot(grid, l, xLow, xHigh, yLow, yHigh)
	}

	var b strings.Builder
	axis := t.labels(yLow, yHigh)
	margin := 0
	for _, text := range axis {
		margin = max(margin, len(text))
	}
	for row := range t.Height {
		fmt.Fprintf(&b, "%*s ┤%s\n", margin, axis[row], t.row(grid[row*t.Width:(row+1)*t.Width]))
	}
	from, to := label(math.Round(xLow*10)/10), strings.TrimSpace(label(math.Round(xHigh*10)/10)+" "+t.XLabel)
	fmt.Fprintf(&b, "%*s └%s\n", margin, "", strings.Repeat("─", t.Width))
	fmt.Fprintf(&b, "%*s  %s%*s\n", margin, "", from, max(1, t.Width-len(from)), to)
	t.legend(&b, margin)
	return b.String()
}

// labels are the texts beside the rows: the ends of the axis, and round values that lie in the middle of their rows.
func (t Text) labels(low, high float64) []string {
	rows := make([]string, t.Height)
	for _, value := range ticks(low, high, t.Height/2) {
		row := float64(t.Height-1) * (high - value) / (high - low)
		if math.Abs(row-math.Round(row)) < 1e-9 {
			rows[int(math.Round(row))] = label(value)
		}
	}
	rows[0], rows[t.Height-1] = label(math.Round(high*10)/10), label(math.Round(low*10)/10)
	return rows
}

// plot sets the dots of one line.
func (t Text) plot(grid []cell, l Line, xLow, xHigh, yLow, yHigh float64) {
	columns, rows := 2*t.Width, 4*t.Height
	before := -1
	for column := range columns {
		y := l.at(xLow + (float64(column)+0.5)/float64(columns)*(xHigh-xLow))
		if math.IsNaN(y) {
			before = -1
			continue
		}
		// The least and the greatest value lie in the middle of their rows, where their labels are.
		row := int(math.Round(float64(rows) - 2 - (y-yLow)/(yHigh-yLow)*float64(rows-4)))
		row = max(0, min(rows-1, row))
		from, to := row, row
		if before >= 0 { // rise and fall are drawn
			from, to = min(row, before), max(row, before)
		}
		for r := from; r <= to; r++ {
			c := &grid[r/4*t.Width+column/2]
			c.dots |= brailleDot(column%2, r%4)
			c.color = l.Color
		}
		before = row
	}
}

// at is the value of the line at x: the last one before it for steps, else on the way to the next.
func (l Line) at(x float64) float64 {
	if len(l.X) == 0 || x < l.X[0] || x > l.X[len(l.X)-1] {
		return math.NaN()
	}
	i := 0
	for i < len(l.X)-2 && l.X[i+1] <= x {
		i++
	}
	if l.Step || len(l.X) == 1 {
		return l.Y[i]
	}
	share := (x - l.X[i]) / (l.X[i+1] - l.X[i])
	return l.Y[i]*(1-share) + l.Y[i+1]*share
}

// brailleDot is the bit of a dot in the Unicode block of Braille patterns, which numbers the lowest row last.
func brailleDot(column, row int) rune {
	if row == 3 {
		return 0x40 << column
	}
	return 1 << (row + 3*column)
}

func (t Text) row(cells []cell) string {
	var b strings.Builder
	for _, c := range cells {
		switch {
		case c.dots == 0:
			b.WriteByte(' ')
		case t.Color:
			fmt.Fprintf(&b, "\x1b[%dm%c\x1b[0m", terminalColors[c.color], 0x2800+c.dots)
		default:
			b.WriteRune(0x2800 + c.dots)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func (t Text) legend(b *strings.Builder, margin int) {
	var names []string
	for _, l := range t.Lines {
		if l.Name == "" {
			continue
		}
		sample := "⠶ "
		if t.Color {
			sample = fmt.Sprintf("\x1b[%dm⠶\x1b[0m ", terminalColors[l.Color])
		}
		names = append(names, sample+l.Name)
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "%*s  %s\n", margin, "", strings.Join(names, "   "))
	}
}

// Package trace reads arrival traces: how many messages arrived when.
//
// Four real traces are embedded, so that the local run and the tests need no download. A file has a header line and one
// row a bin, `offset_s,arrivals`: seconds since the start of the trace and the number of arrivals in
// [offset_s, offset_s + step). The bins have no gaps.
package trace

import (
	"bytes"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed traces/*.csv
var embedded embed.FS

// Header is the first line of a trace of bins.
var Header = []string{"offset_s", "arrivals"}

// Trace is a series of arrivals in bins of equal width.
type Trace struct {
	Name string
	Step time.Duration // width of a bin, > 0
	Bins []int         // arrivals of each bin, >= 0
}

// Names lists the embedded traces.
func Names() []string {
	entries, err := embedded.ReadDir("traces")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".csv"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Open reads the embedded trace of that name, or the file at that path.
func Open(nameOrPath string) (Trace, error) {
	if slices.Contains(Names(), nameOrPath) {
		content, err := embedded.ReadFile(path.Join("traces", nameOrPath+".csv"))
		if err != nil {
			return Trace{}, err
		}
		return Read(nameOrPath, bytes.NewReader(content))
	}
	file, err := os.Open(nameOrPath)
	if errors.Is(err, os.ErrNotExist) {
		return Trace{}, fmt.Errorf("no trace %q: give the path of a CSV file with the columns %s, or one of %s",
			nameOrPath, strings.Join(Header, ","), strings.Join(Names(), ", "))
	}
	if err != nil {
		return Trace{}, err
	}
	defer file.Close()
	return Read(strings.TrimSuffix(path.Base(nameOrPath), ".csv"), file)
}

// Read parses a trace of bins. It refuses a wrong header, a gap, an uneven step, a negative or fractional count, and a
// trace of fewer than two bins (its step would be unknown), naming the line.
func Read(name string, r io.Reader) (Trace, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = len(Header)
	rows.ReuseRecord = true

	head, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return Trace{}, fmt.Errorf("trace %s: line 1 is missing, want %q: the file is empty", name,
			strings.Join(Header, ","))
	}
	if err != nil {
		return Trace{}, fmt.Errorf("trace %s: line 1: %w", name, err)
	}
	if !slices.Equal(head, Header) {
		return Trace{}, fmt.Errorf("trace %s: line 1 is %q, want %q", name, strings.Join(head, ","),
			strings.Join(Header, ","))
	}

	trace := Trace{Name: name}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := rows.FieldPos(0)
		if err != nil {
			return Trace{}, fmt.Errorf("trace %s: %w", name, err)
		}
		if err := trace.add(row); err != nil {
			return Trace{}, fmt.Errorf("trace %s: line %d: %w", name, line, err)
		}
	}
	if len(trace.Bins) < 2 {
		return Trace{}, fmt.Errorf("trace %s has %d bins, want at least 2", name, len(trace.Bins))
	}
	return trace, nil
}

// add appends one row; the second row decides the step.
func (t *Trace) add(row []string) error {
	seconds, err := strconv.ParseFloat(row[0], 64)
	if err != nil {
		return fmt.Errorf("offset %q is not a number of seconds", row[0])
	}
	offset := time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
	if len(t.Bins) == 1 {
		t.Step = offset
	}
	if want := time.Duration(len(t.Bins)) * t.Step; offset != want || (len(t.Bins) == 1 && offset <= 0) {
		return fmt.Errorf("offset %v, want %v: bins have equal widths and no gaps", offset, want)
	}
	arrivals, err := strconv.Atoi(row[1])
	if err != nil || arrivals < 0 {
		return fmt.Errorf("arrivals %q is not a whole number >= 0", row[1])
	}
	t.Bins = append(t.Bins, arrivals)
	return nil
}

// Total is the number of arrivals.
func (t Trace) Total() int {
	total := 0
	for _, arrivals := range t.Bins {
		total += arrivals
	}
	return total
}

// Length is the time that the trace covers.
func (t Trace) Length() time.Duration { return time.Duration(len(t.Bins)) * t.Step }

// Peak is the largest bin.
func (t Trace) Peak() int { return slices.Max(t.Bins) }

// Window cuts out the bins that start in [from, from+length), clipped to the trace.
func (t Trace) Window(from, length time.Duration) Trace {
	first := min(int(from/t.Step), len(t.Bins))
	last := min(int((from+length+t.Step-1)/t.Step), len(t.Bins))
	t.Bins = t.Bins[first:max(first, last)]
	return t
}

// ScaleTo returns the trace with its mean rate moved to perMinute arrivals a minute. Fractions are carried from bin to
// bin, so that the total is exact to one arrival.
func (t Trace) ScaleTo(perMinute float64) Trace {
	mean := float64(t.Total()) / t.Length().Minutes()
	if mean == 0 {
		return t
	}
	factor := perMinute / mean
	scaled := make([]int, len(t.Bins))
	exact, given := 0.0, 0
	for i, arrivals := range t.Bins {
		exact += float64(arrivals) * factor
		scaled[i] = int(exact+0.5) - given
		given += scaled[i]
	}
	t.Bins = scaled
	return t
}

// Faster returns the trace as it looks in a world that runs speed times as fast: narrower bins, the same arrivals.
func (t Trace) Faster(speed float64) Trace {
	t.Step = time.Duration(float64(t.Step) / speed)
	return t
}

// Due is the number of arrivals up to the offset when those of a bin are spread evenly over it.
func (t Trace) Due(offset time.Duration) int {
	if offset < 0 {
		return 0
	}
	bin := int(offset / t.Step)
	if bin >= len(t.Bins) {
		return t.Total()
	}
	due := 0
	for _, arrivals := range t.Bins[:bin] {
		due += arrivals
	}
	share := float64(offset%t.Step) / float64(t.Step)
	return due + int(share*float64(t.Bins[bin]))
}

package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/chart"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
	"sqs-dynamic-target-tracking/internal/simulation/report"
	"sqs-dynamic-target-tracking/internal/terminal"
)

func run(ctx context.Context, out io.Writer, screen *terminal.Screen, o options) error {
	switch {
	case o.listAssume:
		listAssumptions(out, o.assume)
		return nil
	case o.band != "":
		return runBand(ctx, out, screen, o)
	case o.suite:
		return runSuite(ctx, out, screen, o)
	}
	load, measured, err := loadFor(ctx, screen, &o)
	if err != nil {
		return err
	}
	page, err := simulate(ctx, screen, o, load)
	if err != nil {
		return err
	}
	page.Command, page.Measured = o.command, measured
	return tell(out, screen, o, page)
}

// loadFor makes the load, from the command line or from a stack. Of a stack it says where it was measured.
func loadFor(ctx context.Context, screen *terminal.Screen, o *options) (*simulation.Load, string, error) {
	if o.stack != "" {
		return fromStack(ctx, screen, o)
	}
	load, err := o.load.build(o.seed)
	if err == nil && o.processing == 0 {
		o.processing = firstDurations(load)
	}
	return load, "", err
}

// firstDurations is what an operator measured before the start: the mean of the first messages.
func firstDurations(load *simulation.Load) time.Duration {
	first := load.Work[:min(100, len(load.Work))]
	var sum time.Duration
	for _, work := range first {
		sum += work
	}
	return sum / time.Duration(len(first))
}

func simulate(ctx context.Context, screen *terminal.Screen, o options, load *simulation.Load) (report.Page, error) {
	policies, err := o.chosenPolicies()
	if err != nil {
		return report.Page{}, err
	}
	paces, err := o.paces()
	if err != nil {
		return report.Page{}, err
	}
	s := o.scenario(load)
	jobs := compare.Jobs(policies, paces)
	comparison, err := compare.Run(
		ctx,
		s,
		o.goal/100,
		jobs,
		progress(screen, fmt.Sprintf("%s, %d runs", load.Name, len(jobs))),
	)
	screen.Clear()
	if err != nil {
		return report.Page{}, err
	}
	page := report.Page{Comparison: comparison, View: report.View{From: o.from, To: o.to}}
	if !o.given["from"] && !o.given["to"] {
		page.View = report.Telling(comparison)
	}
	if o.sweep == "" {
		return page, nil
	}
	axes, err := compare.ParseAxes(o.sweep)
	if err != nil {
		return page, err
	}
	page.Sweep, err = compare.RunSweep(ctx, s, o.goal/100, o.tuning, axes, paces[0], progress(screen, "sweep"))
	screen.Clear()
	return page, err
}

// progress shows how far a long run is. Short ones show nothing.
func progress(screen *terminal.Screen, what string) func(float64) {
	start := time.Now()
	var mu sync.Mutex
	var shown time.Time
	return func(share float64) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(start) < time.Second || now.Sub(shown) < 200*time.Millisecond || share >= 1 {
			return
		}
		shown = now
		left := time.Duration(float64(now.Sub(start)) * (1 - share) / max(share, 1e-3)).Round(time.Second)
		bar := strings.Repeat("█", int(share*30)) + strings.Repeat("░", 30-int(share*30))
		line := fmt.Sprintf("%s %s %3.0f %%, about %v left", what, bar, 100*share, left)
		screen.Show([]string{line}, line, now)
	}
}

// tell prints the table and writes the files that were asked for.
func tell(out io.Writer, screen *terminal.Screen, o options, page report.Page) error {
	c := page.Comparison
	if o.out.json != "-" {
		show(out, o, page)
	}
	return writeAll(out, screen, o, page, []file{
		{o.out.html, func(w io.Writer) error { return report.HTML(w, page) }},
		{o.out.csv, func(w io.Writer) error {
			if page.Sweep != nil {
				return sweepCSV(w, page.Sweep)
			}
			return report.CSV(w, report.Rows(c))
		}},
		{o.out.json, func(w io.Writer) error {
			if page.Sweep != nil {
				return json.NewEncoder(w).Encode(page.Sweep)
			}
			return report.JSON(w, c)
		}},
	})
}

func show(out io.Writer, o options, page report.Page) {
	c := page.Comparison
	if o.out.markdown {
		report.Markdown(out, c)
		return
	}
	if page.Measured != "" {
		fmt.Fprintln(out, page.Measured)
	}
	report.Table(out, c)
	fmt.Fprintln(out)
	for _, line := range append(report.Verdict(c), report.Legend()...) {
		fmt.Fprintln(out, line)
	}
	if page.Sweep != nil {
		report.SweepTable(out, page.Sweep)
	}
}

// file is a file that may have been asked for.
type file struct {
	path  string // empty: not asked for; -: the standard output
	write func(io.Writer) error
}

func writeAll(out io.Writer, screen *terminal.Screen, o options, page report.Page, files []file) error {
	c := page.Comparison
	for _, outcome := range c.Outcomes {
		name := fileName(outcome)
		if o.out.series != "" {
			series := &outcome.Result.Series
			files = append(files, file{filepath.Join(o.out.series, name+".csv"),
				func(w io.Writer) error { return report.SeriesCSV(w, series) }})
		}
		files = append(files, o.out.pictures(name, func() string {
			return report.Picture(c, []compare.Outcome{outcome}, page.View).SVG()
		})...)
	}
	files = append(files, o.out.pictures("together", func() string {
		return report.Picture(c, report.Together(c), page.View).SVG()
	})...)
	files = append(files, o.out.pictures("cost-against-promise", func() string { return report.Scatter(c) })...)
	if page.Sweep != nil {
		files = append(files, o.out.pictures("sweep", func() string {
			return report.SweepScatter("settings of this project", page.Sweep, c.Goal)
		})...)
	}
	for _, f := range files {
		if err := f.save(out, screen); err != nil {
			return err
		}
	}
	return nil
}

// pictures are the files of a picture in the formats that were asked for.
func (o outputs) pictures(name string, svg func() string) []file {
	var files []file
	if o.svg != "" {
		files = append(files, file{filepath.Join(o.svg, name+".svg"), func(w io.Writer) error {
			_, err := io.WriteString(w, svg())
			return err
		}})
	}
	if o.png != "" {
		files = append(files, file{filepath.Join(o.png, name+".png"),
			func(w io.Writer) error { return chart.WritePNG(w, svg()) }})
	}
	return files
}

func fileName(o compare.Outcome) string {
	name := strings.ReplaceAll(o.Policy, ":", "-")
	if o.Pace != "" {
		name += "-" + o.Pace
	}
	return name
}

func (f file) save(out io.Writer, screen *terminal.Screen) error {
	switch f.path {
	case "":
		return nil
	case "-":
		return f.write(out)
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	made, err := os.Create(f.path)
	if err != nil {
		return err
	}
	if err := f.write(made); err != nil {
		made.Close()
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	if err := made.Close(); err != nil {
		return err
	}
	screen.Printf("wrote %s", f.path)
	return nil
}

func sweepCSV(w io.Writer, s *compare.Sweep) error {
	out := csv.NewWriter(w)
	var head []string
	for _, axis := range s.Axes {
		head = append(head, axis.Name)
	}
	if err := out.Write(
		append(head, "keptPercent", "ratioToClairvoyant", "taskHours", "waitP95Seconds", "onFront"),
	); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, p := range s.Points {
		var row []string
		for _, v := range p.Values {
			row = append(row, number(v))
		}
		row = append(
			row,
			number(p.Kept),
			number(p.Ratio),
			number(p.TaskHours),
			number(p.WaitP95),
			strconv.FormatBool(p.OnFront),
		)
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func listAssumptions(out io.Writer, a simulation.Assumptions) {
	fmt.Fprintln(out, "DOC documented, OBS observed, INF inferred, UNK no source found, SET a setting")
	for _, k := range simulation.Catalogue() {
		fmt.Fprintf(
			out,
			"%-20s %-14s %s  %s\n%41s%s\n",
			k.Name,
			strings.TrimSpace(fmt.Sprint(k.Value(a), " ", k.Unit)),
			k.Evidence,
			k.Meaning,
			"",
			k.Source,
		)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/chart"
	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/simulation/report"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// Where the figures stand in the page about the band.
const (
	figuresBegin = "<!-- figures -->\n"
	figuresEnd   = "<!-- /figures -->\n"
)

// bandGoals are what the band is to keep at counts 30 s old, and at what cost, on the loads of the suite in their
// order.
var bandGoals = []struct{ kept, ratio float64 }{{99.9, 1.15}, {97, 1.6}, {98, 2}, {99, 1.17}, {99.5, 1.2}, {95, 1.55}}

// bandPage collects the figures of docs/band.md.
type bandPage struct {
	options options
	screen  *terminal.Screen
	loads   []suiteLoad
	paces   []tracking.Pace
	text    strings.Builder
	folder  string // of the pictures
}

// runBand compares the band with everything else, and writes tables into the page and pictures beside it.
func runBand(ctx context.Context, out io.Writer, screen *terminal.Screen, o options) error {
	if _, _, err := around(o.band); err != nil {
		return err
	}
	paces, err := o.paces()
	if err != nil {
		return err
	}
	p := &bandPage{
		options: o, screen: screen, loads: suiteLoads(), paces: paces,
		folder: strings.TrimSuffix(o.band, filepath.Ext(o.band)),
	}
	for _, write := range []func(context.Context) error{p.peers, p.worlds, p.pictures} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	before, after, err := around(o.band)
	if err != nil {
		return err
	}
	page := before + figuresBegin + p.text.String() + figuresEnd + after
	if err := os.WriteFile(o.band, []byte(page), 0o644); err != nil {
		return err
	}
	fmt.Fprint(out, p.text.String())
	return nil
}

// around is what a page says before and after its figures.
func around(page string) (before, after string, err error) {
	content, err := os.ReadFile(page)
	if err != nil {
		return "", "", fmt.Errorf("-band: %w", err)
	}
	before, rest, ok := strings.Cut(string(content), figuresBegin)
	_, after, ok2 := strings.Cut(rest, figuresEnd)
	if !ok || !ok2 {
		return "", "", fmt.Errorf("-band %s: the page has no place for the figures, between %s and %s", page,
			strings.TrimSpace(figuresBegin), strings.TrimSpace(figuresEnd))
	}
	return before, after, nil
}

// on runs policies on a load of the suite.
func (p *bandPage) on(
	ctx context.Context, what string, load int, o options, policies []simulation.Policy, paces []tracking.Pace,
) (*compare.Comparison, error) {
	l := p.loads[load]
	s, err := l.scenario(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.title, err)
	}
	bar := progress(p.screen, fmt.Sprintf("%s, %s (%d of %d)", what, l.title, load+1, len(p.loads)))
	c, err := compare.Run(ctx, s, o.goal/100, compare.Jobs(policies, paces), bar)
	p.screen.Clear()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.title, err)
	}
	return c, nil
}

// all runs policies on every load.
func (p *bandPage) all(
	ctx context.Context, what string, o options, policies []simulation.Policy, paces []tracking.Pace,
) ([]*compare.Comparison, error) {
	all := make([]*compare.Comparison, len(p.loads))
	for i := range p.loads {
		var err error
		if all[i], err = p.on(ctx, what, i, o, policies, paces); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// peers writes the goals, and a table of all policies for each pace of scale-in. Only those that look at the queue
// depend on how old its counts are.
func (p *bandPage) peers(ctx context.Context) error {
	o := p.options
	o.policies = "all"
	policies, err := o.chosenPolicies()
	if err != nil {
		return err
	}
	lookers := slices.DeleteFunc(slices.Clone(policies), func(s simulation.Policy) bool {
		return s.Name() != "band" && s.Name() != "keda"
	})
	others := slices.DeleteFunc(slices.Clone(policies), func(s simulation.Policy) bool {
		return slices.ContainsFunc(lookers, func(l simulation.Policy) bool { return l.Name() == s.Name() })
	})
	ages := []time.Duration{0, 30 * time.Second, time.Minute}
	seen := make([][]*compare.Comparison, len(ages))
	for i, age := range ages {
		o.assume.Staleness = age
		if seen[i], err = p.all(ctx, fmt.Sprintf("counts %v old", age), o, lookers, p.paces); err != nil {
			return err
		}
	}
	p.goals(seen[1])
	known, err := p.all(ctx, "peers", o, others, p.paces)
	if err != nil {
		return err
	}
	for _, pace := range p.paces {
		fmt.Fprintf(&p.text, "\n### Against its peers, scale-in %s\n\n%s", pace, p.head("policy"))
		for _, looker := range lookers {
			for i, age := range ages {
				p.row(fmt.Sprintf("%s, counts %.0f s old", looker.Name(), age.Seconds()), seen[i], looker.Name(), pace)
			}
		}
		for _, other := range others {
			p.row(other.Name(), known, other.Name(), pace)
		}
		p.fixed(known)
	}
	return nil
}

// goals writes what was to be reached, and what is.
func (p *bandPage) goals(at30 []*compare.Comparison) {
	fmt.Fprint(&p.text, "\n### The goals, at counts 30 s old\n\n| load | goal |")
	for _, pace := range p.paces {
		fmt.Fprintf(&p.text, " scale-in %s |", pace)
	}
	fmt.Fprintf(&p.text, "\n|---|--:|%s\n", strings.Repeat("--:|", len(p.paces)))
	for i, c := range at30 {
		fmt.Fprintf(&p.text, "| %s | %g / %.2f |", p.loads[i].title, bandGoals[i].kept, bandGoals[i].ratio)
		for _, pace := range p.paces {
			row, _ := found(c, "band", pace)
			verdict := "**missed**"
			if row.Kept >= bandGoals[i].kept && row.Ratio <= bandGoals[i].ratio {
				verdict = "kept"
			}
			fmt.Fprintf(&p.text, " %.2f / %.3f %s |", row.Kept, row.Ratio, verdict)
		}
		fmt.Fprintln(&p.text)
	}
}

func (p *bandPage) head(first string) string {
	line, rule := "| "+first+" |", "|---|"
	for _, l := range p.loads {
		line, rule = line+" "+l.title+" |", rule+"--:|"
	}
	return line + "\n" + rule + "\n"
}

func (p *bandPage) row(title string, comparisons []*compare.Comparison, name string, pace tracking.Pace) {
	fmt.Fprintf(&p.text, "| %s |", title)
	for _, c := range comparisons {
		cell := "-"
		if row, ok := found(c, name, pace); ok {
			cell = report.Cell(row.Kept, row.Ratio)
		}
		fmt.Fprintf(&p.text, " %s |", cell)
	}
	fmt.Fprintln(&p.text)
}

func (p *bandPage) fixed(comparisons []*compare.Comparison) {
	fmt.Fprint(&p.text, "| (best fixed count) |")
	for _, c := range comparisons {
		r := c.Reference
		hours := float64(r.FixedTasks) * c.Scenario.Load.Length.Hours()
		fmt.Fprintf(&p.text, " %s |", report.Cell(100*r.FixedKept, hours/r.Plan.Billed.Hours()))
	}
	fmt.Fprintln(&p.text)
}

func found(c *compare.Comparison, name string, pace tracking.Pace) (compare.Row, bool) {
	for _, row := range report.Rows(c) {
		if row.Policy == name && (row.Pace == "" || row.Pace == string(pace)) {
			return row, true
		}
	}
	return compare.Row{}, false
}

// world is a change of what the band has to do with.
type world struct {
	title  string
	change func(*options)
	looks  func(*policy.Band)
	alone  bool // shown without the band too
}

func worlds() []world {
	assume := func(change func(*simulation.Assumptions)) func(*options) {
		return func(o *options) { change(&o.assume) }
	}
	half := func(b *policy.Band) { b.StopAt = 12 * time.Hour }
	return []world{
		{"as above", nil, nil, true},
		{"delay 20 s", func(o *options) { o.delay = 20 * time.Second }, nil, true},
		{"delay 5 min", func(o *options) { o.delay = 5 * time.Minute }, nil, true},
		{"start-up 20 s", assume(func(a *simulation.Assumptions) { a.StartUp = 20 * time.Second }), nil, true},
		{"start-up 90 s", assume(func(a *simulation.Assumptions) { a.StartUp = 90 * time.Second }), nil, true},
		{"4 messages a task", func(o *options) { o.concurrency = 4 }, nil, true},
		{"other random numbers", func(o *options) { o.seed = 7 }, nil, true},
		{"counts wrong by up to 10 %", assume(func(a *simulation.Assumptions) { a.CountNoise = 0.1 }), nil, false},
		{"one look in fifty reads zero", assume(func(a *simulation.Assumptions) { a.CountZeros = 0.02 }), nil, false},
		{"looks stop after 12 h", nil, half, false},
		{"looks stop after 12 h, no dead man", nil, func(b *policy.Band) { half(b); b.WithoutDeadMan = true }, false},
	}
}

// worlds writes a table of the band in other worlds, at scale-in in proportion.
func (p *bandPage) worlds(ctx context.Context) error {
	pace := []tracking.Pace{tracking.Proportional}
	fmt.Fprintf(&p.text, "\n### Other promises, other worlds, wrong counts, and looks that stop\n\n%s", p.head("world"))
	for _, w := range worlds() {
		o := p.options
		o.assume.Staleness = 30 * time.Second
		if w.change != nil {
			w.change(&o)
		}
		b := policy.Band{Inside: policy.Retuned(o.tuning)}
		if w.looks != nil {
			w.looks(&b)
		}
		policies := []simulation.Policy{b}
		if w.alone {
			policies = append(policies, policy.Retuned(o.tuning))
		}
		all, err := p.all(ctx, w.title, o, policies, pace)
		if err != nil {
			return err
		}
		p.row("**"+w.title+"**: band", all, b.Name(), pace[0])
		if w.alone {
			p.row("without", all, policies[1].Name(), pace[0])
		}
	}
	return nil
}

// pictures draws the band where it has most to do, and where its looks stop.
func (p *bandPage) pictures(ctx context.Context) error {
	o := p.options
	o.assume.Staleness = 30 * time.Second
	band := policy.Band{Inside: policy.Retuned(o.tuning)}
	stopped := band
	stopped.StopAt = 6*time.Hour + 38*time.Minute // few tasks run, and a burst begins
	const noisy, bursty = 1, 2
	for _, picture := range []struct {
		name     string
		load     int
		policies []simulation.Policy
		view     report.View
	}{
		{"noisy", noisy, []simulation.Policy{band}, report.View{From: 74 * time.Hour, To: 80 * time.Hour}},
		{"bursty", bursty, []simulation.Policy{band}, report.View{From: 6 * time.Hour, To: 8 * time.Hour}},
		{"bursty-without", bursty, []simulation.Policy{policy.Retuned(o.tuning)},
			report.View{From: 6 * time.Hour, To: 8 * time.Hour}},
		{"looks-stop", bursty, []simulation.Policy{stopped}, report.View{From: 6*time.Hour + 30*time.Minute,
			To: 8*time.Hour + 30*time.Minute}},
	} {
		c, err := p.on(ctx, "picture", picture.load, o, picture.policies, []tracking.Pace{tracking.Proportional})
		if err != nil {
			return err
		}
		if err := p.draw(picture.name, report.Picture(c, c.Outcomes, picture.view)); err != nil {
			return err
		}
	}
	return nil
}

func (p *bandPage) draw(name string, c chart.Chart) error {
	return file{filepath.Join(p.folder, name+".svg"), c.WriteSVG}.save(io.Discard, p.screen)
}

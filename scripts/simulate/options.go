package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/compare"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// options are the flags.
type options struct {
	load        loadSpec
	suite       bool
	band        string // page about the band to be written; empty: none
	stack       string
	local       bool
	days        float64
	policies    string
	pace        string
	delay       time.Duration
	processing  time.Duration
	concurrency int
	bounds      tracking.Bounds
	tasks       int
	goal        float64
	seed        uint64
	tuning      policy.Project
	assume      simulation.Assumptions
	listAssume  bool
	looksStop   time.Duration
	sweep       string
	from, to    time.Duration
	out         outputs
	command     string
	given       map[string]bool // flags that were given
}

// outputs are the files that are written; empty for none.
type outputs struct {
	html, svg, png, csv, json, series string
	markdown                          bool
}

const usage = `Usage: go run ./scripts/simulate [flags]

Simulates a queue, its tasks and scaling policies, and compares what came of them.

  -load arrivals.csv -durations lognormal:20,0.8 -html report.html   a load of yours, with a report
  -load poisson -rate 120 -sweep headroom=1:6:1,utilization=0.6:0.95:0.05   what other settings would give
  -from-stack my-stack                                               your own queue, as CloudWatch measured it

`

func parse(args []string) (options, error) {
	o := options{
		tuning: policy.Defaults(), assume: simulation.DefaultAssumptions(), bounds: tracking.Bounds{Min: 1, Max: 100},
		given: map[string]bool{},
	}
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
		fmt.Fprintln(flags.Output(), "\nPolicies:")
		for _, d := range compare.Policies() {
			fmt.Fprintf(flags.Output(), "  %-16s %s\n", d.Name, d.What)
		}
		fmt.Fprintln(flags.Output(), "  fixed:N          a fixed number of tasks")
	}
	o.load.register(flags)
	o.registerScenario(flags)
	o.registerProject(flags)
	o.registerOutput(flags)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	flags.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	return o, o.validate()
}

func (o *options) registerScenario(flags *flag.FlagSet) {
	flags.BoolVar(&o.suite, "suite", false, "compare on the loads of docs/tuning.md, and print its tables")
	flags.StringVar(&o.band, "band", "", "compare the band with everything else, and write the figures of this page, "+
		"docs/band.md, and the pictures beside it")
	flags.StringVar(&o.stack, "from-stack", "", "take arrivals and durations from CloudWatch of this deployed stack")
	flags.BoolVar(&o.local, "local", false, "-from-stack of the local engine that runs in this checkout")
	flags.Float64Var(&o.days, "days", 7, "-from-stack: how many days back, at most 15")
	flags.StringVar(&o.policies, "policies", "project,project-formula,band,blueprint,guide,copilot,cdk,keda,steps",
		"policies to compare, separated by commas, or all")
	flags.StringVar(&o.pace, "pace", "both", "pace of target tracking's scale-in, which is not known: "+
		"proportional, one-at-a-time, both")
	flags.DurationVar(&o.delay, "delay", time.Minute, "the promise: the longest time that a message may wait")
	flags.DurationVar(&o.processing, "processing", 0, "processing duration that is believed at the start "+
		"(default: what the first durations are)")
	flags.IntVar(&o.concurrency, "concurrency", 1, "messages that a task works on at once")
	flags.IntVar(&o.bounds.Min, "min", 1, "MinTasks")
	flags.IntVar(&o.bounds.Max, "max", 100, "MaxTasks")
	flags.IntVar(&o.tasks, "tasks", 0, "tasks at the start (default: the load's mean demand)")
	flags.Float64Var(&o.goal, "goal", 95, "share of messages, in percent, that are to start within the delay")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of everything random")
	flags.Func(
		"assume",
		"an assumption, name=value, or a JSON file with several; may be repeated. See -assumptions",
		o.readAssumption,
	)
	flags.BoolVar(&o.listAssume, "assumptions", false, "list the assumptions with their evidence, and stop")
}

func (o *options) registerProject(flags *flag.FlagSet) {
	p := &o.tuning
	flags.Float64Var(&p.Headroom, "headroom", p.Headroom, "h of this project's backlog target")
	flags.Float64Var(&p.Utilization, "utilization", p.Utilization, "u of this project's rate target")
	flags.DurationVar(
		&p.ScaleOutCooldown,
		"out-cooldown",
		p.ScaleOutCooldown,
		"scale-out cooldown of this project's policies",
	)
	flags.DurationVar(
		&p.ScaleInCooldown,
		"in-cooldown",
		p.ScaleInCooldown,
		"scale-in cooldown of this project's policies",
	)
	flags.DurationVar(&p.Retune.Every, "retune", p.Retune.Every, "how often this project retunes; 0: never")
	flags.DurationVar(&p.Retune.Window, "retune-window", p.Retune.Window, "what time a retune measures")
	flags.Float64Var(
		&p.Retune.DriftFactor,
		"drift-factor",
		p.Retune.DriftFactor,
		"retune at once when the duration has changed "+
			"by this factor; 0: never",
	)
	flags.DurationVar(&o.looksStop, "looks-stop", 0, "the looks of the policy band stop for good after this time, "+
		"as if its machine had failed; 0: never")
	flags.StringVar(
		&o.sweep,
		"sweep",
		"",
		"try settings of this project: name=from:to:step or name=a+b+c, several separated by commas",
	)
}

func (o *options) registerOutput(flags *flag.FlagSet) {
	flags.StringVar(&o.out.html, "html", "", "write a report into this file, which needs no other")
	flags.StringVar(&o.out.svg, "svg", "", "write pictures as SVG into this folder")
	flags.StringVar(&o.out.png, "png", "", "write the same pictures as PNG into this folder, for slides")
	flags.StringVar(&o.out.csv, "csv", "", "write the table, or with -sweep its points, into this CSV file")
	flags.StringVar(&o.out.json, "json", "", "write everything into this JSON file; - is the standard output")
	flags.StringVar(&o.out.series, "series", "", "write what happened in each period as CSV into this folder")
	flags.BoolVar(&o.out.markdown, "markdown", false, "print the table for a document")
	flags.DurationVar(&o.from, "from", 0, "pictures begin here (default: of a load longer than two days its worst day)")
	flags.DurationVar(&o.to, "to", 0, "pictures end here (default: the end)")
}

func (o *options) readAssumption(text string) error {
	if name, value, ok := strings.Cut(text, "="); ok {
		return o.assume.Set(name, value)
	}
	file, err := os.Open(text)
	if err != nil {
		return fmt.Errorf("%w; an assumption is name=value or a file", err)
	}
	defer file.Close()
	return o.assume.Read(file)
}

func (o *options) validate() error {
	switch {
	case o.goal <= 0 || o.goal > 100:
		return fmt.Errorf("-goal %v: it is a share in percent", o.goal)
	case o.stack != "" && (o.days <= 0 || o.days > 15):
		return fmt.Errorf("-days %v: CloudWatch keeps minutes for 15 days", o.days)
	case o.local && o.stack == "":
		return errors.New("-local is for -from-stack")
	case o.stack != "" && o.suite:
		return errors.New("-suite has loads of its own: leave -from-stack out")
	}
	_, err := o.paces()
	return errors.Join(err, o.validateSweep(), o.load.validate(), o.validateScenario())
}

func (o *options) validateSweep() error {
	if o.from < 0 || o.to < 0 || o.to > 0 && o.from >= o.to {
		return fmt.Errorf("-from %v -to %v: a stretch of the load, from before to", o.from, o.to)
	}
	if o.sweep == "" {
		return nil
	}
	_, err := compare.ParseAxes(o.sweep)
	return err
}

// mostConcurrency and mostTasks exclude typing errors.
const (
	mostConcurrency = 1000
	mostTasks       = 100_000
)

func (o *options) validateScenario() error {
	switch {
	case o.concurrency < 1 || o.concurrency > mostConcurrency:
		return fmt.Errorf("-concurrency %d: 1 to %d", o.concurrency, mostConcurrency)
	case o.bounds.Min < 0 || o.bounds.Max < max(1, o.bounds.Min) || o.bounds.Max > mostTasks:
		return fmt.Errorf("-min %d -max %d: 0 or more, ascending, at most %d", o.bounds.Min, o.bounds.Max, mostTasks)
	case o.tasks < 0 || o.tasks > o.bounds.Max:
		return fmt.Errorf("-tasks %d: 1 to -max, which is %d; 0 takes the load's mean demand", o.tasks, o.bounds.Max)
	case o.delay <= 0 || o.processing < 0:
		return fmt.Errorf("-delay %v -processing %v: durations above 0", o.delay, o.processing)
	case o.tuning.Headroom < 0 || o.tuning.Utilization <= 0 || o.tuning.Utilization >= 1:
		return fmt.Errorf("-headroom %v -utilization %v: 0 or more, and between 0 and 1",
			o.tuning.Headroom, o.tuning.Utilization)
	}
	return nil
}

// paces of scale-in to run with. An assumption that was given counts as a choice.
func (o *options) paces() ([]tracking.Pace, error) {
	assumed := o.assume.Tracking.ScaleInPace
	switch {
	case o.pace == "both" && o.given["assume"] && assumed != simulation.DefaultAssumptions().Tracking.ScaleInPace:
		return []tracking.Pace{assumed}, nil
	case o.pace == "both":
		return []tracking.Pace{tracking.Proportional, tracking.OneAtATime}, nil
	case o.pace == string(tracking.Proportional), o.pace == string(tracking.OneAtATime):
		return []tracking.Pace{tracking.Pace(o.pace)}, nil
	}
	return nil, fmt.Errorf("-pace %q: proportional, one-at-a-time or both", o.pace)
}

func (o *options) chosenPolicies() ([]simulation.Policy, error) {
	names := strings.Split(o.policies, ",")
	if o.policies == "all" {
		names = nil
		for _, d := range compare.Policies() {
			names = append(names, d.Name)
		}
	}
	var policies []simulation.Policy
	for _, name := range names {
		p, err := compare.Named(strings.TrimSpace(name), o.tuning)
		if err != nil {
			return nil, err
		}
		if b, ok := p.(policy.Band); ok {
			b.StopAt = o.looksStop
			p = b
		}
		policies = append(policies, p)
	}
	return policies, nil
}

func (o *options) scenario(load *simulation.Load) simulation.Scenario {
	return simulation.Scenario{
		Load: load, Assumptions: o.assume, Delay: o.delay, Processing: o.processing, Concurrency: o.concurrency,
		Bounds: o.bounds, Tasks: o.tasks, Seed: o.seed,
	}
}

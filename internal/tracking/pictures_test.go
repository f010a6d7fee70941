package tracking

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/chart"
)

var update = flag.Bool("update", false, "write the pictures of docs/target-tracking.md anew")

// TestPictures holds the pictures of docs/target-tracking.md against what the engine does now; -update writes them.
func TestPictures(t *testing.T) {
	for name, draw := range map[string]func(*testing.T) chart.Chart{
		"step": pictureStep, "burst": pictureBurst, "drift": pictureDrift, "missing-data": pictureMissingData,
		"two-policies": pictureTwoPolicies, "bounds-moved": pictureBoundsMoved, "pace": picturePace,
		"cooldown":   pictureCooldown,
		"late-count": pictureLateCount, "from-zero": pictureFromZero,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", "docs", "target-tracking", name+".svg")
			got := draw(t).SVG()
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
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
				t.Errorf("%s is not what the engine does now: go test ./internal/tracking -run TestPictures -update",
					path)
			}
		})
	}
}

// Targets of the pictures: jobs of 5 s, one at a time, that may wait 60 s, utilisation 0.8, headroom 1.
const (
	backlogTarget = 13  // 1 + 60 / 5
	rateTarget    = 9.6 // 60 * 0.8 / 5
)

func pictureStep(t *testing.T) chart.Chart {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 30}, 4)
	w.track(t, "rate", rateTarget, templateRate())
	const step = 10 * time.Minute
	w.arrivals = func(at time.Duration) float64 {
		if at < step {
			return 0.6
		}
		return 1.6
	}
	w.run(28 * time.Minute)
	first := w.changes()[0]
	out := minutes(first.Start.Sub(epoch))
	return w.chart("A step of load, seen by the rate policy",
		"96 messages a minute instead of 36; the first new task is asked for "+
			first.Start.Sub(epoch.Add(step)).String()+" later, and runs 45 s after that.",
		chart.Panel{Title: "sent per period and task", Marks: []chart.Mark{
			chart.Span{From: 10, To: 13, Label: "3 periods", Color: chart.Orange},
			chart.Span{From: 13, To: out, Label: "publication, lag", Color: chart.Blue},
			w.metric(t, "metric", templateRate()), target(rateTarget),
		}},
		w.alarms("rate"), w.tasks(), w.wait())
}

func pictureBurst(t *testing.T) chart.Chart {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 60}, 2)
	w.track(t, "backlog", backlogTarget, templateBacklog())
	w.arrivals = func(at time.Duration) float64 {
		if at >= 10*time.Minute && at < 14*time.Minute {
			return 3
		}
		return 0.2
	}
	w.run(60 * time.Minute)
	return w.chart("A burst of four minutes, seen by the backlog policy alone",
		"The burst is over before anything happens. Then come more tasks than are needed, and stay for a quarter of "+
			"an hour.",
		w.load(), chart.Panel{Title: "backlog per task", Marks: []chart.Mark{w.metric(t, "metric", templateBacklog()),
			target(backlogTarget)}},
		w.alarms("backlog"), w.tasks(), w.wait())
}

func pictureDrift(t *testing.T) chart.Chart {
	run := func(duration func(time.Duration) float64, retune bool) *world {
		w := newWorld(t, DefaultAssumptions(), Bounds{1, 60}, 9)
		w.track(t, "rate", rateTarget, templateRate())
		w.arrivals = func(time.Duration) float64 { return 1.4 }
		w.duration = duration
		for range 3 {
			w.run(time.Hour)
			if retune {
				w.track(t, "rate", 60*0.8/duration(w.elapsed), templateRate())
			}
		}
		return w
	}
	drifting := func(at time.Duration) float64 { return 5 + 5*min(1, max(0, at.Hours()-0.5)) }
	fixed, retuned := run(drifting, false), run(drifting, true)
	lines := func(what func(sample) float64) []chart.Mark {
		return []chart.Mark{
			fixed.line("target fixed", chart.Red, what), retuned.line("target retuned each hour", chart.Blue, what),
		}
	}
	return chart.Chart{
		Title: "Jobs that take longer and longer",
		Subtitle: "84 messages a minute all the time; a job takes 5 s, then within an hour 10 s. The rate per task " +
			"does not change, so its policy does not act.",
		XLabel: "minutes",
		Panels: []chart.Panel{
			{Title: "seconds a job takes", Height: 80, Marks: []chart.Mark{
				fixed.line("", chart.Gray, func(s sample) float64 { return drifting(s.at) }),
			}},
			{Title: "running tasks", Marks: lines(func(s sample) float64 { return float64(s.running) })},
			{Title: "messages in the queue", Marks: lines(func(s sample) float64 { return s.queue })},
		},
	}
}

func pictureMissingData(t *testing.T) chart.Chart {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 30}, 6)
	w.track(t, "backlog", backlogTarget, templateBacklog())
	w.arrivals = func(at time.Duration) float64 {
		if at < 8*time.Minute {
			return 1
		}
		return 1.6
	}
	w.lost["Visible"] = func(at time.Duration) bool { return at > 12*time.Minute && at <= 24*time.Minute }
	w.run(45 * time.Minute)
	states := chart.Line{Name: "AlarmHigh: 0 OK, 1 INSUFFICIENT_DATA, 2 ALARM", Color: chart.Red, Step: true}
	for _, s := range w.states {
		states.X = append(states.X, minutes(s.at))
		states.Y = append(states.Y, map[AlarmState]float64{StateOK: 0, StateInsufficientData: 1,
			StateAlarm: 2}[s.alarms[0].State])
	}
	return w.chart("Twelve minutes without a metric",
		"Load rises at minute 8; the queue's metric is missing from minute 12 to 24. A breaching datapoint that "+
			"nothing follows fires AlarmHigh (documented). Then there is INSUFFICIENT_DATA: nothing is added, "+
			"nothing removed.",
		chart.Panel{Title: "backlog per task", Marks: []chart.Mark{
			chart.Span{From: 12, To: 24, Label: "no datapoints", Color: chart.Gray},
			w.metric(t, "metric", templateBacklog()), target(backlogTarget),
		}},
		chart.Panel{Title: "state", Height: 70, Max: 2.2, Marks: []chart.Mark{states}},
		w.tasks(), w.wait())
}

func pictureTwoPolicies(t *testing.T) chart.Chart {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 30}, 4)
	w.track(t, "backlog", backlogTarget, templateBacklog())
	w.track(t, "rate", rateTarget, templateRate())
	w.arrivals = func(at time.Duration) float64 {
		switch {
		case at < 10*time.Minute:
			return 0.5
		case at < 60*time.Minute:
			return 1.5
		default:
			return 0.5
		}
	}
	w.run(95 * time.Minute)
	return w.chart("Two policies: any one scales out, both must agree to scale in",
		"Load from 30 to 90 messages a minute at minute 10, back at minute 60. The rate adds what arrivals need, the "+
			"backlog a minute later what clears the queue. At minute 36 both agree, and the larger count wins: 10, "+
			"which the rate needs. Backlog alone would have gone to 1.",
		chart.Panel{Title: "backlog per task", Height: 110, Marks: []chart.Mark{w.metric(t, "metric",
			templateBacklog()), target(backlogTarget)}},
		chart.Panel{Title: "sent per period and task", Height: 110, Marks: []chart.Mark{w.metric(t, "metric",
			templateRate()), target(rateTarget)}},
		w.lows(), w.tasks())
}

func pictureBoundsMoved(t *testing.T) chart.Chart {
	w := newWorld(t, DefaultAssumptions(), Bounds{1, 12}, 4)
	w.track(t, "rate", rateTarget, templateRate())
	w.arrivals = func(time.Duration) float64 { return 0.55 }
	band := chart.Band{Name: "bounds", Color: chart.Gray}
	hold := func(d time.Duration) {
		b := w.engine.Bounds()
		for _, at := range []time.Duration{w.elapsed, w.elapsed + d} {
			band.X = append(band.X, minutes(at))
			band.Low, band.High = append(band.Low, float64(b.Min)), append(band.High, float64(b.Max))
		}
		w.run(d)
	}
	move := func(b Bounds) {
		d, err := w.engine.SetBounds(w.now(), b, w.capacity())
		if err != nil {
			t.Fatal(err)
		}
		w.apply(d)
	}
	hold(5 * time.Minute)
	move(Bounds{8, 12})
	hold(10 * time.Minute)
	move(Bounds{1, 12})
	hold(22 * time.Minute)
	move(Bounds{1, 3})
	hold(8 * time.Minute)
	move(Bounds{1, 12})
	hold(10 * time.Minute)
	tasks := w.tasks()
	tasks.Marks = append([]chart.Mark{band}, tasks.Marks...)
	tasks.Height = 220
	return w.chart("Bounds moved at run time act at once",
		"MinCapacity to 8 at minute 5, back to 1 at 15: nothing is removed then, only when AlarmLow fires. "+
			"MaxCapacity to 3 at minute 37, back at 45.",
		tasks)
}

func picturePace(t *testing.T) chart.Chart {
	run := func(pace Pace) *world {
		assume := DefaultAssumptions()
		assume.ScaleInPace = pace
		w := newWorld(t, assume, Bounds{1, 30}, 16)
		w.track(t, "rate", rateTarget, templateRate())
		w.arrivals = func(at time.Duration) float64 {
			if at < 5*time.Minute {
				return 2.4
			}
			return 0.5
		}
		w.run(100 * time.Minute)
		return w
	}
	marks := []chart.Mark{}
	for i, pace := range []Pace{Proportional, OneAtATime} {
		w := run(pace)
		marks = append(marks, w.line(string(pace), []chart.Color{chart.Blue, chart.Orange}[i],
			func(s sample) float64 { return float64(s.desired) }))
	}
	return chart.Chart{
		Title: "The pace of scale-in is not documented",
		Subtitle: "The load falls from 144 to 30 messages a minute at minute 5. Both ways are possible; the bill " +
			"differs most here.",
		XLabel: "minutes", Panels: []chart.Panel{{Title: "desired count", Height: 200, Marks: marks}},
	}
}

func pictureCooldown(t *testing.T) chart.Chart {
	marks := []chart.Mark{}
	for i, cooldown := range []time.Duration{5 * time.Minute, time.Minute} {
		w := newWorld(t, DefaultAssumptions(), Bounds{1, 100}, 4)
		w.arrivals = func(at time.Duration) float64 {
			if at < 5*time.Minute {
				return 0.6
			}
			return 1.6
		}
		err := w.engine.PutTargetTracking(w.now(), TargetTracking{
			Name: "rate", Target: rateTarget, Metrics: templateRate(), ScaleOutCooldown: &cooldown,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run(40 * time.Minute)
		marks = append(marks, w.line(strconv.Itoa(int(cooldown.Seconds()))+" s", []chart.Color{chart.Blue,
			chart.Red}[i], func(s sample) float64 { return float64(s.desired) }))
	}
	return chart.Chart{
		Title: "A scale-out cooldown shorter than the lag",
		Subtitle: "The step of the first picture, at minute 5: 10 tasks are needed. With 60 s, datapoints from " +
			"before the new tasks are multiplied with the new count.",
		XLabel: "minutes", Panels: []chart.Panel{{Title: "desired count, cooldown", Height: 200, Marks: marks}},
	}
}

// pictureLateCount compares two ways of dividing by a task count that arrives a minute after the queue's metrics.
func pictureLateCount(t *testing.T) chart.Chart {
	sent, tasks := metric("Sent"), metric("Tasks")
	naive := []MetricQuery{
		{ID: "sent", Metric: &sent}, {ID: "tasks", Metric: &tasks},
		{ID: "perTask", ReturnData: true, Expression: "IF(FILL(tasks, 0) > 0, sent / tasks, sent)"},
	}
	marks, seen := []chart.Mark{}, []chart.Mark{}
	for i, queries := range [][]MetricQuery{templateRate(), naive} {
		name, color := []string{"FILL(tasks, REPEAT)", "FILL(tasks, 0)"}[i], []chart.Color{chart.Blue, chart.Red}[i]
		w := newWorld(t, DefaultAssumptions(), Bounds{1, 60}, 20)
		w.delays["Tasks"] = 2 * time.Minute
		w.track(t, "rate", rateTarget, queries)
		w.arrivals = func(at time.Duration) float64 {
			if at < 10*time.Minute {
				return 3
			}
			return 1
		}
		w.run(60 * time.Minute)
		newest := chart.Line{Name: name, Color: color, Step: true}
		for _, s := range w.states {
			newest.X, newest.Y = append(newest.X, minutes(s.at)), append(newest.Y, s.alarms[1].Value)
		}
		seen = append(seen, newest)
		marks = append(marks, w.line(name, color, func(s sample) float64 { return float64(s.desired) }))
	}
	return chart.Chart{
		Title: "A task count that is late is not zero tasks",
		Subtitle: "The load falls at minute 10; the task count arrives a minute after the queue's metrics. Filled " +
			"with 0, the " +
			"newest datapoint is undivided: AlarmLow never sees 15 of 15, and nothing is ever removed.",
		XLabel: "minutes",
		Panels: []chart.Panel{
			{Title: "newest datapoint of sent per task", Marks: append(seen, target(rateTarget))},
			{Title: "desired count", Marks: marks},
		},
	}
}

func pictureFromZero(t *testing.T) chart.Chart {
	w := newWorld(t, DefaultAssumptions(), Bounds{0, 10}, 0)
	w.track(t, "backlog", backlogTarget, templateBacklog())
	w.track(t, "rate", rateTarget, templateRate())
	putFromZero(t, w.engine, w.assume)
	w.arrivals = func(at time.Duration) float64 {
		if at == 10*time.Minute {
			return 1
		}
		return 0
	}
	w.run(45 * time.Minute)
	return w.chart("One message, no task",
		"One message is less than any target, so target tracking never starts a task for it. A step policy does, "+
			"and tracking removes it again.",
		chart.Panel{Title: "backlog per task", Height: 90, Marks: []chart.Mark{w.metric(t, "metric",
			templateBacklog()), target(backlogTarget)}},
		w.tasks())
}

func minutes(d time.Duration) float64 { return math.Round(d.Minutes()*1000) / 1000 }

func target(v float64) chart.Mark { return chart.Rule{Name: "target", Y: v, Color: chart.Red} }

func (w *world) chart(title, subtitle string, panels ...chart.Panel) chart.Chart {
	return chart.Chart{Title: title, Subtitle: subtitle, XLabel: "minutes", XMax: minutes(w.elapsed), Panels: panels}
}

func (w *world) line(name string, color chart.Color, what func(sample) float64) chart.Line {
	l := chart.Line{Name: name, Color: color, Step: true}
	for _, s := range w.trace {
		l.X, l.Y = append(l.X, minutes(s.at)), append(l.Y, math.Round(what(s)*100)/100)
	}
	return l
}

func (w *world) load() chart.Panel {
	sent := w.line("", chart.Gray, func(s sample) float64 { return 60 * w.arrivals(s.at) })
	sent.Fill = true
	return chart.Panel{Title: "messages sent a minute", Height: 80, Marks: []chart.Mark{sent}}
}

// metric is what metric math makes of each period in the end, when all datapoints have been published.
func (w *world) metric(t *testing.T, name string, queries []MetricQuery) chart.Line {
	t.Helper()
	length := int(w.elapsed / w.assume.Period)
	r, err := newRequest(queries, length, false)
	if err != nil {
		t.Fatal(err)
	}
	l := chart.Line{Name: name, Color: chart.Orange, Step: true}
	for i, v := range r.read(w.store, epoch, w.assume.Period, w.now().Add(time.Hour)) {
		start := time.Duration(i) * w.assume.Period
		l.X, l.Y = append(l.X, minutes(start), minutes(start+w.assume.Period)), append(l.Y, v, v)
	}
	return l
}

// alarms shows how far the two alarms of a policy are.
func (w *world) alarms(policy string) chart.Panel {
	high, low := chart.Line{Name: "AlarmHigh", Color: chart.Red, Step: true}, chart.Line{Name: "AlarmLow",
		Color: chart.Blue, Step: true}
	for _, s := range w.states {
		for i, a := range s.alarms {
			if a.Policy != policy {
				continue
			}
			l := []*chart.Line{&high, &low}[i%2]
			l.X, l.Y = append(l.X, minutes(s.at)), append(l.Y, math.Round(100*float64(a.Breaching)/float64(a.Needed)))
		}
	}
	return chart.Panel{Title: "% of the datapoints needed", Height: 80, Max: 108, Marks: []chart.Mark{high, low}}
}

// lows shows the AlarmLow of both policies.
func (w *world) lows() chart.Panel {
	p := chart.Panel{Title: "% of the datapoints needed", Height: 80, Max: 108}
	for i, color := range map[int]chart.Color{1: chart.Blue, 3: chart.Purple} {
		l := chart.Line{Name: "AlarmLow of " + w.states[0].alarms[i].Policy, Color: color, Step: true}
		for _, s := range w.states {
			a := s.alarms[i]
			l.X, l.Y = append(l.X, minutes(s.at)), append(l.Y, math.Round(100*float64(a.Breaching)/float64(a.Needed)))
		}
		p.Marks = append(p.Marks, l)
	}
	if p.Marks[0].(chart.Line).Color != chart.Blue { // maps have no order
		p.Marks[0], p.Marks[1] = p.Marks[1], p.Marks[0]
	}
	return p
}

// tasks shows desired and running tasks with the scaling activities.
func (w *world) tasks() chart.Panel {
	desired := w.line("desired", chart.Purple, func(s sample) float64 { return float64(s.desired) })
	running := w.line("running", chart.Green, func(s sample) float64 { return float64(s.running) })
	desired.Dashed, running.Fill = true, true
	p := chart.Panel{Title: "tasks", Height: 130, Marks: []chart.Mark{running, desired}}
	for _, a := range w.changes() {
		p.Marks = append(p.Marks, chart.Event{X: minutes(a.Start.Sub(epoch)), Label: "to " + strconv.Itoa(a.To),
			Color: chart.Purple})
	}
	return p
}

// wait shows how long the newest message will wait, against a promise of 60 s.
func (w *world) wait() chart.Panel {
	wait := w.line("", chart.Blue, func(s sample) float64 { return s.wait })
	wait.Fill = true
	return chart.Panel{Title: "wait in seconds", Height: 100, Marks: []chart.Mark{
		wait, chart.Rule{Name: "promise", Y: 60, Color: chart.Red},
	}}
}

package band

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// template are the settings of the template's defaults, with room upwards.
var template = Settings{
	AcceptableDelay: time.Minute, Concurrency: 1, MinTasks: 1, MaxTasks: 100, LookInterval: LookInterval,
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// steady is eight tasks with as much work as they can do: 96 messages a minute of 5 s each.
func steady() Look {
	return Look{
		At: noon, InFlight: 8, Running: 8, Desired: 8, Sent: sent(96, 96, 96), ProcessingSeconds: 5,
		InForce: Bounds{8, 10},
	}
}

// sent are metric periods of a minute that end a minute before noon.
func sent(messages ...float64) []Sent {
	var all []Sent
	for i, n := range messages {
		from := noon.Add(time.Duration(i-len(messages)-1) * time.Minute)
		all = append(all, Sent{From: from, PeriodSeconds: 60, Messages: n})
	}
	return all
}

// before is the memory of a look 20 s ago that counted so many in flight and none visible.
func before(ceiling float64, inFlight int) Memory {
	at := noon.Add(-LookInterval)
	return Memory{LookedAt: at, At: at, Ceiling: ceiling, Counts: []Count{{At: at, InFlight: inFlight}}}
}

func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		settings func(*Settings)
		look     func(*Look)
		memory   Memory
		want     Bounds
		why      string
	}{
		"steady: the floor is what arrivals need, the ceiling sinks by 12 % a minute": {
			memory: before(12, 8), want: Bounds{8, 12}, why: "arrivals", // 12 × 0.88^(1/3) = 11.5
		},
		"nothing to do": {
			look:   func(l *Look) { l.InFlight, l.Sent = 0, sent(0, 0, 0) },
			memory: before(10, 0), want: Bounds{1, 10}, why: "MinTasks",
		},
		"nothing to do, none allowed": {
			settings: func(s *Settings) { s.MinTasks = 0 },
			look:     func(l *Look) { l.InFlight, l.Sent = 0, nil },
			memory:   before(0.2, 0), want: Bounds{0, 1}, why: "MinTasks", // the ceiling leaves room for one
		},
		"a backlog that the tasks work off in time: 40 × 5 / 40 = 5": {
			look:   func(l *Look) { l.Visible, l.Sent = 40, nil },
			memory: Memory{}, want: Bounds{8, 8}, why: "arrivals", // mean in flight
		},
		"a backlog beyond what is spare: 8 + (164 - 64) × 5 / 6.67 = 83": {
			look:   func(l *Look) { l.Visible = 164 },
			memory: Memory{}, want: Bounds{83, 83}, why: "backlog",
		},
		"two fifths of the tasks that start count: 9.2 + (165 - 73.6) × 5 / 6.67 = 77.8": {
			look:   func(l *Look) { l.Visible, l.Desired = 165, 11 },
			memory: Memory{}, want: Bounds{78, 78}, why: "backlog",
		},
		"never more tasks than there is work: long jobs": {
			look: func(l *Look) {
				l.Visible, l.InFlight, l.Running, l.Desired, l.ProcessingSeconds, l.Sent = 3, 2, 2, 2, 300, nil
			},
			memory: Memory{}, want: Bounds{5, 5}, why: "backlog",
		},
		"never more tasks than there is work: long jobs, four at once": {
			settings: func(s *Settings) { s.Concurrency = 4 },
			look: func(l *Look) {
				l.Visible, l.InFlight, l.Running, l.Desired, l.ProcessingSeconds, l.Sent = 40, 0, 0, 0, 300, nil
			},
			memory: Memory{}, want: Bounds{10, 10}, why: "backlog",
		},
		"no task, no memory: the ceiling leaves room for one": {
			settings: func(s *Settings) { s.MinTasks = 0 },
			look: func(l *Look) {
				l.InFlight, l.Running, l.Desired, l.Sent = 0, 0, 0, nil
			},
			memory: Memory{}, want: Bounds{0, 1}, why: "MinTasks",
		},
		"a look that comes five seconds late still sees the growth of a minute: 8 + 52 × 5 / 60 = 12.3": {
			look: func(l *Look) { l.Visible = 52 },
			memory: Memory{LookedAt: noon.Add(-25 * time.Second), At: noon.Add(-25 * time.Second), Ceiling: 8,
				Counts: []Count{
					{At: noon.Add(-65 * time.Second), InFlight: 8}, {At: noon.Add(-45 * time.Second), InFlight: 8},
				}},
			want: Bounds{13, 13}, why: "arrivals",
		},
		"four messages a task": {
			settings: func(s *Settings) { s.Concurrency = 4 },
			look:     func(l *Look) { l.Running, l.Desired = 2, 2 },
			memory:   before(1, 8), want: Bounds{2, 2}, why: "arrivals",
		},
		"growth of 52 in a minute: 8 + 52 × 5 / 60 = 12.3": {
			look: func(l *Look) { l.Visible = 52 },
			memory: Memory{LookedAt: noon.Add(-LookInterval), At: noon.Add(-LookInterval), Ceiling: 8, Counts: []Count{
				{At: noon.Add(-61 * time.Second), InFlight: 8}, {At: noon.Add(-41 * time.Second), InFlight: 8},
			}},
			want: Bounds{13, 13}, why: "arrivals",
		},
		"a count older than a minute is not compared with": {
			look: func(l *Look) { l.Visible = 52 },
			memory: Memory{LookedAt: noon.Add(-LookInterval), At: noon.Add(-LookInterval), Ceiling: 8, Counts: []Count{
				{At: noon.Add(-80 * time.Second), InFlight: 8},
				{At: noon.Add(-20 * time.Second), Visible: 52, InFlight: 8},
			}},
			want: Bounds{8, 8}, why: "arrivals",
		},
		"a short delay leaves no time to wait for a slot: 8 / 0.8": {
			settings: func(s *Settings) { s.AcceptableDelay = 20 * time.Second },
			memory:   before(5, 8), want: Bounds{10, 10}, why: "arrivals",
		},
		"a long delay lets the ceiling sink fast: 40 × 0.4^(1/3) = 29.5": {
			settings: func(s *Settings) { s.AcceptableDelay = 5 * time.Minute },
			memory:   before(40, 8), want: Bounds{8, 30}, why: "arrivals",
		},
		"from no task": {
			look: func(l *Look) {
				l.Visible, l.InFlight, l.Running, l.Desired, l.Sent = 1, 0, 0, 0, nil
			},
			settings: func(s *Settings) { s.MinTasks = 0 },
			memory:   before(1, 0), want: Bounds{1, 1}, why: "backlog",
		},
		"MaxTasks": {
			look:   func(l *Look) { l.Visible = 1000 },
			memory: before(8, 8), want: Bounds{100, 100}, why: "backlog, at MaxTasks",
		},
		"MinTasks": {
			settings: func(s *Settings) { s.MinTasks = 20 },
			memory:   before(8, 8), want: Bounds{20, 20}, why: "MinTasks",
		},
		"a deployment removes nothing": {
			look:   func(l *Look) { l.Deploying, l.Running, l.Desired = true, 24, 12 },
			memory: before(8, 8), want: Bounds{12, 12}, why: "a deployment is in progress",
		},
		"a deployment's double tasks are not taken for more": {
			look:   func(l *Look) { l.Deploying, l.Running, l.Desired, l.Visible = true, 16, 8, 164 },
			memory: before(8, 8), want: Bounds{83, 83}, why: "backlog",
		},
		"without a memory the ceiling begins at the desired count": {
			look:   func(l *Look) { l.Desired, l.Running = 30, 30 },
			memory: Memory{}, want: Bounds{8, 30}, why: "arrivals",
		},
		"a memory of more than five minutes ago is lost": {
			memory: Memory{LookedAt: noon.Add(-301 * time.Second), At: noon.Add(-301 * time.Second), Ceiling: 60},
			want:   Bounds{8, 8}, why: "arrivals",
		},
		"a memory from the future is lost": {
			memory: Memory{LookedAt: noon.Add(time.Second), At: noon.Add(time.Second), Ceiling: 60},
			want:   Bounds{8, 8}, why: "arrivals",
		},
		"after a gap the ceiling sinks for a minute at most: 20 × 0.88 = 17.6": {
			memory: Memory{LookedAt: noon.Add(-4 * time.Minute), At: noon.Add(-4 * time.Minute), Ceiling: 20},
			want:   Bounds{8, 18}, why: "arrivals",
		},
	} {
		t.Run(name, func(t *testing.T) {
			settings, look := template, steady()
			if test.settings != nil {
				test.settings(&settings)
			}
			if test.look != nil {
				test.look(&look)
			}
			got, _, err := Decide(settings, look, test.memory)
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds != test.want || got.Why != test.why || got.Doubted {
				t.Errorf("floor and ceiling %v for %q, want %v for %q\n%s", got.Bounds, got.Why, test.want, test.why,
					got.Summary)
			}
			if got.Moves != (got.Bounds != look.InForce) {
				t.Errorf("moves: %v, with %v in force", got.Moves, look.InForce)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	look := steady()
	look.Visible = 164
	d, memory, err := Decide(template, look, Memory{})
	if err != nil {
		t.Fatal(err)
	}
	const moved = "164 visible, 8 in flight, 8 of 8 tasks run, 1.6/s sent, 5 s each: " +
		"need 8.00 for arrivals, 83.00 for the backlog; floor 83, ceiling 83, from 8-10: backlog"
	if d.Summary != moved {
		t.Errorf("got  %s\nwant %s", d.Summary, moved)
	}
	look.At, look.Visible, look.InFlight = look.At.Add(LookInterval), 0, 0
	d, _, err = Decide(template, look, memory)
	if err != nil {
		t.Fatal(err)
	}
	const doubted = "0 visible, 0 in flight, 8 of 8 tasks run, 1.6/s sent, 5 s each: not believed; " +
		"floor 8, ceiling 10, kept: the counts read zero at once, which the tasks cannot have worked off"
	if d.Summary != doubted {
		t.Errorf("got  %s\nwant %s", d.Summary, doubted)
	}
}

// looks plays a series of looks, 20 s apart, with the bounds that each decided on in force at the next.
func looks(t *testing.T, counts ...Count) []Decision {
	t.Helper()
	var all []Decision
	var memory Memory
	look := steady()
	for _, count := range counts {
		look.Visible, look.InFlight = count.Visible, count.InFlight
		d, after, err := Decide(template, look, memory)
		if err != nil {
			t.Fatal(err)
		}
		all, memory = append(all, d), after
		look.At, look.InForce, look.Desired = look.At.Add(LookInterval), d.Bounds, max(look.Desired, d.Floor)
		for i := range look.Sent {
			look.Sent[i].From = look.Sent[i].From.Add(LookInterval)
		}
	}
	return all
}

func TestATransientZeroChangesNothing(t *testing.T) {
	busy := Count{Visible: 100, InFlight: 8}
	with := looks(t, busy, busy, busy, Count{}, busy, busy, busy)
	if !with[3].Doubted || with[3].Moves {
		t.Errorf("the zero is believed: %s", with[3].Summary)
	}
	for i, d := range with {
		if i > 0 && d.Floor != with[1].Floor {
			t.Errorf("look %d: floor %d, %d before the zero: %s", i, d.Floor, with[1].Floor, d.Summary)
		}
	}
}

// Eight tasks that each do four messages of 5 s at once have done 128 after 20 s.
func TestWhatTheTasksCanHaveWorkedOff(t *testing.T) {
	settings := template
	settings.Concurrency = 4
	for there, doubted := range map[Count]bool{
		{Visible: 128}: false, {Visible: 129}: true,
		{Visible: 100, InFlight: 28}: false, {Visible: 100, InFlight: 29}: true,
	} {
		look := steady()
		look.InFlight, look.Sent = 0, nil
		there.At = noon.Add(-LookInterval)
		memory := Memory{LookedAt: there.At, At: there.At, Ceiling: 8, Counts: []Count{there}}
		d, _, err := Decide(settings, look, memory)
		if err != nil || d.Doubted != doubted {
			t.Errorf("zero after %d visible and %d in flight: doubted %v, want %v (%v)", there.Visible, there.InFlight,
				d.Doubted, doubted, err)
		}
	}
}

// Zeros are doubted after six looks of them, by a period that lies within them whole.
func TestWhenZerosAreDoubted(t *testing.T) {
	for name, test := range map[string]struct {
		zeros, sentFrom time.Duration
		doubted         bool
	}{
		"six looks, and a period that begins with them":       {120 * time.Second, 120 * time.Second, true},
		"six looks, and a period that began before":           {120 * time.Second, 121 * time.Second, false},
		"a moment less than six looks":                        {119 * time.Second, 119 * time.Second, false},
		"a long stretch, and a period that began before them": {200 * time.Second, 210 * time.Second, false},
	} {
		look := steady()
		look.InFlight = 0
		look.Sent = []Sent{{From: noon.Add(-test.sentFrom), PeriodSeconds: 60, Messages: 96}}
		memory := Memory{LookedAt: noon.Add(-LookInterval), ZeroSince: noon.Add(-test.zeros)}
		if d, _, err := Decide(template, look, memory); err != nil || d.Doubted != test.doubted {
			t.Errorf("%s: doubted %v (%v): %s", name, d.Doubted, err, d.Summary)
		}
	}
}

func TestTheSecondZeroIsBelieved(t *testing.T) {
	got := looks(t, Count{Visible: 100, InFlight: 8}, Count{}, Count{})
	if got[2].Doubted || got[2].BacklogNeed != 0 {
		t.Errorf("not believed: %s", got[2].Summary)
	}
}

func TestZerosAreDoubtedForAsLongAsMessagesAreSent(t *testing.T) {
	zeros := make([]Count, 20)
	got := looks(t, append([]Count{{Visible: 20, InFlight: 8}}, zeros...)...)
	first := -1
	for i, d := range got {
		if d.Doubted && i > 1 && first < 0 {
			first = i
		}
		if first >= 0 && (!d.Doubted || d.Moves) {
			t.Errorf("look %d is believed again: %s", i, d.Summary)
		}
	}
	// Two minutes of zero, and a period that lies within them and can be read: sent periods are two minutes late here.
	if after := time.Duration(first-1) * LookInterval; after < 2*time.Minute || after > 4*time.Minute {
		t.Errorf("doubted after %v of zeros", after)
	}
	if floor := got[first-1].Floor; floor != 8 {
		t.Errorf("until then the floor is %d, want the 8 that arrivals need", floor)
	}
}

func TestZerosAreBelievedWhenNothingWasSent(t *testing.T) {
	memory, look := Memory{}, steady()
	look.InFlight, look.Sent = 0, sent(0, 0, 0)
	for range 30 {
		d, after, err := Decide(template, look, memory)
		if err != nil || d.Doubted {
			t.Fatalf("doubted: %s (%v)", d.Summary, err)
		}
		memory, look.At = after, look.At.Add(LookInterval)
	}
	if got := up(memory.Ceiling); got > 3 {
		t.Errorf("ten minutes without work leave a ceiling of %d", got)
	}
}

func TestAgeOfTheMemoryOfZeros(t *testing.T) {
	look := steady()
	look.InFlight = 0
	stale := Memory{LookedAt: noon.Add(-time.Hour), ZeroSince: noon.Add(-2 * time.Hour)}
	if d, _, _ := Decide(template, look, stale); d.Doubted {
		t.Errorf("zeros of an hour ago count: %s", d.Summary)
	}
	recent := Memory{LookedAt: noon.Add(-LookInterval), ZeroSince: noon.Add(-20 * time.Minute)}
	if d, _, _ := Decide(template, look, recent); !d.Doubted {
		t.Errorf("zeros without a break are believed: %s", d.Summary)
	}
}

func TestRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		settings func(*Settings)
		look     func(*Look)
		field    string
	}{
		"no delay":           {func(s *Settings) { s.AcceptableDelay = 0 }, nil, "acceptable delay"},
		"no concurrency":     {func(s *Settings) { s.Concurrency = 0 }, nil, "concurrency"},
		"negative minimum":   {func(s *Settings) { s.MinTasks = -1 }, nil, "minimum of tasks"},
		"bounds descend":     {func(s *Settings) { s.MinTasks = 101 }, nil, "maximum of tasks"},
		"no task allowed":    {func(s *Settings) { s.MinTasks, s.MaxTasks = 0, 0 }, nil, "maximum of tasks"},
		"no time":            {func(s *Settings) { s.LookInterval = 0 }, nil, "time between looks"},
		"no moment":          {nil, func(l *Look) { l.At = time.Time{} }, "moment of the look"},
		"negative visible":   {nil, func(l *Look) { l.Visible = -1 }, "messages visible"},
		"negative in flight": {nil, func(l *Look) { l.InFlight = -1 }, "messages in flight"},
		"negative running":   {nil, func(l *Look) { l.Running = -1 }, "running tasks"},
		"no duration":        {nil, func(l *Look) { l.ProcessingSeconds = 0 }, "processing duration in seconds"},
		"duration unknown": {
			nil, func(l *Look) { l.ProcessingSeconds = math.NaN() }, "processing duration in seconds",
		},
		"sent not a number": {nil, func(l *Look) { l.Sent[1].Messages = math.NaN() }, "messages sent"},
		"period of nothing": {nil, func(l *Look) { l.Sent[0].PeriodSeconds = 0 }, "metric period in seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, look, memory := template, steady(), before(9, 8)
			if test.settings != nil {
				test.settings(&settings)
			}
			if test.look != nil {
				test.look(&look)
			}
			_, after, err := Decide(settings, look, memory)
			var value *backlog.ValueError
			if !errors.As(err, &value) || value.Field != test.field {
				t.Errorf("got %v, want a complaint about %q", err, test.field)
			}
			if !reflect.DeepEqual(after, memory) {
				t.Error("the memory changed")
			}
		})
	}
}

// anyLook draws what a look can see, and the memory of looks before it.
func anyLook(t *rapid.T) (Settings, Look, Memory) {
	least := rapid.IntRange(0, 20).Draw(t, "min")
	s := Settings{
		AcceptableDelay: time.Duration(rapid.IntRange(1, 7200).Draw(t, "delay")) * time.Second,
		Concurrency:     rapid.IntRange(1, 20).Draw(t, "concurrency"),
		MinTasks:        least, MaxTasks: max(1, least) + rapid.IntRange(0, 200).Draw(t, "more"),
		LookInterval: LookInterval,
	}
	count := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	l := Look{
		At: noon, Visible: count("visible", 5000), InFlight: count("inFlight", 500), Running: count("running", 200),
		Desired: count("desired", 200), Deploying: rapid.Bool().Draw(t, "deploying"),
		ProcessingSeconds: rapid.Float64Range(0.01, 5000).Draw(t, "processing"),
		InForce:           Bounds{count("floor", 100), count("ceiling", 200)},
	}
	for i := range count("periods", 3) {
		l.Sent = append(l.Sent, Sent{From: noon.Add(-time.Duration(5-i) * time.Minute), PeriodSeconds: 60,
			Messages: float64(count("sent", 5000))})
	}
	var m Memory
	if rapid.Bool().Draw(t, "remembers") {
		ago := time.Duration(rapid.IntRange(0, 400).Draw(t, "ago")) * time.Second
		m = Memory{LookedAt: noon.Add(-ago), At: noon.Add(-ago), Ceiling: rapid.Float64Range(0, 300).Draw(t, "before")}
		for i := range count("counts", 16) {
			m.Counts = append(m.Counts, Count{noon.Add(-ago - time.Duration(16-i)*LookInterval), count("v", 5000),
				count("f", 500)})
		}
	}
	return s, l, m
}

func TestBoundsAscendWithinTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, l, m := anyLook(t)
		d, after, err := Decide(s, l, m)
		if err != nil {
			t.Fatal(err)
		}
		if d.Doubted {
			if d.Bounds != l.InForce || d.Moves {
				t.Fatalf("a look that is not believed moves the bounds: %s", d.Summary)
			}
			return
		}
		if d.Floor < s.MinTasks || d.Ceiling > s.MaxTasks || d.Floor > d.Ceiling || d.Ceiling < 1 {
			t.Fatalf("bounds %v within %d-%d", d.Bounds, s.MinTasks, s.MaxTasks)
		}
		if l.Deploying && d.Floor < min(l.Desired, s.MaxTasks) {
			t.Fatalf("floor %d removes tasks of %d during a deployment", d.Floor, l.Desired)
		}
		if after.Ceiling > float64(d.Ceiling)+1e-9 || after.Ceiling <= float64(d.Ceiling)-1-1e-9 {
			t.Fatalf("ceiling %d of %v", d.Ceiling, after.Ceiling)
		}
		if strings.Contains(d.Summary, "\n") {
			t.Fatal("the summary has more than one line")
		}
	})
}

func TestMoreMessagesNeverLowerTheFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, l, m := anyLook(t)
		l.Visible++ // not zero: never doubted
		less, _, err := Decide(s, l, m)
		if err != nil {
			t.Fatal(err)
		}
		l.Visible += rapid.IntRange(1, 1000).Draw(t, "more messages")
		more, _, err := Decide(s, l, m)
		if err != nil {
			t.Fatal(err)
		}
		if more.Floor < less.Floor {
			t.Fatalf("%s\n%s", less.Summary, more.Summary)
		}
	})
}

// TestAFasterWorldSeesTheSame: all of the rule's own times follow the time between looks.
func TestAFasterWorldSeesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, l, m := anyLook(t)
		const speed = 16 // a power of two divides the numbers of a look without rounding
		fast, seen := s, l
		fast.AcceptableDelay, fast.LookInterval = s.AcceptableDelay/speed, s.LookInterval/speed
		sooner := func(at time.Time) time.Time { return noon.Add(at.Sub(noon) / speed) }
		seen.ProcessingSeconds, seen.Sent = l.ProcessingSeconds/speed, nil
		for _, sent := range l.Sent {
			sent.From, sent.PeriodSeconds = sooner(sent.From), sent.PeriodSeconds/speed
			seen.Sent = append(seen.Sent, sent)
		}
		remembered := Memory{LookedAt: sooner(m.LookedAt), At: sooner(m.At), Ceiling: m.Ceiling}
		if m.At.IsZero() {
			remembered = Memory{}
		}
		for _, count := range m.Counts {
			count.At = sooner(count.At)
			remembered.Counts = append(remembered.Counts, count)
		}
		slow, after, err := Decide(s, l, m)
		if err != nil {
			t.Fatal(err)
		}
		scaled, afterwards, err := Decide(fast, seen, remembered)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b float64) bool { return math.Abs(a-b) <= 1e-3+1e-6*math.Abs(a) }
		if !same(slow.RateNeed, scaled.RateNeed) || !same(slow.BacklogNeed, scaled.BacklogNeed) {
			t.Fatalf("%s\n%s", slow.Summary, scaled.Summary)
		}
		// Needs that are the same but for the last digit may be rounded up to different floors.
		if slow.Floor == scaled.Floor && (!same(after.Ceiling, afterwards.Ceiling) || slow.Why != scaled.Why) {
			t.Fatalf("ceilings %g and %g\n%s\n%s", after.Ceiling, afterwards.Ceiling, slow.Summary, scaled.Summary)
		}
	})
}

func TestTheMemoryGivenStaysAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, l, m := anyLook(t)
		kept, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Decide(s, l, m); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(m); string(again) != string(kept) {
			t.Fatalf("was %s\nis  %s", kept, again)
		}
	})
}

// TestTheMemoryStaysSmall: it lives in a parameter of at most 4 KB.
func TestTheMemoryStaysSmall(t *testing.T) {
	settings, look, memory := template, steady(), Memory{}
	settings.AcceptableDelay, look.ProcessingSeconds = time.Hour, 5000 // the longest trend
	for range 1000 {
		look.Visible += 1_000_000
		var err error
		if _, memory, err = Decide(settings, look, memory); err != nil {
			t.Fatal(err)
		}
		look.At = look.At.Add(LookInterval)
	}
	if text, _ := json.Marshal(memory); len(text) > 3000 {
		t.Errorf("%d bytes, with %d counts", len(text), len(memory.Counts))
	}
}

// FuzzDecide: whatever a look and a memory hold, nothing but an error or bounds within the limits comes of it.
func FuzzDecide(f *testing.F) {
	for _, seed := range []string{
		`{"at":"2026-11-28T12:00:00Z","visible":10,"inFlight":8,"running":8,"desired":8,"processingSeconds":5}`,
		`{"at":"2026-11-28T12:00:00Z","visible":9223372036854775807,"inFlight":9223372036854775807,"running":1,` +
			`"desired":9223372036854775807,"deploying":true,"processingSeconds":1e300,"sent":[{"messages":1e308,` +
			`"periodSeconds":1e-300}]}`,
	} {
		f.Add(seed, `{"at":"2026-11-28T11:59:40Z","lookedAt":"2026-11-28T11:59:40Z","ceiling":1e300,"counts":[{}]}`)
	}
	f.Fuzz(func(t *testing.T, lookText, memoryText string) {
		var look Look
		var memory Memory
		if json.Unmarshal([]byte(lookText), &look) != nil || json.Unmarshal([]byte(memoryText), &memory) != nil {
			return
		}
		d, _, err := Decide(template, look, memory)
		if err != nil || d.Doubted {
			return
		}
		if d.Floor < template.MinTasks || d.Floor > d.Ceiling || d.Ceiling > template.MaxTasks {
			t.Errorf("bounds %v", d.Bounds)
		}
	})
}

package trace

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEmbeddedTraces(t *testing.T) {
	want := map[string]struct {
		step              time.Duration
		bins, total, peak int
	}{
		"azure_llm_code_1h_10s":          {step: 10 * time.Second, bins: 343, total: 8768, peak: 327},
		"azure_llm_conv_1h_10s":          {step: 10 * time.Second, bins: 350, total: 19364, peak: 98},
		"nab_nyc_taxi_14d_30min":         {step: 30 * time.Minute, bins: 672, total: 10932963, peak: 39197},
		"nab_elb_request_count_14d_5min": {step: 5 * time.Minute, bins: 4040, total: 249689, peak: 656},
	}
	if len(Names()) != len(want) {
		t.Errorf("embedded traces are %v, want %d", Names(), len(want))
	}
	for _, name := range Names() {
		trace, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		w := want[name]
		if trace.Step != w.step {
			t.Errorf("%s: step %v, want %v", name, trace.Step, w.step)
		}
		if len(trace.Bins) != w.bins || trace.Total() != w.total || trace.Peak() != w.peak {
			t.Errorf("%s: %d bins, %d arrivals, peak %d, want %+v",
				name, len(trace.Bins), trace.Total(), trace.Peak(), w)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"empty", "", "line 1"},
		{"wrong header", "time,count\n0,1\n10,2\n", `want "offset_s,arrivals"`},
		{"one bin", "offset_s,arrivals\n0,1\n", "at least 2"},
		{"gap", "offset_s,arrivals\n0,1\n10,2\n30,1\n", "line 4: offset 30s, want 20s"},
		{"first offset", "offset_s,arrivals\n5,1\n10,2\n", "line 2: offset 5s, want 0s"},
		{"step of zero", "offset_s,arrivals\n0,1\n0,2\n", "line 3"},
		{"fraction", "offset_s,arrivals\n0,1.5\n10,2\n", `line 2: arrivals "1.5"`},
		{"negative", "offset_s,arrivals\n0,1\n10,-2\n", `line 3: arrivals "-2"`},
		{"no number", "offset_s,arrivals\nx,1\n10,2\n", `line 2: offset "x"`},
		{"columns", "offset_s,arrivals\n0,1,2\n", "wrong number of fields"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Read("given", strings.NewReader(test.content))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestOpenNamesTheChoices(t *testing.T) {
	_, err := Open("no-such-trace")
	if err == nil || !strings.Contains(err.Error(), "azure_llm_conv_1h_10s") {
		t.Errorf("got error %v, want one that lists the embedded traces", err)
	}
}

func TestWindow(t *testing.T) {
	trace := Trace{Step: 10 * time.Second, Bins: []int{1, 2, 3, 4, 5}}
	tests := []struct {
		from, length time.Duration
		want         int
	}{
		{0, time.Minute, 15},
		{10 * time.Second, 20 * time.Second, 5},
		{40 * time.Second, time.Hour, 5},
		{time.Hour, time.Hour, 0},
		{0, 15 * time.Second, 3},
	}
	for _, test := range tests {
		if got := trace.Window(test.from, test.length).Total(); got != test.want {
			t.Errorf("Window(%v, %v) has %d arrivals, want %d", test.from, test.length, got, test.want)
		}
	}
}

func TestScaleToKeepsTheShapeAndTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := Trace{
			Step: 10 * time.Second,
			Bins: rapid.SliceOfN(rapid.IntRange(0, 500), 2, 300).Draw(t, "bins"),
		}
		if trace.Total() == 0 {
			return
		}
		perMinute := rapid.Float64Range(0.1, 1e4).Draw(t, "per minute")
		scaled := trace.ScaleTo(perMinute)
		want := perMinute * trace.Length().Minutes()
		if got := float64(scaled.Total()); math.Abs(got-want) > 1 {
			t.Errorf("scaled total is %v, want %v within 1", got, want)
		}
		for i, arrivals := range scaled.Bins {
			if exact := float64(trace.Bins[i]) * want / float64(trace.Total()); math.Abs(float64(arrivals)-exact) > 1 {
				t.Errorf("bin %d is %d, want %v within 1", i, arrivals, exact)
			}
		}
	})
}

func TestDueSpreadsEachBinEvenly(t *testing.T) {
	trace := Trace{Step: 10 * time.Second, Bins: []int{10, 0, 4}}
	for offset, want := range map[time.Duration]int{
		-time.Second: 0, 0: 0, time.Second: 1, 9 * time.Second: 9, 10 * time.Second: 10, 19 * time.Second: 10,
		25 * time.Second: 12, 30 * time.Second: 14, time.Hour: 14,
	} {
		if got := trace.Due(offset); got != want {
			t.Errorf("Due(%v) is %d, want %d", offset, got, want)
		}
	}
	fast := trace.Faster(20)
	if got := fast.Due(500 * time.Millisecond); got != 10 || fast.Length() != 1500*time.Millisecond {
		t.Errorf("20 times as fast, %d are due after 0.5 s of %v, want 10 of 1.5s", got, fast.Length())
	}
}

func FuzzRead(f *testing.F) {
	f.Add("offset_s,arrivals\n0,1\n10,2\n")
	f.Fuzz(func(t *testing.T, content string) {
		trace, err := Read("fuzz", strings.NewReader(content))
		if err == nil && (trace.Step <= 0 || len(trace.Bins) < 2) {
			t.Errorf("accepted %+v", trace)
		}
	})
}

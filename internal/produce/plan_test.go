package produce

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sqs-dynamic-target-tracking/internal/stepinput"
)

const execution = "arn:aws:states:eu-west-1:111122223333:execution:orders-produce:0b5c"

func plan(t *testing.T, input string) Plan {
	t.Helper()
	got, err := NewPlan(PlanRequest{Execution: execution, Input: json.RawMessage(input)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPlanOfTheBlueprint(t *testing.T) {
	got := plan(t, `{}`)
	if got.Spec.Messages != 50 || got.Spec.DurationSeconds != 5 || got.Spec.Distribution != Fixed ||
		got.Spec.Seed != 0 {
		t.Errorf("got %+v", got.Spec)
	}
	if want := []Range{{0, 50}}; !slices.Equal(got.Ranges, want) {
		t.Errorf("ranges %v, want %v", got.Ranges, want)
	}
	if want := "50 messages of 5 s"; got.Summary != want {
		t.Errorf("summary %q, want %q", got.Summary, want)
	}
}

func TestPlanSummaries(t *testing.T) {
	for input, want := range map[string]string{
		`{"messages":3,"durationSeconds":0.25}`: "3 messages of 0.25 s",
		`{"distribution":"exponential","seed":7}`: "50 messages of 5 s on average, exponentially distributed with " +
			"seed 7",
		`{"distribution":"lognormal","cv":2,"seed":7}`: "50 messages of 5 s on average, lognormally distributed " +
			"with cv 2 " +
			"and seed 7",
		`{"trace":{"name":"elb","offsetSeconds":600,"arrivals":17}}`: "17 messages of 5 s, from the trace elb at 600 s",
		`{"trace":{"name":"elb","arrivals":0}}`:                      "0 messages of 5 s, from the trace elb at 0 s",
	} {
		if got := plan(t, input); got.Summary != want {
			t.Errorf("%s: %q, want %q", input, got.Summary, want)
		}
	}
}

func TestEmptyBinHasRangesThatEncodeAsArray(t *testing.T) {
	document, err := json.Marshal(plan(t, `{"trace":{"name":"elb","arrivals":0}}`))
	if err != nil || !strings.Contains(string(document), `"ranges":[]`) {
		t.Errorf("%s, %v", document, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	for input, want := range map[string]string{
		`{"messages":0}`: "messages is 0; allowed: a whole number from 1 to 1000000",
		`{"messages":1000001}`: "messages is 1000001; allowed: a whole number from 1 " +
			"to 1000000",
		`{"messages":-5}`:   "messages is -5",
		`{"messages":2.5}`:  "messages is 2.5",
		`{"messages":"50"}`: `messages is "50"`,
		`{"message":50}`: "message is not a field of the input; allowed: " +
			"messages, durationSeconds, distribution",
		`{"durationSeconds":-1}`:    "durationSeconds is -1; allowed: a number from 0 to 43200",
		`{"durationSeconds":43201}`: "durationSeconds is 43201",
		`{"distribution":"normal"}`: `distribution is "normal"; allowed: one of "fixed", ` +
			`"exponential", "lognormal"`,
		`{"cv":1}`: `cv is 1; allowed: only with the distribution "lognormal"`,
		`{"seed":1}`: `seed is 1; allowed: only with the distribution ` +
			`"exponential" or "lognormal"`,
		`{"distribution":"lognormal","cv":11}`: "cv is 11; allowed: a number from 0 to 10",
		`{"distribution":"lognormal","seed":2147483648}`: "seed is 2147483648; allowed: a whole number from 0 " +
			"to 2147483647",
		`{"trace":{}}`: "trace.name is missing; it is the name of the trace; " +
			"trace.arrivals is missing",
		`{"trace":{"name":"x","arrivals":1,"bin":2}}`: "trace.bin is not a field of trace; allowed: name, " +
			"arrivals, offset",
		`{"trace":{"name":"x","arrivals":1000001}}`:        "trace.arrivals is 1000001",
		`{"trace":{"name":"x","arrivals":1},"messages":3}`: "messages is 3; allowed: only without trace",
		`[50]`: "the input is [50]; allowed: a JSON object",
	} {
		_, err := NewPlan(PlanRequest{Execution: execution, Input: json.RawMessage(input)})
		var invalid *stepinput.InvalidInput
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want *InvalidInput that says %q", input, err, want)
		}
	}
}

// TestMillionMessages checks each range of the largest plan, and that it fits through the machine: states pass at most
// 256 KiB on.
func TestMillionMessages(t *testing.T) {
	got := plan(t, `{"messages":1000000}`)
	checkRanges(t, got.Ranges, 1_000_000)
	const largest = 256 * 1024
	if size := encodedSize(t, got); size > largest/2 {
		t.Errorf("the plan has %d bytes", size)
	}
	report := ReportRequest{Spec: got.Spec}
	for _, r := range got.Ranges {
		report.Ranges = append(report.Ranges, RangeResult{
			Range: r, Outcome: Outcome{Sent: r.Count, Retried: 6 * r.Count}, WorkSeconds: 43_199_999.123456,
		})
	}
	if size := encodedSize(t, report); size > largest/2 {
		t.Errorf("the input of the report has %d bytes", size)
	}
	if _, err := NewReport(report); err != nil {
		t.Error(err)
	}
}

func TestRangesOfAnyPlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		messages := rapid.IntRange(0, MostMessages).Draw(rt, "messages")
		checkRanges(t, divide(messages), messages)
	})
}

func checkRanges(t *testing.T, ranges []Range, messages int) {
	t.Helper()
	next := 0
	for i, r := range ranges {
		if r.First != next {
			t.Fatalf("range %d begins at %d, after one that ends before %d: a gap or an overlap", i, r.First, next)
		}
		if r.Count < 1 || r.Count > RangeSize {
			t.Fatalf("range %d has %d messages", i, r.Count)
		}
		next += r.Count
	}
	if next != messages {
		t.Fatalf("the ranges have %d messages, want %d", next, messages)
	}
}

func encodedSize(t *testing.T, value any) int {
	t.Helper()
	document, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return len(document)
}

// TestDefect14IdsNeverCollide: the blueprint drew 16-bit random ids, of which two were equal within FIFO's
// deduplication window with a chance of 38 %, and lost messages.
func TestDefect14IdsNeverCollide(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{
		execution, execution + "1", "arn:aws:states:eu-west-1:111122223333:execution:b:0b5c",
	} {
		spec, err := NewSpec(name, json.RawMessage(`{"messages":1000000}`))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10_000 {
			id := spec.Message(i * 100).ID
			if seen[id] {
				t.Fatalf("%s occurs twice", id)
			}
			seen[id] = true
			if len(id) > 128 { // the most that SQS takes as a deduplication id
				t.Fatalf("%s is too long", id)
			}
		}
	}
}

// TestDefect14RetrySendsTheSame: what a message is follows from the execution, the input and its index.
func TestDefect14RetrySendsTheSame(t *testing.T) {
	for _, input := range []string{
		`{}`, `{"distribution":"exponential"}`, `{"distribution":"lognormal","cv":3}`,
		`{"trace":{"name":"x","arrivals":9}}`,
	} {
		first, second := plan(t, input), plan(t, input)
		for i := range first.Spec.Messages {
			if a, b := first.Spec.Message(i), second.Spec.Message(i); a != b {
				t.Errorf("%s: message %d is %v, then %v", input, i, a, b)
			}
		}
		// Steps pass the spec on as JSON.
		document, err := json.Marshal(first.Spec)
		if err != nil {
			t.Fatal(err)
		}
		var passed Spec
		if err := json.Unmarshal(document, &passed); err != nil {
			t.Fatal(err)
		}
		if a, b := first.Spec.Message(7), passed.Message(7); a != b {
			t.Errorf("%s: planned %v, sent %v", input, a, b)
		}
	}
}

// TestDefect14DurationsVary: with equal durations, the dynamic part was never exercised.
func TestDefect14DurationsVary(t *testing.T) {
	for name, test := range map[string]struct {
		input    string
		mean, cv float64
	}{
		"fixed":                {`{"durationSeconds":0.3}`, 0.3, 0},
		"exponential":          {`{"durationSeconds":5,"distribution":"exponential","seed":1}`, 5, 1},
		"exponential, seed 2":  {`{"durationSeconds":5,"distribution":"exponential","seed":2}`, 5, 1},
		"lognormal":            {`{"durationSeconds":5,"distribution":"lognormal","cv":0.5,"seed":1}`, 5, 0.5},
		"lognormal, long tail": {`{"durationSeconds":5,"distribution":"lognormal","cv":2,"seed":1}`, 5, 2},
		"lognormal without":    {`{"durationSeconds":5,"distribution":"lognormal","cv":0,"seed":1}`, 5, 0},
		"nothing":              {`{"durationSeconds":0,"distribution":"lognormal","seed":1}`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			spec := plan(t, test.input).Spec
			const n = 200_000
			var sum, squares float64
			for i := range n {
				d := spec.Message(i).Duration
				sum, squares = sum+d, squares+d*d
			}
			mean := sum / n
			deviation := math.Sqrt(max(squares/n-mean*mean, 0))
			if math.Abs(mean-test.mean) > 0.02*test.mean+1e-9 {
				t.Errorf("mean %g, want %g", mean, test.mean)
			}
			if math.Abs(deviation-test.cv*test.mean) > 0.1*test.cv*test.mean+1e-5 {
				t.Errorf("standard deviation %g, want %g", deviation, test.cv*test.mean)
			}
		})
	}
}

func TestDurationsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{
			Distribution:    rapid.SampledFrom([]Distribution{Fixed, Exponential, Lognormal}).Draw(t, "distribution"),
			DurationSeconds: rapid.Float64Range(0, LongestDuration).Draw(t, "mean"),
			CV:              rapid.Float64Range(0, MostCV).Draw(t, "cv"),
			Seed:            rapid.IntRange(0, MostSeed).Draw(t, "seed"),
		}
		d := spec.Message(rapid.IntRange(0, MostMessages-1).Draw(t, "index")).Duration
		if !(d >= 0 && d <= LongestDuration) {
			t.Errorf("a message of %g s", d)
		}
	})
}

func TestSeedsAreIndependent(t *testing.T) {
	const n = 10_000
	for _, shift := range []int{0, 1, 2, 1000} {
		var product float64
		for i := range n {
			product += (uniform(1, i+shift) - 0.5) * (uniform(2, i) - 0.5)
		}
		if correlation := 12 * product / n; math.Abs(correlation) > 0.05 {
			t.Errorf("seeds 1 and 2, shifted by %d, correlate by %g", shift, correlation)
		}
	}
}

func TestBody(t *testing.T) {
	if got, want := (Message{ID: "a-1", Duration: 0.25}).Body(), `{"id":"a-1","duration":0.25}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzPlan checks that whatever is accepted is a whole plan within the limits.
func FuzzPlan(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"messages":1}`, `{"messages":1000000,"distribution":"lognormal","cv":10,"seed":2147483647}`,
		`{"trace":{"name":"x","offsetSeconds":1e9,"arrivals":0}}`,
		`{"durationSeconds":1e-300,"distribution":"exponential"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		got, err := NewPlan(PlanRequest{Execution: execution, Input: json.RawMessage(input)})
		if err != nil {
			var invalid *stepinput.InvalidInput
			if !errors.As(err, &invalid) {
				t.Errorf("%q: %T is not what the machine matches", input, err)
			}
			return
		}
		checkRanges(t, got.Ranges, got.Spec.Messages)
		if d := got.Spec.Message(0).Duration; !(d >= 0 && d <= LongestDuration) {
			t.Errorf("%q: a message of %g s", input, d)
		}
	})
}

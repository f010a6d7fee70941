package stepinput

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// order is what the tests read.
type order struct {
	Count  int
	Weight float64
	Name   string
	Kind   string
	Urgent bool
	Inner  int
}

func read(raw string) (order, error) {
	in := Read(json.RawMessage(raw))
	o := order{
		Count:  in.Whole("count", 7, 1, 1000),
		Weight: in.Number("weight", 0.5, 0, 10),
		Name:   in.Text("name", "nobody", 5),
		Kind:   in.OneOf("kind", "a", "a", "b"),
		Urgent: in.Flag("urgent", true),
	}
	if inner := in.Object("inner"); inner != nil {
		inner.Require("depth", "how deep")
		o.Inner = inner.Whole("depth", 0, 0, 9)
	}
	return o, in.Err()
}

func TestRead(t *testing.T) {
	defaults := order{Count: 7, Weight: 0.5, Name: "nobody", Kind: "a", Urgent: true}
	for raw, want := range map[string]order{
		`{}`:                    defaults,
		"\n{\n}":                defaults,
		`{"count":1000}`:        {1000, 0.5, "nobody", "a", true, 0},
		`{"count":1e3}`:         {1000, 0.5, "nobody", "a", true, 0},
		`{"count":5.0}`:         {5, 0.5, "nobody", "a", true, 0},
		`{"weight":0}`:          {7, 0, "nobody", "a", true, 0},
		`{"name":"äöüß€"}`:      {7, 0.5, "äöüß€", "a", true, 0},
		`{"kind":"b"}`:          {7, 0.5, "nobody", "b", true, 0},
		`{"urgent":false}`:      {7, 0.5, "nobody", "a", false, 0},
		`{"inner":{"depth":3}}`: {7, 0.5, "nobody", "a", true, 3},
	} {
		if got, err := read(raw); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", raw, got, err, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		``:           "the input is empty; allowed: a JSON object, for instance {}",
		`null`:       "the input is null; allowed: a JSON object",
		`[]`:         "the input is []; allowed: a JSON object",
		`"x"`:        `the input is "x"; allowed: a JSON object`,
		`5`:          "the input is 5; allowed: a JSON object",
		`{"count":1`: "the input is not valid JSON",
		`{"count":}`: "the input is not valid JSON",
		`{count:1}`:  "the input is not valid JSON",
		`{} {}`:      "the input is followed by something else",
		`{"a":1}`: "a is not a field of the input; allowed: count, weight, name, kind, " +
			"urgent, inner",
		`{"Count":1}`:                 "Count is not a field of the input",
		`{"count":1,"count":2}`:       "count is given twice",
		`{"count":0}`:                 "count is 0; allowed: a whole number from 1 to 1000",
		`{"count":1001}`:              "count is 1001; allowed: a whole number from 1 to 1000",
		`{"count":1.5}`:               "count is 1.5; allowed: a whole number",
		`{"count":"5"}`:               `count is "5"; allowed: a whole number`,
		`{"count":null}`:              "count is null; allowed: a whole number",
		`{"count":true}`:              "count is true; allowed: a whole number",
		`{"count":1e400}`:             "count is 1e400; allowed: a whole number",
		`{"weight":-0.1}`:             "weight is -0.1; allowed: a number from 0 to 10",
		`{"weight":[1]}`:              "weight is [1]; allowed: a number",
		`{"name":""}`:                 `name is ""; allowed: a text of 1 to 5 characters`,
		`{"name":"abcdef"}`:           `name is "abcdef"; allowed: a text of 1 to 5 characters`,
		`{"name":1}`:                  "name is 1; allowed: a text",
		`{"kind":"c"}`:                `kind is "c"; allowed: one of "a", "b"`,
		`{"urgent":"true"}`:           `urgent is "true"; allowed: true or false`,
		`{"urgent":null}`:             "urgent is null; allowed: true or false",
		`{"inner":7}`:                 "inner is 7; allowed: a JSON object",
		`{"inner":{}}`:                "inner.depth is missing; it is how deep",
		`{"inner":{"depth":10}}`:      "inner.depth is 10; allowed: a whole number from 0 to 9",
		`{"inner":{"depth":1,"x":2}}`: "inner.x is not a field of inner; allowed: depth",
		`{"count":0,"weight":11,"z":1}`: "count is 0; allowed: a whole number from 1 to 1000; weight is 11; " +
			"allowed: a " +
			"number from 0 to 10; z is not a field of the input",
	} {
		_, err := read(raw)
		var invalid *InvalidInput
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want *InvalidInput", raw, err)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, want it to say %q", raw, err, want)
		}
	}
}

func TestErrTwice(t *testing.T) {
	in := Read(json.RawMessage(`{"x":1}`))
	if first, second := in.Err(), in.Err(); first.Error() != second.Error() {
		t.Errorf("first %q, then %q", first, second)
	}
}

func TestMessagesStayShort(t *testing.T) {
	long := strings.Repeat("é", 10_000)
	fields := map[string]int{}
	for i := range 500 {
		fields[long[:2*(i+1)]] = i
	}
	raw, err := json.Marshal(map[string]any{"name": long, "inner": fields})
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(string(raw))
	if err == nil || len(err.Error()) > 10_000 {
		t.Errorf("%d bytes of message for %d bytes of input", len(err.Error()), len(raw))
	}
	if !strings.Contains(err.Error(), "more problems") {
		t.Errorf("the message does not say that it is not all")
	}
}

func TestErrorName(t *testing.T) {
	if got := (&InvalidInput{}).ErrorName(); got != "InvalidInput" {
		t.Errorf("got %s", got)
	}
}

// FuzzRead checks that nothing makes the reader panic, and that what it accepts is in range and was asked for.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"count":5,"inner":{"depth":1}}`, `{"count":1e999}`, `[`, `{"a":{"b":[1,2,{}]}}`,
		`{"name":"\ud800"}`, "\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := read(raw)
		if err != nil {
			return
		}
		if got.Count < 1 || got.Count > 1000 || !(got.Weight >= 0 && got.Weight <= 10) || got.Name == "" ||
			!slices.Contains([]string{"a", "b"}, got.Kind) {
			t.Errorf("%q became %+v", raw, got)
		}
		var fields map[string]any
		if json.Unmarshal([]byte(raw), &fields) != nil {
			t.Errorf("%q is accepted, but is no JSON object", raw)
		}
		for field := range fields {
			if !slices.Contains([]string{"count", "weight", "name", "kind", "urgent", "inner"}, field) {
				t.Errorf("the unknown field %q is accepted", field)
			}
		}
	})
}

// Package stepinput reads the JSON input of a state machine strictly: a field that is unknown, given twice, of the
// wrong type or out of its range is refused, with a message that names the field, the value and what is allowed.
//
// A person types these inputs into a console. A misspelt field that is silently ignored, or a default that silently
// replaces a bad value, would run something else than what they asked for.
package stepinput

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// InvalidInput lists everything that is wrong with an input. The machines match on its name.
type InvalidInput struct {
	Problems []string // each names a field, its value and what is allowed
}

// mostSaid bounds the length of a message: it travels through the machine into a notification.
const mostSaid = 20

func (e *InvalidInput) Error() string {
	said := e.Problems
	if more := len(said) - mostSaid; more > 0 {
		said = append(slices.Clone(said[:mostSaid]), fmt.Sprintf("and %d more problems", more))
	}
	return "the input is refused: " + strings.Join(said, "; ")
}

// ErrorName is the name under which a state machine sees the error.
func (*InvalidInput) ErrorName() string { return "InvalidInput" }

// Object is one JSON object of the input. Its methods read a field each, answer the fallback if the field is missing,
// and collect the problems, which Err reports. A field that no method asked for is a problem.
type Object struct {
	path     string // prefix of its fields' names in messages
	order    []string
	fields   map[string]json.RawMessage
	known    []string
	problems *[]string
	nested   []*Object
}

// Read parses an object. Anything else than one JSON object becomes a problem.
func Read(raw json.RawMessage) *Object {
	o := &Object{problems: new([]string)}
	o.parse(raw)
	return o
}

func (o *Object) parse(raw json.RawMessage) {
	o.fields = map[string]json.RawMessage{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		o.refuse(o.what(), string(raw), `a JSON object, for instance {}`)
		return
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			o.broken(err)
			return
		}
		name := key.(string) // inside an object, the decoder accepts nothing else here
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			o.broken(err)
			return
		}
		if _, twice := o.fields[name]; twice {
			o.problem("%s is given twice", o.name(name))
			continue
		}
		o.fields[name] = value
		o.order = append(o.order, name)
	}
	if _, err := decoder.Token(); err != nil {
		o.broken(err)
		return
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		o.problem("%s is followed by something else", o.what())
	}
}

// Has tells whether the field is given.
func (o *Object) Has(field string) bool {
	o.know(field)
	_, given := o.fields[field]
	return given
}

// Whole reads a whole number from least to most. 5 and 5.0 are the same number in JSON, and here.
func (o *Object) Whole(field string, fallback, least, most int) int {
	allowed := fmt.Sprintf("a whole number from %d to %d", least, most)
	value := o.number(field, float64(fallback), allowed, func(v float64) bool {
		return v == math.Trunc(v) && v >= float64(least) && v <= float64(most)
	})
	return int(value)
}

// Number reads a number from least to most.
func (o *Object) Number(field string, fallback, least, most float64) float64 {
	return o.number(field, fallback, fmt.Sprintf("a number from %g to %g", least, most), func(v float64) bool {
		return v >= least && v <= most
	})
}

func (o *Object) number(field string, fallback float64, allowed string, valid func(float64) bool) float64 {
	raw, given := o.take(field)
	if !given {
		return fallback
	}
	var value *float64
	if err := json.Unmarshal(raw, &value); err != nil || value == nil || !valid(*value) {
		o.Refuse(field, allowed)
		return fallback
	}
	return *value
}

// Text reads a string of 1 to longest characters.
func (o *Object) Text(field, fallback string, longest int) string {
	return o.text(field, fallback, fmt.Sprintf("a text of 1 to %d characters", longest), func(v string) bool {
		return v != "" && utf8.RuneCountInString(v) <= longest
	})
}

// OneOf reads one of the allowed strings.
func (o *Object) OneOf(field, fallback string, allowed ...string) string {
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = fmt.Sprintf("%q", a)
	}
	return o.text(field, fallback, "one of "+strings.Join(quoted, ", "), func(v string) bool {
		return slices.Contains(allowed, v)
	})
}

func (o *Object) text(field, fallback, allowed string, valid func(string) bool) string {
	raw, given := o.take(field)
	if !given {
		return fallback
	}
	var value *string
	if err := json.Unmarshal(raw, &value); err != nil || value == nil || !valid(*value) {
		o.Refuse(field, allowed)
		return fallback
	}
	return *value
}

// Flag reads true or false.
func (o *Object) Flag(field string, fallback bool) bool {
	raw, given := o.take(field)
	if !given {
		return fallback
	}
	var value *bool
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		o.Refuse(field, "true or false")
		return fallback
	}
	return *value
}

// Object reads a nested object, or returns nil if the field is missing. Its problems are reported by the Err of the
// outermost object.
func (o *Object) Object(field string) *Object {
	raw, given := o.take(field)
	if !given {
		return nil
	}
	inner := &Object{path: o.name(field), problems: o.problems}
	inner.parse(raw)
	o.nested = append(o.nested, inner)
	return inner
}

// Refuse reports the field's value as a problem, for rules that concern several fields.
func (o *Object) Refuse(field, allowed string) {
	o.refuse(o.name(field), string(o.fields[field]), allowed)
}

// Require reports the field as missing if it is.
func (o *Object) Require(field, what string) {
	if !o.Has(field) {
		o.problem("%s is missing; it is %s", o.name(field), what)
	}
}

// Err returns nil or an *InvalidInput with every problem found, unknown fields included.
func (o *Object) Err() error {
	o.refuseUnknown()
	if len(*o.problems) == 0 {
		return nil
	}
	return &InvalidInput{Problems: *o.problems}
}

func (o *Object) refuseUnknown() {
	for _, field := range o.order {
		if !slices.Contains(o.known, field) {
			o.problem(
				"%s is not a field of %s; allowed: %s",
				o.name(shorten(field)),
				o.what(),
				strings.Join(o.known, ", "),
			)
		}
	}
	o.order = nil // so that a second call of Err does not repeat them
	for _, inner := range o.nested {
		inner.refuseUnknown()
	}
}

func (o *Object) take(field string) (json.RawMessage, bool) {
	o.know(field)
	raw, given := o.fields[field]
	return raw, given
}

func (o *Object) know(field string) {
	if !slices.Contains(o.known, field) {
		o.known = append(o.known, field)
	}
}

func (o *Object) what() string {
	if o.path == "" {
		return "the input"
	}
	return o.path
}

func (o *Object) name(field string) string {
	if o.path == "" {
		return field
	}
	return o.path + "." + field
}

func (o *Object) broken(err error) { o.problem("%s is not valid JSON: %v", o.what(), err) }

func (o *Object) refuse(name, value, allowed string) {
	if value == "" {
		value = "empty"
	}
	o.problem("%s is %s; allowed: %s", name, shorten(value), allowed)
}

func (o *Object) problem(format string, values ...any) {
	*o.problems = append(*o.problems, fmt.Sprintf(format, values...))
}

// shorten keeps a message readable when the value is not.
func shorten(value string) string {
	const longest = 80
	if utf8.RuneCountInString(value) <= longest {
		return value
	}
	return string([]rune(value)[:longest]) + "…"
}

package wire

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Violations collects what is wrong with an input and words it as AWS does:
//
//	2 validation errors detected: Value 'foo' at 'serviceNamespace' failed to satisfy constraint: Member must satisfy
//	enum value set: [...]; Value null at 'resourceId' failed to satisfy constraint: Member must not be null
//
// Paths are the members' names with a small first letter, list members as "metricData.1.member.value".
type Violations struct{ found []string }

// Add records that value (quoted unless it is "null" by nil) at path breaks a constraint.
func (v *Violations) Add(path, value, constraint string) {
	v.found = append(v.found,
		fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// Missing records a required member that is absent.
func (v *Violations) Missing(path string) {
	v.found = append(v.found,
		fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path))
}

// Required records a nil or empty enum as missing and reports whether the member is there.
func Required[T any](v *Violations, path string, value *T) bool {
	if value == nil {
		v.Missing(path)
	}
	return value != nil
}

// Enum checks a member against its set of values. The empty string means that the member is absent.
func Enum[T ~string](v *Violations, path string, value T, allowed []T) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	slices.Sort(names)
	v.Add(path, string(value), "Member must satisfy enum value set: ["+strings.Join(names, ", ")+"]")
}

// Length checks the number of characters of a string that is present.
func (v *Violations) Length(path string, value *string, least, most int) {
	if value == nil {
		return
	}
	switch n := utf8.RuneCountInString(*value); {
	case n < least:
		v.Add(path, *value, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		v.Add(path, *value, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
}

// Size checks the number of entries of a list or map.
func (v *Violations) Size(path string, n, least, most int) {
	shown := fmt.Sprintf("[%d members]", n)
	switch {
	case n < least:
		v.Add(path, shown, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		v.Add(path, shown, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
}

// Pattern checks a string that is present against a regular expression, named as the service model writes it.
func (v *Violations) Pattern(path string, value *string, re *regexp.Regexp, written string) {
	if value != nil && !re.MatchString(*value) {
		v.Add(path, *value, "Member must satisfy regular expression pattern: "+written)
	}
}

// Range checks a number that is present.
func Range[T cmp.Ordered](v *Violations, path string, value *T, least, most T) {
	switch {
	case value == nil:
	case *value < least:
		v.Add(path, fmt.Sprint(*value), fmt.Sprintf("Member must have value greater than or equal to %v", least))
	case *value > most:
		v.Add(path, fmt.Sprint(*value), fmt.Sprintf("Member must have value less than or equal to %v", most))
	}
}

// Message is the whole text, empty when nothing is wrong.
func (v *Violations) Message() string {
	switch len(v.found) {
	case 0:
		return ""
	case 1:
		return "1 validation error detected: " + v.found[0]
	}
	return fmt.Sprintf("%d validation errors detected: %s", len(v.found), strings.Join(v.found, "; "))
}

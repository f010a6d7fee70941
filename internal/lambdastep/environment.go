package lambdastep

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// InvalidConfiguration lists everything that is wrong with a function's environment.
type InvalidConfiguration struct {
	Problems []string // each names a variable, its value and what is allowed
}

func (e *InvalidConfiguration) Error() string {
	return "the function's environment is not usable: " + strings.Join(e.Problems, "; ")
}

// ErrorName is the name under which a state machine sees the error.
func (*InvalidConfiguration) ErrorName() string { return "InvalidConfiguration" }

// Environment reads a function's configuration from environment variables. All variables are required. Each method
// reads one, and collects the problems, so that all of them are reported at once.
type Environment struct {
	// Lookup finds a variable, like os.LookupEnv.
	Lookup   func(name string) (value string, found bool)
	problems []string
}

// Text reads a text that is not empty.
func (e *Environment) Text(name string) string {
	value, found := e.Lookup(name)
	switch {
	case !found:
		e.problem("%s is not set", name)
	case value == "":
		e.problem("%s is empty", name)
	}
	return value
}

// OneOf reads one of the allowed texts.
func (e *Environment) OneOf(name string, allowed ...string) string {
	value, found := e.Lookup(name)
	if !found {
		e.problem("%s is not set; allowed: %s", name, strings.Join(allowed, ", "))
	} else if !slices.Contains(allowed, value) {
		e.problem("%s is %q; allowed: %s", name, value, strings.Join(allowed, ", "))
	}
	return value
}

// Number reads a decimal number from least to most.
func (e *Environment) Number(name string, least, most float64) float64 {
	return e.number(name, fmt.Sprintf("a number from %g to %g", least, most), func(v float64) bool {
		return v >= least && v <= most
	})
}

// Whole reads a whole number from least to most.
func (e *Environment) Whole(name string, least, most int) int {
	allowed := fmt.Sprintf("a whole number from %d to %d", least, most)
	return int(e.number(name, allowed, func(v float64) bool {
		return v == math.Trunc(v) && v >= float64(least) && v <= float64(most)
	}))
}

// Seconds reads a duration given as a decimal number of seconds, more than 0 and at most most.
func (e *Environment) Seconds(name string, most time.Duration) time.Duration {
	allowed := fmt.Sprintf("a number of seconds, more than 0 and at most %g", most.Seconds())
	value := e.number(name, allowed, func(v float64) bool { return v > 0 && v <= most.Seconds() })
	return time.Duration(math.Round(value * float64(time.Second)))
}

func (e *Environment) number(name, allowed string, valid func(float64) bool) float64 {
	text, found := e.Lookup(name)
	if !found {
		e.problem("%s is not set; allowed: %s", name, allowed)
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !valid(value) {
		e.problem("%s is %q; allowed: %s", name, text, allowed)
		return 0
	}
	return value
}

// Err returns nil or an *InvalidConfiguration with every problem found so far.
func (e *Environment) Err() error {
	if len(e.problems) == 0 {
		return nil
	}
	return &InvalidConfiguration{Problems: e.problems}
}

func (e *Environment) problem(format string, values ...any) {
	e.problems = append(e.problems, fmt.Sprintf(format, values...))
}

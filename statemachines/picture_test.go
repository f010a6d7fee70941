package statemachines

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pictures of the machines in the docs anew")

// pictures names the pages that show a machine.
var pictures = map[string]string{"retune": "../docs/retune.md"}

// TestPictures: the picture and the table of a machine in the docs are made from its definition, so they cannot differ
// from it.
func TestPictures(t *testing.T) {
	for machine, page := range pictures {
		definition, err := os.ReadFile(machine + ".asl.json")
		if err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		begin := fmt.Sprintf(
			"<!-- Made from statemachines/%s.asl.json: go test ./statemachines -run TestPictures -update -->\n",
			machine,
		)
		const end = "<!-- End of what is made. -->\n"
		head, rest, opened := strings.Cut(string(before), begin)
		_, tail, closed := strings.Cut(rest, end)
		if !opened || !closed {
			t.Fatalf("%s has no place for the picture: a line %q and then a line %q", page, begin, end)
		}
		after := head + begin + picture(t, definition) + end + tail
		if *update {
			if err := os.WriteFile(page, []byte(after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if string(before) != after {
			t.Errorf(
				"the picture in %s is not that of the machine: run go test ./statemachines -run TestPictures -update",
				page,
			)
		}
	}
}

// drawn is a state as it is drawn.
type drawn struct {
	Type, Comment, Next, Default string
	End                          bool
	TimeoutSeconds               int
	Seconds                      any
	Choices                      []struct{ Condition, Next string }
	Retry                        []struct{ MaxAttempts int }
	Catch                        []struct{ Next string }
}

// picture draws a machine as a Mermaid flow chart and lists its states.
func picture(t *testing.T, definition []byte) string {
	t.Helper()
	var d struct {
		StartAt string
		States  map[string]drawn
	}
	if err := json.Unmarshal(definition, &d); err != nil {
		t.Fatal(err)
	}
	names := statesInOrder(t, definition)
	id := func(name string) string { return fmt.Sprintf("s%d", slices.Index(names, name)) }
	var chart, table strings.Builder
	chart.WriteString("```mermaid\nflowchart TD\n  start((start)) --> " + id(d.StartAt) + "\n")
	table.WriteString("| state | what it does | at most | tries |\n|---|---|---|---|\n")
	usual := mostCaught(d.States)
	fmt.Fprintf(&chart, "  failing([any other Task that fails for good]) -.-> %s\n", id(usual))
	for _, name := range names {
		s := d.States[name]
		chart.WriteString("  " + id(name) + shape(s.Type, name) + "\n")
		for _, c := range s.Choices {
			fmt.Fprintf(&chart, "  %s -- \"%s\" --> %s\n", id(name), condition(c.Condition), id(c.Next))
		}
		if s.Default != "" {
			fmt.Fprintf(&chart, "  %s -- else --> %s\n", id(name), id(s.Default))
		}
		if s.Next != "" {
			fmt.Fprintf(&chart, "  %s --> %s\n", id(name), id(s.Next))
		}
		if s.End {
			fmt.Fprintf(&chart, "  %s --> done((end))\n", id(name))
		}
		for _, c := range s.Catch {
			if c.Next != usual {
				fmt.Fprintf(&chart, "  %s -. fails .-> %s\n", id(name), id(c.Next))
			}
		}
		fmt.Fprintf(&table, "| **%s** | %s | %s | %s |\n", name, s.Comment, limit(s), tries(s))
	}
	chart.WriteString("```\n")
	return "\n" + chart.String() + "\n" + table.String() + "\n"
}

// mostCaught is where most failures lead.
func mostCaught(states map[string]drawn) (usual string) {
	counts := map[string]int{}
	for _, s := range states {
		for _, c := range s.Catch {
			counts[c.Next]++
			if counts[c.Next] > counts[usual] {
				usual = c.Next
			}
		}
	}
	return usual
}

func shape(kind, name string) string {
	switch kind {
	case "Choice":
		return `{"` + name + `"}`
	case "Wait":
		return `[/"` + name + `"/]`
	case "Fail":
		return `[["` + name + `"]]`
	case "Pass":
		return `("` + name + `")`
	}
	return `["` + name + `"]`
}

// condition is an expression without its brackets, in the quotes of a picture.
func condition(expression string) string {
	text := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(expression, "{%"), "%}"))
	return strings.ReplaceAll(text, `"`, "'")
}

func limit(s drawn) string {
	switch {
	case s.TimeoutSeconds > 0:
		return fmt.Sprintf("%d s", s.TimeoutSeconds)
	case s.Type != "Wait":
		return ""
	}
	if n, fixed := s.Seconds.(float64); fixed {
		return fmt.Sprintf("%g s", n)
	}
	if strings.Contains(s.Seconds.(string), "watchMinutes") {
		return "`RetuneWatchMinutes`" // the input's, or this parameter
	}
	return condition(s.Seconds.(string)) + " s"
}

func tries(s drawn) string {
	if len(s.Retry) == 0 {
		return ""
	}
	return fmt.Sprint(s.Retry[0].MaxAttempts + 1)
}

// statesInOrder are the names of the states in the order in which the file has them.
func statesInOrder(t *testing.T, definition []byte) (names []string) {
	t.Helper()
	var d struct{ States json.RawMessage }
	if err := json.Unmarshal(definition, &d); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(d.States))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var state json.RawMessage
		if err := decoder.Decode(&state); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/simulation"
)

var update = flag.Bool("update", false, "write the table of assumptions into the documentation")

const (
	document   = "../../docs/simulation.md"
	tableBegin = "<!-- assumptions -->\n"
	tableEnd   = "<!-- /assumptions -->\n"
)

// TestDocumentedAssumptions keeps the table of assumptions in docs/simulation.md equal to the catalogue.
func TestDocumentedAssumptions(t *testing.T) {
	var table strings.Builder
	table.WriteString("| name | default | | meaning |\n|---|---|---|---|\n")
	for _, k := range simulation.Catalogue() {
		value := strings.TrimSpace(fmt.Sprint(k.Value(simulation.DefaultAssumptions()), " ", k.Unit))
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", k.Name, value, k.Evidence, k.Meaning)
	}
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table of assumptions", document)
	}
	want := before + tableBegin + table.String() + tableEnd + after
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatalf("%s does not list the assumptions as they are: go test ./scripts/simulate -update", document)
	}
	if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

package localcloud

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestParameterOverrides(t *testing.T) {
	got := parameterOverrides(map[string]string{"B": `say "hi"`, "A": "1,2"})
	want := []string{"--parameter-overrides", `ParameterKey=A,ParameterValue="1,2"`,
		`ParameterKey=B,ParameterValue="say \"hi\""`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := parameterOverrides(nil); got != nil {
		t.Errorf("without parameters: %q", got)
	}
}

func TestHashSources(t *testing.T) {
	root := t.TempDir()
	write := func(name string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hash := func() string {
		t.Helper()
		sum, err := hashSources(root)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	write("worker/main.go")
	before := hash()
	for _, name := range []string{"README.md", "worker/main_test.go", ".local/x.go", ".git/y.go", "docs/z.yaml",
		"internal/testdata/a.json"} {
		if write(name); hash() != before {
			t.Errorf("%s counts as a source", name)
		}
	}
	for _, name := range []string{"template.yaml", "functions/a/main.go", "internal/trace/b.csv"} {
		old := hash()
		if write(name); hash() == old {
			t.Errorf("%s does not count as a source", name)
		}
	}
	old := hash()
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(root, "template.yaml"), later, later); err != nil {
		t.Fatal(err)
	}
	if hash() == old {
		t.Error("a changed file gives the same hash")
	}
}

func TestPruneRuns(t *testing.T) {
	runs := t.TempDir()
	names := []string{"20260101T000000-999999999-1", "20260102T000000-999999999-1", "20260103T000000-999999999-1",
		"20260104T000000-999999999-1", "20260105T000000-999999999-1", "20260106T000000-999999999-1", "odd"}
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(runs, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	alive := "20250101T000000-" + strconv.Itoa(os.Getpid()) + "-1"
	if err := os.Mkdir(filepath.Join(runs, alive), 0o755); err != nil {
		t.Fatal(err)
	}
	pruneRuns(runs)
	entries, err := os.ReadDir(runs)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	want := append([]string{alive}, names[2:]...)
	if !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

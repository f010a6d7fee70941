package checkout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoot(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "scripts", "load")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	if _, err := Root(); err == nil || !strings.Contains(err.Error(), "no go.mod") {
		t.Errorf("got error %v outside a checkout", err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Root()
	if err != nil || got != root {
		t.Errorf("root is %q, %v; want %q", got, err, root)
	}
}

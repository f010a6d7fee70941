package awsconfig

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "running.env")
	content := "# for a shell\nexport AWS_REGION='us-east-1'\nexport ODD='it'\\''s = odd'\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readRunning(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"AWS_REGION": "us-east-1", "ODD": "it's = odd"}; !maps.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestLoadFindsTheEngineOfTheCheckout(t *testing.T) {
	checkout := t.TempDir()
	below := filepath.Join(checkout, "scripts", "load")
	for _, dir := range []string{below, filepath.Join(checkout, ".local")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(checkout, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	if _, err := Load(t.Context(), true); err == nil || !strings.Contains(err.Error(), "run-local -keep") {
		t.Errorf("got error %v, want one that says how to start an engine", err)
	}

	content := "export AWS_REGION='eu-west-1'\nexport AWS_ENDPOINT_URL='http://127.0.0.1:4566'\n" +
		"export AWS_ACCESS_KEY_ID='test'\nexport AWS_SECRET_ACCESS_KEY='test'\n"
	if err := os.WriteFile(filepath.Join(checkout, RunningFile), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Region != "eu-west-1" || *loaded.BaseEndpoint != "http://127.0.0.1:4566" {
		t.Errorf("configuration has region %q and endpoint %q", loaded.Region, *loaded.BaseEndpoint)
	}
}

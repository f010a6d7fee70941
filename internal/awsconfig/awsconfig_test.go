package awsconfig

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunningEnvironmentRoundTrips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "running.env")
	given := []string{"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:4566", "ODD=it's = odd"}
	if err := WriteRunning(path, given); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRunning(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "ODD": "it's = odd",
	}
	if !maps.Equal(got, want) {
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
	t.Chdir(below)
	if _, err := Load(t.Context(), true); err == nil || !strings.Contains(err.Error(), "run-local -keep") {
		t.Errorf("got error %v, want one that says how to start an engine", err)
	}

	environment := []string{
		"AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
	}
	if err := WriteRunning(filepath.Join(checkout, RunningFile), environment); err != nil {
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

package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestLocksAreComplete reads the embedded locks: every requirement is pinned and has hashes.
func TestLocksAreComplete(t *testing.T) {
	for name, lock := range map[string]string{"uv": uvLock, "engine": engineLock, "checks": checksLock} {
		pinned, hashes := 0, 0
		for line := range strings.Lines(lock) {
			switch {
			case strings.HasPrefix(line, "    --hash=sha256:"):
				hashes++
			case strings.TrimSpace(line) == "":
			case strings.Contains(line, "==") && strings.HasSuffix(strings.TrimSpace(line), `\`):
				if pinned > 0 && hashes == 0 {
					t.Errorf("%s: the requirement before %q has no hash", name, line)
				}
				pinned, hashes = pinned+1, 0
			default:
				t.Errorf("%s: a line that pins nothing: %q", name, line)
			}
		}
		if pinned == 0 || hashes == 0 {
			t.Errorf("%s: %d pins, the last one with %d hashes", name, pinned, hashes)
		}
	}
	for _, want := range []string{"ministack==1.5.33", "aws-sam-cli==1.167.0"} {
		if !strings.Contains(engineLock, want) {
			t.Errorf("the engine's lock lacks %s", want)
		}
	}
}

// fakePython puts a script named python3 on an otherwise empty PATH.
func fakePython(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "python3"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestPythonThatCannotBeUsed(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"none", "", "python3 was not found on PATH"},
		{"too old", "echo 3.8; exit 0", "python3 is Python 3.8"},
		{"too new", "echo 3.99; exit 0", "python3 is Python 3.99"},
		{"without venv", "echo 3.11; exit 1", "python3 (3.11) has no venv module"},
		{"broken", "exit 127", "python3 does not run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fakePython(t, test.script)
			_, err := Toolchain{Dir: t.TempDir()}.Ensure(t.Context(), Engine)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "apt install python3") {
				t.Errorf("the error is not one line that says what to do: %v", err)
			}
		})
	}
}

func TestUsablePython(t *testing.T) {
	fakePython(t, "echo 3.12")
	path, err := findPython(t.Context())
	if err != nil || filepath.Base(path) != "python3" {
		t.Errorf("found %q, %v", path, err)
	}
}

func TestInstallErrors(t *testing.T) {
	exit := errors.New("exit status 2")
	tests := []struct{ name, output, want string }{
		{"no network", "error: Failed to fetch: `https://index/simple/ministack/`\n  caused by: dns error\n",
			"the Python package index cannot be reached (error: Failed to fetch"},
		{"pip without network", "WARNING: Retrying\nERROR: Could not find a version that satisfies the requirement\n",
			"the Python package index cannot be reached"},
		{"another file", "error: Failed to read\n  cause: Hash mismatch for `cbor2`\n",
			"does not have the hash of the lock file"},
		{"something else", "trace\nerror: disk full\n", "error: disk full"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := installError([]byte(test.output), exit)
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want %q in one line", err, test.want)
			}
		})
	}
}

// TestStamp: an environment counts as installed only with the same lock, in the same folder, with its interpreter.
func TestStamp(t *testing.T) {
	env := Env{Dir: t.TempDir()}
	if env.installed(Engine) {
		t.Fatal("an empty folder counts as installed")
	}
	if err := os.MkdirAll(filepath.Join(env.Dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	python := env.Path("python")
	if err := os.WriteFile(python, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := env.stamp(Engine); err != nil {
		t.Fatal(err)
	}
	if !env.installed(Engine) {
		t.Error("a complete environment does not count as installed")
	}
	if env.installed(Set{name: "engine", lock: engineLock + "\n"}) {
		t.Error("another lock counts as installed")
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(env.Dir, moved); err != nil {
		t.Fatal(err)
	}
	if (Env{Dir: moved}).installed(Engine) {
		t.Error("a moved environment counts as installed, though its scripts name the old folder")
	}
	if err := os.Remove(filepath.Join(moved, "bin", "python")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(moved, env.Dir); err != nil {
		t.Fatal(err)
	}
	if env.installed(Engine) {
		t.Error("an environment without interpreter counts as installed")
	}
}

// TestOnlyOneInstalls starts many installations that fail, at once: they must come one after another.
func TestOnlyOneInstalls(t *testing.T) {
	fakePython(t, "echo 3.8")
	dir := t.TempDir()
	var mu sync.Mutex
	active, most := 0, 0
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			chain := Toolchain{Dir: dir, Progress: func(string) {
				mu.Lock()
				active++
				most = max(most, active)
				active--
				mu.Unlock()
			}}
			if _, err := chain.Ensure(context.WithoutCancel(t.Context()), Engine); err == nil {
				t.Error("it was installed with Python 3.8")
			}
		})
	}
	wait.Wait()
	if most != 1 {
		t.Errorf("%d installations at once", most)
	}
}

func ExampleToolchain_Ensure() {
	env := Env{Dir: "/checkout/.local/engine"} // as Ensure answers it
	fmt.Println(env.Path("sam"))
	// Output: /checkout/.local/engine/bin/sam
}

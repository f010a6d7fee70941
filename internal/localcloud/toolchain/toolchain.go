// Package toolchain installs the pinned Python tools that the local engine and the checks need, into a folder of the
// checkout. Nothing outside that folder is written, and every file is checked against the hash in a lock file that is
// part of this package.
//
//	<dir>/uv       the installer (uv on PyPI), itself installed by pip with hashes
//	<dir>/engine   MiniStack, AWS SAM CLI, AWS CLI, cfn-lint
//	<dir>/checks   checkov, statelint, shellcheck
//	<dir>/cache    downloads, so that a changed lock file costs little
//
// An environment is complete when its stamp file says with which lock, which Python and in which folder it was made;
// that is all a second start looks at. A file lock keeps two starts from installing at the same time.
package toolchain

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/filelock"
)

//go:embed locks/uv.txt
var uvLock string

//go:embed locks/engine.txt
var engineLock string

//go:embed locks/checks.txt
var checksLock string

// Set is a group of tools that are installed together because they share their dependencies.
type Set struct {
	name string // of its folder
	what string // for people
	lock string // requirements with hashes
}

// The sets of pinned tools.
var (
	// Engine holds MiniStack (as a Python package), sam, aws and cfn-lint.
	Engine = Set{"engine", "MiniStack, AWS SAM CLI, AWS CLI and cfn-lint", engineLock}
	// Checks holds checkov, statelint and shellcheck.
	Checks = Set{"checks", "checkov, statelint and shellcheck", checksLock}
)

// Toolchain is a folder of installed tools.
type Toolchain struct {
	// Dir holds the environments; it is made when missing. Usually <checkout>/.local.
	Dir string
	// Progress gets one line for each step that takes time. Nil: no lines.
	Progress func(string)
}

// Env is one installed set.
type Env struct {
	// Dir is the root of the Python environment.
	Dir string
}

// Path is the absolute path of an executable of the set, such as "python" or "sam".
func (e Env) Path(tool string) string { return filepath.Join(e.Dir, "bin", tool) }

// Ensure installs the set unless that was done before with the same lock, and returns where it is. When it has to
// install it needs Python 3.10 or newer with its venv module and a package index; its errors are one line that says
// which of these is missing.
func (t Toolchain) Ensure(ctx context.Context, s Set) (Env, error) {
	dir, err := filepath.Abs(t.Dir)
	if err != nil {
		return Env{}, fmt.Errorf("tools folder %s: %w", t.Dir, err)
	}
	t.Dir = dir
	env := Env{Dir: filepath.Join(dir, s.name)}
	if env.installed(s) {
		return env, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Env{}, fmt.Errorf("make the tools folder: %w", err)
	}
	unlock, err := filelock.Acquire(ctx, filepath.Join(dir, "toolchain.lock"))
	if err != nil {
		return Env{}, err
	}
	defer unlock()
	if env.installed(s) { // by whoever held the lock
		return env, nil
	}
	if err := t.install(ctx, s, env); err != nil {
		return Env{}, err
	}
	return env, nil
}

func (t Toolchain) install(ctx context.Context, s Set, env Env) error {
	began := time.Now()
	t.progress("installing %s into %s (only the first time)", s.what, env.Dir)
	python, err := findPython(ctx)
	if err != nil {
		return err
	}
	uv, err := t.ensureUV(ctx, python)
	if err != nil {
		return err
	}
	if err := makeEnv(ctx, python, env, "--without-pip"); err != nil {
		return err
	}
	if err := uv.install(ctx, env, s.lock); err != nil {
		return fmt.Errorf("install %s: %w", s.what, err)
	}
	if err := env.stamp(s); err != nil {
		return err
	}
	t.progress("installed %s in %.0f s", s.what, time.Since(began).Seconds())
	return nil
}

func (t Toolchain) progress(format string, args ...any) {
	if t.Progress != nil {
		t.Progress(fmt.Sprintf(format, args...))
	}
}

// stampFile is written last, so an interrupted installation is never taken for a complete one.
const stampFile = ".installed"

func (e Env) stampText(s Set) string {
	sum := sha256.Sum256([]byte(s.lock))
	// Scripts of an environment name its folder: a moved checkout needs a new one.
	return hex.EncodeToString(sum[:]) + " " + e.Dir + "\n"
}

func (e Env) installed(s Set) bool {
	text, err := os.ReadFile(filepath.Join(e.Dir, stampFile))
	if err != nil || string(text) != e.stampText(s) {
		return false
	}
	// The interpreter is a link to one outside, which may be gone since.
	_, err = os.Stat(e.Path("python"))
	return err == nil
}

func (e Env) stamp(s Set) error {
	if err := os.WriteFile(filepath.Join(e.Dir, stampFile), []byte(e.stampText(s)), 0o644); err != nil {
		return fmt.Errorf("mark %s as installed: %w", e.Dir, err)
	}
	return nil
}

// lastLine is the last line of a tool's output that says anything, which is where tools put the reason.
func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear %s: %w", dir, err)
	}
	return nil
}

package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Versions that the lock files were resolved for.
const (
	oldestMinor = 10
	newestMinor = 13
)

// pythonNames are tried in this order: the one people have chosen first, then newer before older.
var pythonNames = []string{"python3", "python3.13", "python3.12", "python3.11", "python3.10"}

const pythonAdvice = "install Python 3.10 to 3.13 with its venv module " +
	"(Debian, Ubuntu: apt install python3 python3-venv)"

// findPython answers the path of a usable interpreter.
func findPython(ctx context.Context) (string, error) {
	var refused []string
	for _, name := range pythonNames {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		reason := checkPython(ctx, path)
		if reason == "" {
			return path, nil
		}
		refused = append(refused, name+" "+reason)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if len(refused) == 0 {
		return "", errors.New("python3 was not found on PATH: " + pythonAdvice)
	}
	return "", fmt.Errorf("no usable Python (%s): %s", strings.Join(refused, "; "), pythonAdvice)
}

// checkPython says why an interpreter cannot be used, or "".
func checkPython(ctx context.Context, path string) string {
	const probe = `import sys
print("%d.%d" % sys.version_info[:2])
import venv, ensurepip`
	cmd := exec.CommandContext(ctx, path, "-c", probe)
	cmd.Env = cleanEnviron()
	out, err := cmd.Output()
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	var major, minor int
	if _, scanErr := fmt.Sscanf(version, "%d.%d", &major, &minor); scanErr != nil {
		return fmt.Sprintf("does not run (%v)", err)
	}
	switch {
	case major != 3 || minor < oldestMinor || minor > newestMinor:
		return "is Python " + version
	case err != nil:
		return "(" + version + ") has no venv module"
	}
	return ""
}

// makeEnv makes a fresh Python environment.
func makeEnv(ctx context.Context, python string, env Env, flags ...string) error {
	if err := removeAll(env.Dir); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, append(append([]string{"-m", "venv"}, flags...), env.Dir)...)
	cmd.Env = cleanEnviron()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s -m venv %s failed (%s): %s", python, env.Dir, lastLine(out), pythonAdvice)
	}
	return nil
}

// cleanEnviron is this process's environment without what would make Python or an installer look at somebody else's
// packages. Settings of the package index (proxy, mirror, certificates) stay.
func cleanEnviron() []string {
	drop := map[string]bool{
		"PYTHONPATH": true, "PYTHONHOME": true, "PYTHONSTARTUP": true, "VIRTUAL_ENV": true, "CONDA_PREFIX": true,
		"PIP_TARGET": true, "PIP_PREFIX": true, "PIP_USER": true, "PIP_REQUIRE_VIRTUALENV": true,
	}
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !drop[name] {
			env = append(env, entry)
		}
	}
	return env
}

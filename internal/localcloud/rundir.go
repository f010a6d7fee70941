package localcloud

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keptRuns is how many folders of earlier runs stay, for their logs.
const keptRuns = 5

// makeRunDir makes the folder of this run, <local>/run/<time>-<pid>-x, and removes those of old runs.
func makeRunDir(local string) (string, error) {
	runs := filepath.Join(local, "run")
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of runs: %w", err)
	}
	pruneRuns(runs)
	dir, err := os.MkdirTemp(runs, fmt.Sprintf("%s-%d-", time.Now().Format("20060102T150405"), os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make the folder of this run: %w", err)
	}
	return dir, nil
}

// clearRunDir removes what of a run is of no use after it: all but the logs.
func clearRunDir(dir string) {
	for _, name := range []string{"tmp", "launcher"} {
		_ = os.RemoveAll(filepath.Join(dir, name))
	}
}

func pruneRuns(runs string) {
	entries, err := os.ReadDir(runs)
	if err != nil {
		return // nothing to prune
	}
	var old []string
	for _, entry := range entries { // sorted by name, which begins with the time
		if !ownerAlive(entry.Name()) {
			old = append(old, entry.Name())
		}
	}
	for _, name := range old[:max(0, len(old)-keptRuns)] {
		_ = os.RemoveAll(filepath.Join(runs, name))
	}
}

// ownerAlive tells whether the process that made a run folder still lives.
func ownerAlive(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	return err == nil && syscall.Kill(pid, 0) == nil
}

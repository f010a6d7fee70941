package localcloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// builtMark is a file in a build folder that is complete.
const builtMark = ".complete"

// hashSources condenses the state of the files that a build depends on. It goes by size and time of change, like make.
func hashSources(root string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "docs") {
				return filepath.SkipDir
			}
			return nil
		}
		if !isSource(name) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, path, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("look at the sources: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

func isSource(name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	return slices.Contains([]string{".go", ".mod", ".sum", ".yaml", ".yml", ".json", ".toml", ".csv", ".gz"},
		filepath.Ext(name))
}

// pruneBuilds removes builds that are more than a day old, except the current one: another engine may be deploying a
// younger one.
func pruneBuilds(builds, current string) {
	entries, err := os.ReadDir(builds)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && entry.IsDir() && entry.Name() != current && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(filepath.Join(builds, entry.Name()))
		}
	}
}

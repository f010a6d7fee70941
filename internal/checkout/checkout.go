// Package checkout finds the folder that the scripts work on.
package checkout

import (
	"fmt"
	"os"
	"path/filepath"
)

// Root is the folder with go.mod, at or above the current one.
func Root() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout: no go.mod here or above", here)
		}
	}
}

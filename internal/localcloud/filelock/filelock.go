// Package filelock takes turns between processes: tests of several packages and a person's own run share one checkout.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const retryAfter = 100 * time.Millisecond

// Acquire takes an exclusive lock on a file, which is made when missing, and waits for another holder until ctx ends.
// The lock ends with unlock, or with the process however that ends.
func Acquire(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("waiting for another process that holds %s: %w", path, ctx.Err())
		case <-time.After(retryAfter):
		}
	}
}

package localcloud

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"sqs-dynamic-target-tracking/internal/localcloud/agent"
	"sqs-dynamic-target-tracking/internal/localcloud/filelock"
)

// WorkerImage is the image name under which the engine runs the worker of the checkout, built when a task needs it.
const WorkerImage = "sqs-dynamic-target-tracking-worker:local"

// images implements agent.Images.
type images struct {
	root     string // the checkout
	progress func(string)

	mu   sync.Mutex
	made map[string]agent.Image // by state of the sources
}

// Find implements agent.Images.
func (i *images) Find(ctx context.Context, name string) (agent.Image, error) {
	if name != WorkerImage {
		return agent.Image{}, fmt.Errorf("image %s is not known to the local engine, which has only %s", name, WorkerImage)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	sources, err := hashSources(i.root)
	if err != nil {
		return agent.Image{}, err
	}
	if image, ok := i.made[sources]; ok {
		return image, nil
	}
	dir := filepath.Join(i.root, ".local", "images", sources)
	if err := i.build(ctx, dir); err != nil {
		return agent.Image{}, err
	}
	image := agent.Image{Root: dir, EntryPoint: []string{"/worker"}}
	i.made = map[string]agent.Image{sources: image}
	return image, nil
}

// build compiles the worker into a folder, as an image would hold it.
func (i *images) build(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the worker: %w", err)
	}
	unlock, err := filelock.Acquire(ctx, filepath.Join(filepath.Dir(dir), "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	worker := filepath.Join(dir, "worker")
	if _, err := os.Stat(worker); err == nil {
		return nil
	}
	i.progress("building the worker")
	// Under another name first: a build that was interrupted must not look like a worker.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", worker+".new", "./worker")
	cmd.Dir = i.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the worker (go build ./worker): %w: %s", err, out)
	}
	pruneBuilds(filepath.Dir(dir), filepath.Base(dir))
	return os.Rename(worker+".new", worker)
}

package localcloud

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"sqs-dynamic-target-tracking/internal/localcloud/agent"
	"sqs-dynamic-target-tracking/internal/localcloud/filelock"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

// WorkerImage is the image name under which the engine runs the worker of the checkout, built when a task needs it.
const WorkerImage = "sqs-dynamic-target-tracking-worker:local"

// images implements agent.Images: it builds WorkerImage and pulls all others from the engine's registry.
type images struct {
	root     string // the checkout
	progress func(string)

	mu     sync.Mutex
	built  map[string]agent.Image // the worker of the checkout, by state of the sources
	pulled map[string]agent.Image // by name
}

// Find implements agent.Images.
func (i *images) Find(ctx context.Context, name string, as aws.Config) (agent.Image, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if name == WorkerImage {
		return i.findBuilt(ctx)
	}
	repository, id := imageID(name)
	if !workerimage.IsECR(repository) {
		return agent.Image{}, fmt.Errorf("%s is neither %s nor in a repository of ECR, which is all that the local "+
			"engine runs", name, WorkerImage)
	}
	return i.findPulled(ctx, repository, id, as)
}

// imageID takes an image's name apart: <repository>@<digest>, <repository>:<tag>, or the repository alone for the tag
// latest.
func imageID(name string) (repository string, id types.ImageIdentifier) {
	if repository, digest, ok := strings.Cut(name, "@"); ok {
		return repository, types.ImageIdentifier{ImageDigest: &digest}
	}
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		return name[:colon], types.ImageIdentifier{ImageTag: aws.String(name[colon+1:])}
	}
	return name, types.ImageIdentifier{ImageTag: aws.String("latest")}
}

func (i *images) findBuilt(ctx context.Context) (agent.Image, error) {
	sources, err := hashSources(i.root)
	if err != nil {
		return agent.Image{}, err
	}
	if image, ok := i.built[sources]; ok {
		return image, nil
	}
	dir := i.dir(sources)
	if err := i.make(ctx, dir, func(dir string) error { return i.build(ctx, dir) }); err != nil {
		return agent.Image{}, err
	}
	image := agent.Image{Root: dir, EntryPoint: []string{"/worker"}}
	i.built = map[string]agent.Image{sources: image}
	return image, nil
}

// findPulled asks the registry each time, as ECS does: the image may be gone, or the role not allowed any more.
func (i *images) findPulled(ctx context.Context, repository string, id types.ImageIdentifier, as aws.Config) (
	agent.Image, error,
) {
	api := ecr.NewFromConfig(as)
	_, path, _ := strings.Cut(repository, "/") // after the registry's host
	out, err := api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: &path,
		ImageIds: []types.ImageIdentifier{id}})
	asked := repository + "@" + aws.ToString(id.ImageDigest)
	if id.ImageTag != nil {
		asked = repository + ":" + *id.ImageTag
	}
	if err != nil {
		return agent.Image{}, fmt.Errorf("pull %s: %w", asked, err)
	}
	if len(out.Images) == 0 || out.Images[0].ImageId == nil {
		return agent.Image{}, fmt.Errorf("%s: not found", asked)
	}
	digest := aws.ToString(out.Images[0].ImageId.ImageDigest)
	name := repository + "@" + digest
	if image, ok := i.pulled[name]; ok {
		return image, nil
	}
	registry := workerimage.Registry{Login: workerimage.ECRLogin(api)}
	image := agent.Image{Digest: digest}
	// Into a folder of this process's own first, since only a pull tells how the image wants to be run.
	if err := os.MkdirAll(i.dir(""), 0o755); err != nil {
		return agent.Image{}, fmt.Errorf("make the folder of images: %w", err)
	}
	image.Root, err = os.MkdirTemp(i.dir(""), "pulled-")
	if err != nil {
		return agent.Image{}, fmt.Errorf("make a folder for the image: %w", err)
	}
	i.progress("pulling " + name)
	config, err := registry.Unpack(ctx, repository, digest, image.Root)
	if err != nil {
		return agent.Image{}, errors.Join(err, os.RemoveAll(image.Root))
	}
	image.EntryPoint, image.Command, image.Environ = config.Entrypoint, config.Cmd, config.Env
	if i.pulled == nil {
		i.pulled = map[string]agent.Image{}
	}
	i.pulled[name] = image
	return image, nil
}

// close removes what was pulled.
func (i *images) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, image := range i.pulled {
		_ = os.RemoveAll(image.Root)
	}
}

func (i *images) dir(name string) string { return filepath.Join(i.root, ".local", "images", name) }

// make fills a folder once, whoever wants it: a folder that exists is complete.
func (i *images) make(ctx context.Context, dir string, fill func(dir string) error) error {
	if err := os.MkdirAll(i.dir(""), 0o755); err != nil {
		return fmt.Errorf("make the folder of images: %w", err)
	}
	unlock, err := filelock.Acquire(ctx, i.dir("lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	unfinished := dir + ".unfinished"
	if err := errors.Join(os.RemoveAll(unfinished), os.Mkdir(unfinished, 0o755)); err != nil {
		return fmt.Errorf("make a folder for the image: %w", err)
	}
	if err := fill(unfinished); err != nil {
		return err
	}
	pruneBuilds(i.dir(""), filepath.Base(unfinished))
	return os.Rename(unfinished, dir)
}

// build compiles the worker as an image would hold it.
func (i *images) build(ctx context.Context, dir string) error {
	i.progress("building the worker")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-o", filepath.Join(dir, "worker"), "./worker")
	cmd.Dir = i.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the worker (go build ./worker): %w: %s", err, out)
	}
	return nil
}

package workerimage

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	dockername "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// entryPoint is the worker's place in the image. The task definition's health check calls it too.
const entryPoint = "/worker"

// Image is a worker's image that is not in a registry yet.
type Image struct {
	v1.Image
	// SBOM lists what the worker is made of, as CycloneDX JSON.
	SBOM []byte
	// Worker identifies the worker's binary.
	Worker string
}

// Build puts the image together. The labels come on top of those that every image of a worker has; one that differs
// from build to build gives a different digest each time.
func Build(worker []byte, labels map[string]string) (Image, error) {
	arch, err := inspect(worker)
	if err != nil {
		return Image{}, err
	}
	sbom, err := billOfMaterials(worker)
	if err != nil {
		return Image{}, err
	}
	system, err := systemLayer()
	if err != nil {
		return Image{}, fmt.Errorf("layer of system files: %w", err)
	}
	own, err := layerOf([]file{{entryPoint[1:], 0o555, worker}})
	if err != nil {
		return Image{}, fmt.Errorf("layer of the worker: %w", err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base,
		addendum(system, "root certificates, time zones, user"), addendum(own, "the worker"))
	if err != nil {
		return Image{}, err
	}
	image, err = configure(image, arch, fingerprint(worker), labels)
	if err != nil {
		return Image{}, err
	}
	return Image{Image: image, SBOM: sbom, Worker: fingerprint(worker)}, nil
}

// systemLayer is the same in every version, so that a registry stores it once, and it is made once.
var systemLayer = sync.OnceValues(func() (v1.Layer, error) {
	files, err := systemFiles()
	if err != nil {
		return nil, err
	}
	return layerOf(files)
})

func layerOf(files []file) (v1.Layer, error) {
	archive, err := pack(files)
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

func addendum(layer v1.Layer, about string) mutate.Addendum {
	return mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "workerimage", Comment: about},
	}
}

func configure(image v1.Image, arch, worker string, labels map[string]string) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: epoch}
	if arch == "arm64" {
		config.Variant = "v8"
	}
	config.Config = v1.Config{
		User:       nonroot,
		WorkingDir: "/",
		Entrypoint: []string{entryPoint},
		StopSignal: "SIGTERM",
		// ECS takes the task definition's check and ignores this one, which others use.
		Healthcheck: &v1.HealthConfig{
			Test: []string{"CMD", entryPoint, "-health"}, Interval: 30 * time.Second, Timeout: 5 * time.Second,
			StartPeriod: 10 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "worker",
			"org.opencontainers.image.description": "Takes messages of an SQS queue and processes them",
			// The binary's digest and not the commit: what does not change the worker does not change the image.
			"org.opencontainers.image.version": worker,
		},
	}
	maps.Copy(config.Config.Labels, labels)
	return mutate.ConfigFile(image, config)
}

// WriteArchive writes the image to a file that `docker load` and its like read.
func (i Image) WriteArchive(path string) error {
	name, err := Tag(i)
	if err != nil {
		return err
	}
	reference, err := dockername.NewTag("worker:" + name)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(path, reference, i.Image)
}

package workerimage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Unpack pulls the image with that digest from the repository, lays its files out below the folder, which exists, and
// returns how the image wants to be run. Everything that was pulled is checked against the digest.
func (r Registry) Unpack(ctx context.Context, repository, digest, folder string) (v1.Config, error) {
	target, options, err := r.open(ctx, repository)
	if err != nil {
		return v1.Config{}, fmt.Errorf("pull from %s: %w", repository, err)
	}
	image, err := remote.Image(target.Digest(digest), options...)
	if err != nil {
		return v1.Config{}, fmt.Errorf("pull from %s: %w", repository, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return v1.Config{}, fmt.Errorf("pull %s@%s: %w", repository, digest, err)
	}
	files := mutate.Extract(image)
	defer files.Close()
	if err := lay(files, folder); err != nil {
		return v1.Config{}, fmt.Errorf("unpack %s@%s: %w", repository, digest, err)
	}
	return config.Config, nil
}

// lay writes the files of a tar archive below the folder and nowhere else.
func lay(archive io.Reader, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for files := tar.NewReader(archive); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := layOne(root, header, files); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func layOne(root *os.Root, header *tar.Header, content io.Reader) error {
	target := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
	if target == "" {
		return nil
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(target, 0o755)
	case tar.TypeReg:
		if err := root.MkdirAll(path.Dir(target), 0o755); err != nil {
			return err
		}
		file, err := root.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, os.FileMode(header.Mode)&0o755)
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, content); err != nil {
			file.Close()
			return err
		}
		return file.Close()
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, target)
	default:
		return fmt.Errorf("a file of kind %q, which no image of a worker has", header.Typeflag)
	}
}

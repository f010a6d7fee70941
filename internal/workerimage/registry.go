package workerimage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Endpoint is where a registry is reached and how one identifies oneself.
type Endpoint struct {
	Host     string // with the port, if it is not the usual one
	Insecure bool   // http rather than https
	Auth     authn.Authenticator
}

// Registry brings images into repositories and finds them there. A repository is named as in an image's name:
// <host>/<path>.
type Registry struct {
	// Login finds the endpoint of a repository. Nil means that the repository's host needs no identification.
	Login func(ctx context.Context, repository string) (Endpoint, error)
	// Transport of the requests. Nil means that of the registry client.
	Transport http.RoundTripper
}

// Push brings the image and its bill of materials into the repository, names it with the tags, and returns the name
// that never means another image: <repository>@sha256:....
//
// An image whose bill alone was refused is there and named, and the error is a *BillRefused.
//
// Push does nothing that is done already: it goes on where an interrupted one stopped, and an image that is there is
// not sent. A tag that names another image already is an error, also where the registry would move it.
func (r Registry) Push(ctx context.Context, repository string, image Image, tags ...string) (string, error) {
	reference, err := r.push(ctx, repository, image, tags)
	if err != nil {
		return reference, fmt.Errorf("push to %s: %w", repository, err)
	}
	return reference, nil
}

// BillRefused says that the registry has the image and not its bill of materials.
type BillRefused struct{ Err error }

func (e *BillRefused) Error() string { return "bill of materials: " + e.Err.Error() }

// Unwrap returns the registry's error.
func (e *BillRefused) Unwrap() error { return e.Err }

func (r Registry) push(ctx context.Context, repository string, image Image, tags []string) (string, error) {
	target, options, err := r.open(ctx, repository)
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	if err := remote.Write(target.Digest(digest.String()), image, options...); err != nil {
		return "", err
	}
	for _, tag := range tags {
		if err := putTag(target.Tag(tag), image, digest.String(), options); err != nil {
			return "", fmt.Errorf("tag %s: %w", tag, err)
		}
	}
	reference := repository + "@" + digest.String()
	if err := attach(target, image, options); err != nil {
		return reference, &BillRefused{err}
	}
	return reference, nil
}

// attach pushes the image's bill of materials, which refers to it.
func attach(target name.Repository, image Image, options []remote.Option) error {
	bill, err := attachment(image)
	if err != nil {
		return err
	}
	digest, err := bill.Digest()
	if err != nil {
		return err
	}
	if err := remote.Write(target.Digest(digest.String()), bill, options...); err != nil {
		// The client sends the bill and then asks for what refers to the image, which may need a permission of its own.
		if _, missing := remote.Head(target.Digest(digest.String()), options...); missing != nil {
			return err
		}
	}
	return nil
}

// putTag looks first: a registry with immutable tags may refuse even the tag that it has.
func putTag(tag name.Tag, image Image, digest string, options []remote.Option) error {
	found, err := remote.Head(tag, options...)
	if err == nil {
		if found.Digest.String() == digest {
			return nil
		}
		return fmt.Errorf("it names %s already, and cannot name %s", found.Digest, digest)
	}
	if !notFound(err) {
		return err
	}
	return remote.Tag(tag, image, options...)
}

// Exists tells whether the repository has the image with that digest.
func (r Registry) Exists(ctx context.Context, repository, digest string) (bool, error) {
	target, options, err := r.open(ctx, repository)
	if err == nil {
		_, err = remote.Head(target.Digest(digest), options...)
	}
	switch {
	case err == nil:
		return true, nil
	case notFound(err):
		return false, nil
	default:
		return false, fmt.Errorf("look for %s@%s: %w", repository, digest, err)
	}
}

func notFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

// open names the repository at its endpoint and collects what each request needs.
func (r Registry) open(ctx context.Context, repository string) (name.Repository, []remote.Option, error) {
	host, path, found := strings.Cut(repository, "/")
	if !found {
		return name.Repository{}, nil, fmt.Errorf("%q is no repository: want <host>/<path>", repository)
	}
	endpoint := Endpoint{Host: host, Auth: authn.Anonymous}
	if r.Login != nil {
		var err error
		if endpoint, err = r.Login(ctx, repository); err != nil {
			return name.Repository{}, nil, err
		}
	}
	var naming []name.Option
	if endpoint.Insecure {
		naming = append(naming, name.Insecure)
	}
	target, err := name.NewRepository(endpoint.Host+"/"+path, naming...)
	if err != nil {
		return name.Repository{}, nil, err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuth(endpoint.Auth)}
	if r.Transport != nil {
		options = append(options, remote.WithTransport(r.Transport))
	}
	return target, options, nil
}

// Tag is the name that an image gets from what it is, so that a tag never has to move.
func Tag(image Image) (string, error) {
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	return "worker-" + digest.Hex[:16], nil
}

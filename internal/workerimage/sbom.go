package workerimage

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"runtime/debug"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// cycloneDX is the media type of a bill of materials in CycloneDX JSON.
const cycloneDX = "application/vnd.cyclonedx+json"

// bill is as much of CycloneDX 1.6 as a Go program needs. It holds no time and no serial number, so that the same
// worker has the same bill.
type bill struct {
	BOMFormat   string       `json:"bomFormat"`
	SpecVersion string       `json:"specVersion"`
	Version     int          `json:"version"`
	Metadata    billMetadata `json:"metadata"`
	Components  []component  `json:"components"`
}

type billMetadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// billOfMaterials reads from a Go binary what it was made of.
func billOfMaterials(worker []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(worker))
	if err != nil {
		return nil, &UnusableWorker{Problem: "it does not say what it is made of: " + err.Error()}
	}
	out := bill{
		BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: billMetadata{Component: component{
			Type: "application", Name: info.Path,
			Hashes: []hash{{Algorithm: "SHA-256", Content: fingerprint(worker)[len("sha256:"):]}},
		}},
		Components: []component{module("std", info.GoVersion)},
	}
	for _, dependency := range info.Deps {
		out.Components = append(out.Components, module(effective(dependency)))
	}
	return json.MarshalIndent(out, "", "  ")
}

func effective(m *debug.Module) (path, version string) {
	if m.Replace != nil {
		m = m.Replace
	}
	return m.Path, m.Version
}

func module(path, version string) component {
	if path == "std" { // Go's own version is written without the leading "go" in package URLs
		version = version[len("go"):]
	}
	return component{Type: "library", Name: path, Version: version, PURL: "pkg:golang/" + path + "@" + version}
}

// attachment is the artifact by which a registry finds the bill from the image.
func attachment(image Image) (v1.Image, error) {
	subject, err := descriptor(image)
	if err != nil {
		return nil, err
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), cycloneDX)
	artifact, err = mutate.Append(artifact, mutate.Addendum{
		Layer: static.NewLayer(image.SBOM, cycloneDX), MediaType: cycloneDX,
	})
	if err != nil {
		return nil, err
	}
	return mutate.Subject(artifact, subject).(v1.Image), nil
}

func descriptor(image v1.Image) (v1.Descriptor, error) {
	digest, err := image.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := image.Size()
	if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType, err := image.MediaType()
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, err
}

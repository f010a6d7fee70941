package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"gopkg.in/yaml.v3"

	"sqs-dynamic-target-tracking/internal/verify"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

// buildspec is as much of worker/buildspec.yml as CodeBuild's phases need.
type buildspec struct {
	Env    struct{ Variables map[string]string }
	Phases struct {
		Install, PreBuild, Build struct {
			Runtimes map[string]string `yaml:"runtime-versions"`
			Commands []string
		}
	}
	Artifacts struct{ Files []string }
}

func readBuildspec(t *testing.T) buildspec {
	t.Helper()
	content, err := os.ReadFile("../../worker/buildspec.yml")
	if err != nil {
		t.Fatal(err)
	}
	content = bytes.ReplaceAll(content, []byte("pre_build:"), []byte("prebuild:"))
	var spec buildspec
	if err := yaml.Unmarshal(content, &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// source is a copy of this checkout, as a pipeline hands it out: without the repository, and without what was built.
func source(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != "." && strings.HasPrefix(entry.Name(), ".") {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(folder, path), 0o755)
		}
		content, err := fs.ReadFile(root, path)
		if errors.Is(err, fs.ErrNotExist) || !entry.Type().IsRegular() {
			return nil // somebody else's, and gone again
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, path), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func startRegistry(t *testing.T) (repository string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://") + "/stack/worker"
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestBuildspecRuns runs the commands of the pipeline's build for real, and holds what they write against what reads
// it.
func TestBuildspecRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the worker")
	}
	spec, folder, repository := readBuildspec(t), source(t), startRegistry(t)
	env := append(os.Environ(), "REPOSITORY_URI="+repository, "CODEBUILD_RESOLVED_SOURCE_VERSION=4f2c9e1")
	for name, value := range spec.Env.Variables {
		env = append(env, name+"="+value)
	}
	// Everything would include this test; and here Go has caches already.
	env = append(env, "TEST_PACKAGES=./internal/stepinput", "GOMODCACHE="+goEnv(t, "GOMODCACHE"),
		"GOCACHE="+goEnv(t, "GOCACHE"))
	for _, command := range slices.Concat(spec.Phases.Install.Commands, spec.Phases.PreBuild.Commands,
		spec.Phases.Build.Commands) {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", command)
		cmd.Dir, cmd.Env = folder, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	var written []string
	for _, name := range spec.Artifacts.Files {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			written = append(written, name)
		}
	}
	if !slices.Equal(written, []string{"imagedefinitions.json", "verification.json", "sbom.json"}) {
		t.Fatalf("of the artifacts, %v were written", written)
	}

	var definitions []definition
	readJSON(t, filepath.Join(folder, "imagedefinitions.json"), &definitions)
	if len(definitions) != 1 || definitions[0].Name != "worker" || !strings.HasPrefix(definitions[0].ImageURI,
		repository+"@sha256:") {
		t.Fatalf("image definitions are %+v, want the container worker with an image by digest", definitions)
	}
	_, digest, _ := strings.Cut(definitions[0].ImageURI, "@")
	if there, err := (workerimage.Registry{}).Exists(t.Context(), repository, digest); err != nil || !there {
		t.Errorf("the image %s is not in the registry (%v)", digest, err)
	}

	input, err := os.ReadFile(filepath.Join(folder, "verification.json"))
	if err != nil {
		t.Fatal(err)
	}
	request, err := verify.ParseRequest(input, verify.Request{Rollout: 1, Soak: 1})
	if err != nil || request.ImageDigest != digest || request.Change != "4f2c9e1" || request.Reason != "pipeline" {
		t.Errorf("the verify machine reads %+v (%v) from %s", request, err, input)
	}

	// Another folder, with its repository: the same digest.
	here, err := exec.CommandContext(t.Context(), "go", "run", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(here)); got != digest {
		t.Errorf("the checkout builds %s, the pipeline %s", got, digest)
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestMakefileMakesThePackage runs what `sam build` runs.
func TestMakefileMakesThePackage(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the worker")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	artifacts := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "make", "--makefile", "Makefile", "build-WorkerImageFunction")
	cmd.Dir = "../../functions/workerimage"
	cmd.Env = append(os.Environ(), "ARTIFACTS_DIR="+artifacts)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"bootstrap", "worker"} {
		program, err := elf.Open(filepath.Join(artifacts, name))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = program.Close() }()
		if libraries, _ := program.ImportedLibraries(); len(libraries) > 0 {
			t.Errorf("%s needs %v", name, libraries)
		}
	}
}

func TestTemplateArch(t *testing.T) {
	for template, want := range map[string]string{
		"Globals:\n  Function:\n    Architectures:\n      - arm64\n": "arm64",
		"    Architectures: [arm64]\n":                               "arm64",
		"    Architectures:\n      - 'x86_64'\n":                     "amd64",
		"Description: arm64\n":                                       "amd64",
	} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "template.yaml"), []byte(template), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := templateArch(root); err != nil || got != want {
			t.Errorf("of %q the architecture is %s (%v), want %s", template, got, err, want)
		}
	}
	if got, err := templateArch(t.TempDir()); err != nil || got != "amd64" {
		t.Errorf("without a template the architecture is %s (%v), want amd64", got, err)
	}
}

func TestOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options   options
		arguments []string
		want      string
	}{
		"an argument":          {options{}, []string{"x"}, `unexpected argument "x"`},
		"another processor":    {options{arch: "x86_64"}, nil, `-arch is "x86_64"; allowed: amd64, arm64`},
		"nothing pushed":       {options{definitions: "f"}, nil, "give -push too"},
		"no container":         {options{push: "r/w", definitions: "f"}, nil, "-container is empty"},
		"good":                 {options{push: "r/w", definitions: "f", container: "worker"}, nil, ""},
		"nothing but building": {options{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.options.check(test.arguments)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(),
				test.want)) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

package workerimage

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// program is the compiled testdata/program, made once.
var program = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "workerimage-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	output := filepath.Join(folder, "worker")
	err = Compile(context.Background(), Compilation{Dir: ".", Package: "./testdata/program", Arch: "amd64",
		Output: output})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(output)
})

func worker(t *testing.T) []byte {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// built is the image of program, made once.
var built = sync.OnceValues(func() (Image, error) {
	binary, err := program()
	if err != nil {
		return Image{}, err
	}
	return Build(binary, nil)
})

func image(t *testing.T) Image {
	t.Helper()
	built, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func digestOf(t *testing.T, i Image) string {
	t.Helper()
	digest, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// TestDefect13_ImageOfAStaticWorkerThatIsNotRoot: the original's image has a floating base image, a shell-form entry
// point and the root user.
func TestDefect13_ImageOfAStaticWorkerThatIsNotRoot(t *testing.T) {
	built := image(t)
	config, err := built.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if c.User != "65532:65532" {
		t.Errorf("user is %q, want 65532:65532", c.User)
	}
	if !slices.Equal(c.Entrypoint, []string{"/worker"}) || len(c.Cmd) > 0 {
		t.Errorf("entry point is %q with command %q, want /worker alone and no shell", c.Entrypoint, c.Cmd)
	}
	if c.Healthcheck == nil || !slices.Equal(c.Healthcheck.Test, []string{"CMD", "/worker", "-health"}) {
		t.Errorf("health check is %+v, want the worker's own", c.Healthcheck)
	}
	if c.Labels["org.opencontainers.image.version"] != fingerprint(worker(t)) {
		t.Errorf("labels are %v, want the worker's digest as the version", c.Labels)
	}
	if config.OS != "linux" || config.Architecture != "amd64" {
		t.Errorf("platform is %s/%s, want linux/amd64", config.OS, config.Architecture)
	}
	for _, f := range contents(t, built) {
		if f.Mode&0o222 != 0 && f.Typeflag == tar.TypeReg || f.Uid != 0 || !f.ModTime.Equal(epoch) {
			t.Errorf("%s: mode %o, owner %d, time %v; want a file of root's that nobody writes, of the epoch",
				f.Name, f.Mode, f.Uid, f.ModTime)
		}
	}
}

func contents(t *testing.T, i Image) []*tar.Header {
	t.Helper()
	var headers []*tar.Header
	files := mutate.Extract(i)
	defer files.Close()
	for archive := tar.NewReader(files); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, header)
	}
}

// unpacked lays the image out in a folder.
func unpacked(t *testing.T, i Image) string {
	t.Helper()
	folder := t.TempDir()
	files := mutate.Extract(i)
	defer files.Close()
	if err := lay(files, folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestImageHoldsCertificatesZonesAndTheWorker(t *testing.T) {
	root := unpacked(t, image(t))

	pem, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) || bytes.Count(pem, []byte("BEGIN CERTIFICATE")) < 50 {
		t.Error("the root certificates are not usable")
	}
	var amazon int
	for _, subject := range pool.Subjects() { //nolint:staticcheck // the pool is not the system's, so it is complete
		if bytes.Contains(subject, []byte("Amazon Root CA")) {
			amazon++
		}
	}
	if amazon != 4 {
		t.Errorf("%d of Amazon's four roots are there", amazon)
	}

	berlin, err := os.ReadFile(filepath.Join(root, "usr/share/zoneinfo/Europe/Berlin"))
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocationFromTZData("Europe/Berlin", berlin)
	if err != nil {
		t.Fatal(err)
	}
	if hour := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).In(zone).Hour(); hour != 14 {
		t.Errorf("noon UTC in July is %d o'clock in Berlin, want 14", hour)
	}

	for _, arguments := range [][]string{nil, {"-health"}} {
		if out, err := exec.CommandContext(t.Context(), filepath.Join(root, "worker"),
			arguments...).CombinedOutput(); err != nil {
			t.Errorf("worker %v: %v\n%s", arguments, err, out)
		}
	}
}

// TestSameSourceSameDigest compiles one source in two repositories at different paths and commits.
func TestSameSourceSameDigest(t *testing.T) {
	var digests []string
	for _, document := range []string{"first words", "other words"} {
		folder := t.TempDir()
		for name, content := range map[string]string{
			"go.mod": "module example\n\ngo 1.26.0\n", "README": document,
			"main.go": "package main\n\nimport \"net\"\n\nfunc main() { _, _ = net.LookupHost(\"localhost\") }\n",
		} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		commit(t, folder, document)
		// Whatever the person who builds has set, it must not matter.
		t.Setenv("CGO_ENABLED", map[string]string{"first words": "0", "other words": "1"}[document])
		t.Setenv("GOFLAGS", map[string]string{"first words": "", "other words": "-tags=other"}[document])
		output := filepath.Join(t.TempDir(), "worker")
		err := Compile(t.Context(), Compilation{Dir: folder, Package: ".", Arch: "amd64", Output: output})
		if err != nil {
			t.Fatal(err)
		}
		binary, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		built, err := Build(binary, nil)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digestOf(t, built))
	}
	if digests[0] != digests[1] {
		t.Errorf("digests differ: %v", digests)
	}
}

func commit(t *testing.T, folder, message string) {
	t.Helper()
	for _, arguments := range [][]string{
		{"init", "-q"}, {"add", "."},
		{"-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-q", "-m", message},
	} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder},
			arguments...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", arguments, err, out)
		}
	}
}

func TestBuildIsTheSameEachTime(t *testing.T) {
	first := image(t)
	second, err := Build(worker(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if digestOf(t, first) != digestOf(t, second) {
		t.Error("two builds of one binary have different digests")
	}
	if !bytes.Equal(first.SBOM, second.SBOM) {
		t.Error("two builds of one binary have different bills of materials")
	}
	labelled, err := Build(worker(t), map[string]string{"org.opencontainers.image.source": "https://example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if digestOf(t, first) == digestOf(t, labelled) {
		t.Error("a label made no difference")
	}
}

func TestUnusableWorkerIsRefused(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	dynamic, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	other := slices.Clone(worker(t))
	other[18] = 0xf3 // machine: RISC-V
	for name, test := range map[string]struct {
		binary []byte
		want   string
	}{
		"nothing":         {nil, "no Linux program"},
		"a script":        {[]byte("#!/bin/sh\n"), "no Linux program"},
		"cut off":         {worker(t)[:100], "not usable"},
		"linked to libc":  {dynamic, "linked against C libraries"},
		"other processor": {other, "Fargate has x86-64 and arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(test.binary, nil)
			var unusable *UnusableWorker
			if !errors.As(err, &unusable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want *UnusableWorker with %q", err, test.want)
			}
		})
	}
}

func TestBillOfMaterials(t *testing.T) {
	var found bill
	if err := json.Unmarshal(image(t).SBOM, &found); err != nil {
		t.Fatal(err)
	}
	if found.BOMFormat != "CycloneDX" || found.Metadata.Component.Hashes[0].Content != fingerprint(worker(t))[7:] {
		t.Errorf("the bill is %+v", found)
	}
	if first := found.Components[0]; first.Name != "std" || !strings.HasPrefix(first.PURL, "pkg:golang/std@1.") {
		t.Errorf("the first component is %+v, want Go's standard library", first)
	}
}

func TestArchiveIsReadBack(t *testing.T) {
	built, path := image(t), filepath.Join(t.TempDir(), "image.tar")
	if err := built.WriteArchive(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := built.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := loaded.ConfigName(); err != nil || got != want {
		t.Errorf("the archive holds image %v (%v), want %v", got, err, want)
	}
}

func TestLayStaysBelowItsFolder(t *testing.T) {
	for name, header := range map[string]tar.Header{
		"dots":     {Name: "../escaped", Typeflag: tar.TypeReg},
		"absolute": {Name: "/escaped", Typeflag: tar.TypeReg},
		"device":   {Name: "null", Typeflag: tar.TypeChar},
	} {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			inner := filepath.Join(outer, "inner")
			if err := os.Mkdir(inner, 0o755); err != nil {
				t.Fatal(err)
			}
			var archive bytes.Buffer
			writer := tar.NewWriter(&archive)
			if err := writer.WriteHeader(&header); err != nil {
				t.Fatal(err)
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			err := lay(&archive, inner)
			if header.Typeflag == tar.TypeChar && err == nil {
				t.Error("a device was accepted")
			}
			if left, _ := os.ReadDir(outer); len(left) != 1 {
				t.Errorf("something was written outside: %v", left)
			}
		})
	}
	t.Run("through a link", func(t *testing.T) {
		var archive bytes.Buffer
		writer := tar.NewWriter(&archive)
		_ = writer.WriteHeader(&tar.Header{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/tmp"})
		_ = writer.WriteHeader(&tar.Header{Name: "out/workerimage-escaped", Typeflag: tar.TypeReg})
		_ = writer.Close()
		if err := lay(&archive, t.TempDir()); err == nil {
			t.Error("a file was written through a link that leads outside")
		}
	})
}

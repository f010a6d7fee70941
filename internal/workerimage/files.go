package workerimage

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	_ "embed" // the time zones
	"encoding/pem"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// zoneinfo is the IANA time zone database, compiled, as the Go distribution has it in lib/time (public domain).
//
//go:embed zoneinfo.zip
var zoneinfo []byte

// nonroot is the user of the image, by number: then Kubernetes and scanners see that it is not root.
const nonroot = "65532:65532"

// file is a regular file of an image.
type file struct {
	path    string // from the root, without a leading slash
	mode    int64
	content []byte
}

// systemFiles are what a static binary may want from a system.
func systemFiles() ([]file, error) {
	files := []file{
		{"etc/passwd", 0o444, []byte("root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n")},
		{"etc/group", 0o444, []byte("root:x:0:\nnonroot:x:65532:\n")},
		{"etc/ssl/certs/ca-certificates.crt", 0o444, certificates()},
	}
	zones, err := timeZones()
	if err != nil {
		return nil, err
	}
	return append(files, zones...), nil
}

// certificates are the roots of Mozilla's programme that it trusts without a condition, as PEM, which cannot express
// conditions. All of Amazon's are among them.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		// Writing to a buffer does not fail.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return out.Bytes()
}

func timeZones() ([]file, error) {
	archive, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, fmt.Errorf("zoneinfo.zip: %w", err)
	}
	var files []file
	for _, entry := range archive.File {
		if strings.HasSuffix(entry.Name, "/") {
			continue
		}
		content, err := readEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("zoneinfo.zip: %s: %w", entry.Name, err)
		}
		files = append(files, file{"usr/share/zoneinfo/" + entry.Name, 0o444, content})
	}
	return files, nil
}

func readEntry(entry *zip.File) ([]byte, error) {
	reader, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return io.ReadAll(reader)
}

// epoch is the time of every file and of the image: the only one that is the same everywhere.
var epoch = time.Unix(0, 0).UTC()

// pack makes a tar archive of files and of the folders above them, the same for the same files in any order.
func pack(files []file) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := packFolders(archive, path.Dir(f.path), made); err != nil {
			return nil, err
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.content)),
			ModTime: epoch, Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func packFolders(archive *tar.Writer, folder string, made map[string]bool) error {
	if made[folder] {
		return nil
	}
	if err := packFolders(archive, path.Dir(folder), made); err != nil {
		return err
	}
	made[folder] = true
	return archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: epoch, Format: tar.FormatUSTAR,
	})
}

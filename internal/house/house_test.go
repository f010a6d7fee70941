// Package house keeps the layout true: which folder may import which, and which names are not used.
//
// The table below is the design. When a change needs an import that it forbids, either the code is in the wrong room
// or the table has to change, in the same commit and with its reason.
package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sqs-dynamic-target-tracking/"

// Classes of imports from outside. What matches none is the standard library.
const (
	sdk       = "github.com/aws/aws-sdk-go-v2/"
	smithy    = "github.com/aws/smithy-go"
	lambda    = "github.com/aws/aws-lambda-go/"
	formation = "github.com/awslabs/goformation/v7"
	yaml      = "gopkg.in/yaml.v3"
	cbor      = "github.com/fxamacker/cbor/v2"
	errgroup  = "golang.org/x/sync/"
	terminal  = "golang.org/x/term"
	unix      = "golang.org/x/sys/unix"
	registry  = "github.com/google/go-containerregistry/"
	x509roots = "golang.org/x/crypto/x509roots/fallback"
	pixels    = "git.sr.ht/~sbinet/gg"
	letters   = "golang.org/x/image/font"
)

// room is a folder of the house: its own packages and what they may import besides the standard library and each
// other.
type room struct {
	folder string
	may    []string
}

// house is read from top to bottom; the first room whose folder holds a package decides.
var house = []room{
	{"template", []string{formation, yaml}},
	{"functions", []string{module + "internal/", sdk, lambda}},
	{"worker", []string{module + "internal/consumer", module + "internal/awshttp", sdk}},
	{"scripts", []string{module + "internal/", sdk, terminal, errgroup}},

	{"internal/backlog", nil},
	{"internal/trace", nil},
	{"internal/chart", []string{pixels, letters}},
	{"internal/tracking", nil},
	{"internal/band/steps", []string{ // what the steps of the band machine do
		module + "internal/band", sdk, smithy, lambda,
	}},
	{"internal/band", []string{module + "internal/backlog"}},
	{"internal/simulation", []string{
		module + "internal/band", module + "internal/tracking", module + "internal/backlog", module + "internal/trace",
		module + "internal/chart",
	}},

	{"internal/consumer/sqstest", []string{sdk, smithy, cbor}}, // a fake SQS server for tests and benchmarks
	{"internal/consumer", []string{sdk, smithy, errgroup}},

	{"internal/stepinput", nil},
	{"internal/lambdastep", []string{module + "internal/awshttp", sdk, smithy, lambda}},
	{"internal/produce", []string{
		module + "internal/backlog", module + "internal/stepinput", sdk, smithy, lambda, errgroup,
	}},
	{"internal/retune", []string{
		module + "internal/backlog", module + "internal/tracking", module + "internal/simulation",
		module + "internal/stepinput", sdk, smithy, lambda,
	}},
	{"internal/initialtargets", []string{
		module + "internal/backlog", module + "internal/retune", module + "internal/stepinput", sdk, smithy, lambda,
	}},
	{"internal/load", []string{module + "internal/produce", module + "internal/trace"}},
	{"internal/checkout", nil},
	{"internal/byhand", []string{
		module + "internal/awsconfig", module + "internal/execution", module + "internal/stack",
		module + "internal/terminal", module + "internal/verify", sdk,
	}},
	{"internal/awshttp", []string{sdk}},
	{"internal/awsconfig", []string{module + "internal/awshttp", module + "internal/checkout", sdk}},
	{"internal/verify", []string{module + "internal/stepinput", sdk, smithy}},
	{"internal/workerimage", []string{module + "internal/stepinput", registry, x509roots, sdk, smithy, lambda}},
	{"internal/stack", []string{sdk, smithy}},
	{"internal/execution", []string{sdk, smithy}},

	{"internal/localcloud", []string{
		module + "internal/awshttp", module + "internal/tracking", module + "internal/workerimage",
		sdk, smithy, cbor, errgroup, unix,
	}},
	{"internal/terminal", []string{terminal}},
}

// TestImportDirections reads the imports of every package that is not a test and holds them against the table.
func TestImportDirections(t *testing.T) {
	for file, imports := range sources(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		folder := filepath.Dir(file)
		index := slices.IndexFunc(house, func(r room) bool { return within(folder, r.folder) })
		if index < 0 {
			t.Errorf("%s: the folder has no place in the house; give it one in the table of this test", file)
			continue
		}
		here := house[index]
		for _, path := range imports {
			if !allowed(path, here) {
				t.Errorf("%s imports %q; %s may import only %s", file, path, here.folder, strings.Join(here.may, ", "))
			}
		}
	}
}

// TestRoomsExist finds a row of the table whose folder is gone.
func TestRoomsExist(t *testing.T) {
	for _, r := range house {
		if _, err := os.Stat(filepath.Join(root, r.folder)); err != nil {
			t.Errorf("the table names %s, which does not exist", r.folder)
		}
	}
}

// TestPackageNames refuses names that say nothing about what lives there.
func TestPackageNames(t *testing.T) {
	empty := []string{"utils", "util", "helpers", "helper", "common", "manager", "types", "misc", "shared", "base"}
	for file := range sources(t) {
		if name := filepath.Base(filepath.Dir(file)); slices.Contains(empty, name) {
			t.Errorf("%s: a package named %s says nothing", file, name)
		}
	}
}

// TestLocalTestsAreRun: scripts/test runs the tests that need the local engine by their name. One with another name
// would be skipped without a word.
func TestLocalTestsAreRun(t *testing.T) {
	named := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	found := 0
	for file := range sources(t) {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(content), "//go:build local\n") {
			continue
		}
		for _, name := range named.FindAllStringSubmatch(string(content), -1) {
			found++
			if !strings.HasPrefix(name[1], "TestLocal") {
				t.Errorf("%s: %s is never run, its name must begin with TestLocal", file, name[1])
			}
		}
	}
	if found == 0 {
		t.Error("found no test with the build tag local")
	}
}

const root = "../.."

func allowed(path string, here room) bool {
	first, _, _ := strings.Cut(path, "/")
	if own, ok := strings.CutPrefix(path, module); ok && within(own, here.folder) {
		return true
	}
	if !strings.Contains(first, ".") && !strings.HasPrefix(path, module) {
		return true // the standard library
	}
	return slices.ContainsFunc(here.may, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

func within(folder, of string) bool { return folder == of || strings.HasPrefix(folder, of+"/") }

// sources maps each Go file of the repository to its imports.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[relative] = nil
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[relative] = append(files[relative], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

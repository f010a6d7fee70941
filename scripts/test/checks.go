package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/toolchain"
)

// check is one thing that has to hold.
type check struct {
	name, about string
	run         func(context.Context, *bench) error
}

// checks run in this order: the quick ones first, those that share no work last.
var checks = []check{
	{"format", "gofmt changes nothing", format},
	{"vet", "go vet, with and without the local engine's tests", vet},
	{"tidy", "go.mod and go.sum are what the code needs", tidy},
	{"tools", "pinned Python tools, with hashes", tools},
	{"linter", "golangci-lint " + golangciVersion + ", built from source", installLinter},
	{"lint", "golangci-lint finds nothing", lint},
	{"shell", "shellcheck on every shell script", shell},
	{"machines", "statelint on the state machines", machines},
	{"template", "sam validate --lint, and cfn-lint on the transformed template", template},
	{"checkov", "security policies of the template", checkov},
	{"unit", "unit tests with the race detector", unit},
	{"figures", "the simulation against the independent one and its goals", figures},
	{"vulnerable", "govulncheck, where its database can be reached", vulnerable},
	{"local", "the whole system on the local engine", local},
}

// Tools that are Go programs; their versions are pinned here and their contents by the checksum database.
const (
	golangciVersion    = "v2.15.0"
	golangci           = "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"
	govulncheckVersion = "v1.9.0"
	govulncheck        = "golang.org/x/vuln/cmd/govulncheck"
)

// bench is what a check works with.
type bench struct {
	root string
	log  io.Writer
	tell func(string) // what the check is doing, for people
}

// command runs a program in the checkout; its output goes to the log of the check.
func (b *bench) command(ctx context.Context, name string, args ...string) error {
	return b.pipe(ctx, b.log, nil, name, args...)
}

func (b *bench) pipe(ctx context.Context, out io.Writer, env []string, name string, args ...string) error {
	fmt.Fprintf(b.log, "$ %s %.300s\n", filepath.Base(name), strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.root, out, b.log
	cmd.Env = append(os.Environ(), env...)
	// Ctrl-C reaches the child as well; it gets the time to stop what it started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

func format(ctx context.Context, b *bench) error {
	files, err := b.files(func(path string) bool { return strings.HasSuffix(path, ".go") })
	if err != nil {
		return err
	}
	var unformatted bytes.Buffer
	out := io.MultiWriter(&unformatted, b.log)
	if err := b.pipe(ctx, out, nil, "gofmt", append([]string{"-l"}, files...)...); err != nil {
		return err
	}
	if unformatted.Len() > 0 {
		return errors.New("run gofmt -w on these files")
	}
	return nil
}

func vet(ctx context.Context, b *bench) error {
	if err := b.command(ctx, "go", "vet", "./..."); err != nil {
		return err
	}
	return b.command(ctx, "go", "vet", "-tags", "local", "./...")
}

func tidy(ctx context.Context, b *bench) error {
	return b.command(ctx, "go", "mod", "tidy", "-diff")
}

func (b *bench) toolchain() toolchain.Toolchain {
	return toolchain.Toolchain{Dir: filepath.Join(b.root, ".local"), Progress: b.tell}
}

func tools(ctx context.Context, b *bench) error {
	for _, set := range []toolchain.Set{toolchain.Engine, toolchain.Checks} {
		if _, err := b.toolchain().Ensure(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// goTool is the path of a Go program in .local/bin, built at the pinned version unless it is there already.
func (b *bench) goTool(ctx context.Context, module, version string) (string, error) {
	bin := filepath.Join(b.root, ".local", "bin")
	tool := filepath.Join(bin, filepath.Base(module))
	info, err := exec.CommandContext(ctx, "go", "version", "-m", tool).Output()
	if err == nil && strings.Contains(string(info), version) {
		return tool, nil
	}
	return tool, b.pipe(ctx, b.log, []string{"GOBIN=" + bin, "GOFLAGS="}, "go", "install", module+"@"+version)
}

func installLinter(ctx context.Context, b *bench) error {
	_, err := b.goTool(ctx, golangci, golangciVersion)
	return err
}

func lint(ctx context.Context, b *bench) error {
	linter, err := b.goTool(ctx, golangci, golangciVersion)
	if err != nil {
		return err
	}
	return b.command(ctx, linter, "run", "./...")
}

func shell(ctx context.Context, b *bench) error {
	scripts, err := b.files(isShell)
	if err != nil {
		return err
	}
	if len(scripts) == 0 {
		return errors.New("found no shell script, not even .ci/run")
	}
	env, err := b.toolchain().Ensure(ctx, toolchain.Checks)
	if err != nil {
		return err
	}
	return b.command(ctx, env.Path("shellcheck"), scripts...)
}

// isShell looks at the first line, since scripts have no common ending.
func isShell(path string) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	first, _, _ := bytes.Cut(content, []byte("\n"))
	return bytes.HasPrefix(first, []byte("#!")) && bytes.HasSuffix(bytes.TrimSpace(first), []byte("sh"))
}

// machines lints copies of the definitions in which placeholders are ARNs and an expression that is to give a number is
// one: statelint knows neither DefinitionSubstitutions nor JSONata.
func machines(ctx context.Context, b *bench) error {
	env, err := b.toolchain().Ensure(ctx, toolchain.Checks)
	if err != nil {
		return err
	}
	definitions, err := filepath.Glob(filepath.Join(b.root, "statemachines", "*.asl.json"))
	if err != nil {
		return err
	}
	if len(definitions) == 0 {
		return errors.New("found no statemachines/*.asl.json")
	}
	var findings bytes.Buffer
	for _, definition := range definitions {
		content, err := os.ReadFile(definition)
		if err != nil {
			return err
		}
		content = placeholder.ReplaceAll(content, []byte("arn:aws:service:region:account:name"))
		content = timeExpression.ReplaceAll(content, []byte("${1}60"))
		plain := filepath.Join(b.root, ".local", "test", filepath.Base(definition))
		if err := os.WriteFile(plain, content, 0o644); err != nil {
			return err
		}
		// statelint exits 0 whatever it finds; its findings are what it prints.
		if err := b.pipe(ctx, io.MultiWriter(&findings, b.log), nil, env.Path("statelint"), plain); err != nil {
			return err
		}
	}
	if findings.Len() > 0 {
		return errors.New("statelint has findings")
	}
	return nil
}

var (
	placeholder    = regexp.MustCompile(`\$\{\w+\}`)
	timeExpression = regexp.MustCompile(`("(?:Timeout)?Seconds": )"\{%[^"]*%\}"`)
)

func unit(ctx context.Context, b *bench) error {
	return b.command(ctx, "go", "test", "-race", "-timeout", "5m", "./...")
}

// figures runs the long simulations, which are too slow under the race detector and skip themselves there.
func figures(ctx context.Context, b *bench) error {
	return b.command(ctx, "go", "test", "-timeout", "5m", "./internal/simulation/compare")
}

// vulnerable is the one check that may not run: where its database cannot be reached, it says so.
func vulnerable(ctx context.Context, b *bench) error {
	tool, err := b.goTool(ctx, govulncheck, govulncheckVersion)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	together := &bench{root: b.root, log: io.MultiWriter(&out, b.log), tell: b.tell}
	err = together.command(ctx, tool, "./...")
	if err != nil && strings.Contains(out.String(), "fetching vulnerabilities") {
		return errNotRun{"the vulnerability database cannot be reached from here"}
	}
	return err
}

// errNotRun says why a check could not be made.
type errNotRun struct{ reason string }

func (e errNotRun) Error() string { return "NOT RUN: " + e.reason }

// local runs the tests that need the local engine, one package after the other: each starts an engine of its own.
func local(ctx context.Context, b *bench) error {
	files, err := b.files(func(path string) bool {
		content, err := os.ReadFile(path)
		return err == nil && strings.HasSuffix(path, "_test.go") && bytes.HasPrefix(content, []byte("//go:build local"))
	})
	if err != nil {
		return err
	}
	var packages []string
	for _, file := range files {
		packages = append(packages, "./"+filepath.Dir(file))
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if len(packages) == 0 {
		return errors.New("found no test with the build tag local")
	}
	return b.command(ctx, "go", append([]string{
		"test", "-tags", "local", "-run", "^TestLocal", "-count", "1", "-p", "1", "-v", "-timeout", "30m",
	}, packages...)...)
}

// files lists the files of the checkout that match, relative to it, without what is installed or built. match gets
// absolute paths.
func (b *bench) files(match func(path string) bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(b.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", ".local", ".aws-sam"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() || !match(path) {
			return nil
		}
		relative, err := filepath.Rel(b.root, path)
		found = append(found, relative)
		return err
	})
	return found, err
}

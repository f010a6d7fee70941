package localcloud

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"sqs-dynamic-target-tracking/internal/localcloud/filelock"
)

// Deploy runs the real `sam build` (once for each state of the sources) and `sam deploy` of the checkout's template
// against this engine. Parameters override the template's defaults. The output of both goes to out.
func (c *Cloud) Deploy(ctx context.Context, stack string, parameters map[string]string, out io.Writer) error {
	template, err := c.build(ctx, out)
	if err != nil {
		return err
	}
	c.config.Progress("deploying stack " + stack + " (sam deploy)")
	args := []string{"deploy", "--template-file", template, "--stack-name", stack,
		"--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar",
		"--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}
	args = append(args, parameterOverrides(parameters)...)
	if err := c.sam(ctx, out, args...); err != nil {
		return fmt.Errorf("deploy stack %s: %w", stack, errors.Join(c.whyFailed(ctx, stack), err))
	}
	return nil
}

// whyFailed is the first failure of a stack's last operation, which SAM's output has somewhere in a table; nil when
// there is none.
func (c *Cloud) whyFailed(ctx context.Context, stack string) error {
	pages := cloudformation.NewDescribeStackEventsPaginator(cloudformation.NewFromConfig(c.AWSConfig()),
		&cloudformation.DescribeStackEventsInput{StackName: &stack})
	var reason error
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return reason // there is no such stack, or no engine any more: SAM's error says so
		}
		for _, event := range page.StackEvents { // newest first
			status, name := string(event.ResourceStatus), aws.ToString(event.LogicalResourceId)
			if strings.HasSuffix(status, "_FAILED") {
				reason = fmt.Errorf("%s (%s) %s: %s", name, aws.ToString(event.ResourceType), status,
					aws.ToString(event.ResourceStatusReason))
			}
			if name == stack && (status == "CREATE_IN_PROGRESS" || status == "UPDATE_IN_PROGRESS") {
				return reason // the operation began here
			}
		}
	}
	return reason
}

// Delete runs the real `sam delete` of a stack.
func (c *Cloud) Delete(ctx context.Context, stack string, out io.Writer) error {
	c.config.Progress("deleting stack " + stack + " (sam delete)")
	if err := c.sam(ctx, out, "delete", "--stack-name", stack, "--no-prompts"); err != nil {
		return fmt.Errorf("delete stack %s: %w", stack, err)
	}
	return nil
}

func parameterOverrides(parameters map[string]string) []string {
	if len(parameters) == 0 {
		return nil
	}
	overrides := []string{"--parameter-overrides"}
	for name, value := range parameters {
		// SAM splits the value like a shell does.
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		overrides = append(overrides, "ParameterKey="+name+",ParameterValue="+quoted)
	}
	slices.Sort(overrides[1:])
	return overrides
}

// sam runs the SAM CLI in the checkout as a client of this engine.
func (c *Cloud) sam(ctx context.Context, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, c.tools.Path("sam"), args...)
	cmd.Dir = c.config.Root
	cmd.Env = append(c.Environ(), "TMPDIR="+os.TempDir())
	tail := &lastLines{}
	cmd.Stdout = io.MultiWriter(out, tail)
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if died := c.Err(); died != nil {
		return died
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sam %s: %w", args[0], ctx.Err())
	}
	return fmt.Errorf("sam %s failed (%w):\n%s", args[0], err, tail.String())
}

// build runs `sam build` unless it was done for the same sources, and answers the built template.
func (c *Cloud) build(ctx context.Context, out io.Writer) (template string, err error) {
	sources, err := hashSources(c.config.Root)
	if err != nil {
		return "", err
	}
	builds := filepath.Join(c.config.Root, ".local", "build")
	if err := os.MkdirAll(builds, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of builds: %w", err)
	}
	unlock, err := filelock.Acquire(ctx, filepath.Join(builds, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(builds, sources)
	template = filepath.Join(dir, "template.yaml")
	if _, err := os.Stat(filepath.Join(dir, builtMark)); err == nil {
		return template, nil
	}
	c.config.Progress("building the functions (sam build)")
	if err := c.sam(ctx, out, "build", "--build-dir", dir); err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, builtMark), nil, 0o644); err != nil {
		return "", fmt.Errorf("mark the build as done: %w", err)
	}
	pruneBuilds(builds, sources)
	return template, nil
}

// lastLines keeps the end of what was written to it.
type lastLines struct{ text []byte }

func (l *lastLines) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	if extra := len(l.text) - 4000; extra > 0 {
		l.text = l.text[extra:]
	}
	return len(p), nil
}

func (l *lastLines) String() string {
	var lines []string
	scanner := bufio.NewScanner(strings.NewReader(string(l.text)))
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

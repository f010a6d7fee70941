package localcloud

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sqs-dynamic-target-tracking/internal/awshttp"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// rootKey and rootSecret are the emulator's root user.
const (
	rootKey    = "test"
	rootSecret = "test"
)

// Endpoint is the URL that clients use for every service, such as http://127.0.0.1:4566.
func (c *Cloud) Endpoint() string { return c.endpoint }

// AWSConfig configures SDK clients as the root user.
func (c *Cloud) AWSConfig() aws.Config {
	return aws.Config{
		Region:       ministack.Region,
		BaseEndpoint: aws.String(c.endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(rootKey, rootSecret, ""),
		HTTPClient:   awshttp.Over(c.client),
	}
}

// newHTTPClient is shared by all SDK clients of a Cloud, so that Close can end its connections.
func newHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// ClientVariables are the environment variables with which the AWS CLI, SAM, boto3 and the SDKs use this engine as the
// root user, and nothing else: no shared configuration, no metadata service, no telemetry.
func (c *Cloud) ClientVariables() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.endpoint,
		"AWS_ACCESS_KEY_ID=" + rootKey,
		"AWS_SECRET_ACCESS_KEY=" + rootSecret,
		"AWS_REGION=" + ministack.Region,
		"AWS_DEFAULT_REGION=" + ministack.Region,
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_PAGER=",
		"SAM_CLI_TELEMETRY=0",
		"SAM_CLI_POLL_DELAY=1", // seconds; SAM's default of 5 is for AWS's quotas
	}
}

// Environ is the environment for a client process: this process's own without anything about AWS, plus ClientVariables,
// with the pinned tools (sam, aws) first on the PATH.
func (c *Cloud) Environ() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name != "PATH" && !strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "SAM_CLI_") {
			env = append(env, entry)
		}
	}
	path := append(c.toolFolders(), os.Getenv("PATH"))
	return append(append(env, "PATH="+strings.Join(path, string(os.PathListSeparator))), c.ClientVariables()...)
}

// toolFolders are the folders of the tools for clients, those of our own first.
func (c *Cloud) toolFolders() []string { return []string{c.bin(), filepath.Dir(c.tools.Path("sam"))} }

func (c *Cloud) bin() string { return filepath.Join(c.config.Root, ".local", "bin") }

// writeTools makes the tools of our own: aws, because version 1 of the AWS CLI sends SQS calls to AWS unless the
// endpoint is an argument; and make where there is none, because one function's build goes through its Makefile.
func (c *Cloud) writeTools() error {
	script := "#!/bin/sh\n" +
		"# The pinned AWS CLI, which takes the endpoint of some services only as an argument.\n" +
		"exec '" + c.tools.Path("aws") + "' ${AWS_ENDPOINT_URL:+--endpoint-url \"$AWS_ENDPOINT_URL\"} \"$@\"\n"
	if err := os.MkdirAll(c.bin(), 0o755); err != nil {
		return fmt.Errorf("make the folder of tools: %w", err)
	}
	if err := writeExecutable(filepath.Join(c.bin(), "aws"), script); err != nil {
		return err
	}
	if _, err := exec.LookPath("make"); err == nil {
		return nil
	}
	return writeExecutable(filepath.Join(c.bin(), "make"), makeScript)
}

const makeScript = `#!/bin/sh
# All of make that "sam build" needs here: the one target of functions/workerimage/Makefile.
exec go run ../../scripts/image -artifact "$ARTIFACTS_DIR"
`

// writeExecutable replaces a file at once, because another engine may be starting it.
func writeExecutable(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Chmod(0o755), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// WriteEnvironment writes ClientVariables and the PATH of the pinned tools as lines for a shell (export NAME='value'),
// so that another terminal can work with this engine. The file is removed by Close.
func (c *Cloud) WriteEnvironment(path string) error {
	var text strings.Builder
	for _, entry := range c.ClientVariables() {
		name, value, _ := strings.Cut(entry, "=")
		fmt.Fprintf(&text, "export %s='%s'\n", name, value)
	}
	fmt.Fprintf(&text, "export PATH='%s':\"$PATH\"\n", strings.Join(c.toolFolders(), ":"))
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write the environment of the running engine: %w", err)
	}
	c.atClose(func() {
		// Another engine of this checkout may have written its own since.
		if now, err := os.ReadFile(path); err == nil && string(now) == text.String() {
			_ = os.Remove(path)
		}
	})
	return nil
}

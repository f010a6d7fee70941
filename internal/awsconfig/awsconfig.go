// Package awsconfig tells the scripts which cloud they talk to: AWS, as the environment and the shared files say, or
// the local engine that runs in this checkout.
package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sqs-dynamic-target-tracking/internal/awshttp"
	"sqs-dynamic-target-tracking/internal/checkout"
)

// RunningFile is where a running local engine leaves the environment of its clients, as lines for a shell
// (`export NAME='value'`), relative to the checkout.
const RunningFile = ".local/running.env"

// Load returns the configuration of the SDK. For a local engine it comes from RunningFile in this checkout.
func Load(ctx context.Context, local bool) (aws.Config, error) {
	if !local {
		loaded, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", err)
		}
		if loaded.Region == "" {
			return aws.Config{}, errors.New("no AWS region: set AWS_REGION, or -local for the local engine")
		}
		loaded.HTTPClient = awshttp.Over(loaded.HTTPClient)
		return loaded, nil
	}
	path, err := findRunning()
	if err != nil {
		return aws.Config{}, err
	}
	environment, err := readRunning(path)
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region:       environment["AWS_REGION"],
		BaseEndpoint: aws.String(environment["AWS_ENDPOINT_URL"]),
		HTTPClient:   awshttp.New(),
		Credentials: credentials.NewStaticCredentialsProvider(
			environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], ""),
	}, nil
}

func findRunning() (string, error) {
	root, err := checkout.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, RunningFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("no local engine runs in this checkout: start one with " +
			"`go run ./scripts/run-local -keep`")
	}
	return path, nil
}

// readRunning reads the lines of a RunningFile.
func readRunning(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	environment := map[string]string{}
	for line := range strings.Lines(string(content)) {
		assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(assignment, "=")
		value = strings.TrimSuffix(strings.TrimPrefix(value, "'"), "'")
		environment[name] = strings.ReplaceAll(value, `'\''`, "'")
	}
	return environment, nil
}

//go:build local

package statemachines

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// testRetries runs a copy of each machine as it was deployed, whose functions are all a flaky one. Each Task is failed
// once with each error that it is to retry, and then must go on; failed once more, it must give up.
func testRetries(t *testing.T, w *world) {
	client := lambda.NewFromConfig(w.config)
	decide, err := client.GetFunction(t.Context(), &lambda.GetFunctionInput{
		FunctionName: aws.String(w.output(t, "RetuneDecideFunctionArn")),
	})
	if err != nil {
		t.Fatal(err)
	}
	flaky, err := client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("flaky"), Role: decide.Configuration.Role,
		Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Timeout: aws.Int32(10),
		Code: &lambdatypes.FunctionCode{ZipFile: buildFlaky(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for machine, tasks := range map[string][]string{
		"produce": {"Plan Batches", "Send Batch", "Report"},
		"retune": {
			"Take Turn", "Measure Duration", "Decide Targets", "Apply Targets", "Publish", "Schedule Another",
			"Compare With Before", "Restore Targets", "Publish Restore",
		},
	} {
		d, _ := load(t, machine)
		copied := w.copyMachine(t, machine, *flaky.FunctionArn)
		rounds := [][]string{transient, append(slices.Clone(transient), transient[0])}
		for _, task := range tasks {
			retry := d.all()[task].Retry[0]
			if retry.MaxAttempts != len(transient) {
				t.Fatalf(
					"%s: %q is repeated %d times; the test expects %d",
					machine,
					task,
					retry.MaxAttempts,
					len(transient),
				)
			}
			for _, name := range retry.ErrorEquals {
				if !slices.Contains(transient, name) {
					rounds = append(rounds, []string{name})
				}
			}
		}
		for _, errors := range rounds {
			_, err := client.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
				FunctionName: flaky.FunctionArn, Environment: &lambdatypes.Environment{
					Variables: map[string]string{"FAIL_WITH": strings.Join(errors, ",")},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			e := w.execute(t, machine, copied, `{}`, newCoverage())
			switch want := len(errors) * len(tasks); {
			case len(errors) == 1:
				// An error that only some Tasks retry: the first that does not ends the execution, with this very
				// error.
				checkSelective(t, d, machine, tasks, errors[0], e)
			case len(errors) > len(transient):
				if e.error != errors[0] || e.failures != len(errors) {
					t.Errorf(
						"%s: error %q after %d failures, want the end of patience: %s",
						machine,
						e.error,
						e.failures,
						e.cause,
					)
				}
			case e.status != sfntypes.ExecutionStatusSucceeded || e.failures != want:
				t.Errorf(
					"%s: %s after %d failures, want success after %d: %s",
					machine,
					e.status,
					e.failures,
					want,
					e.cause,
				)
			}
		}
	}
}

func checkSelective(t *testing.T, d definition, machine string, tasks []string, name string, e ended) {
	t.Helper()
	for i, task := range tasks {
		if slices.Contains(d.all()[task].Retry[0].ErrorEquals, name) {
			continue
		}
		if e.error != name || e.failures != i+1 {
			t.Errorf(
				"%s: %s: it failed with %s after %d failures, want %s after %d",
				machine,
				name,
				e.error,
				e.failures,
				name,
				i+1,
			)
		}
		return
	}
	if e.status != sfntypes.ExecutionStatusSucceeded {
		t.Errorf("%s: %s: %s", machine, name, e.cause)
	}
}

// copyMachine makes a machine from the deployed definition, in which every function is another.
func (w *world) copyMachine(t *testing.T, machine, function string) (arn string) {
	t.Helper()
	client := sfn.NewFromConfig(w.config)
	deployed, err := client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{
		StateMachineArn: aws.String(w.machineArn(t, machine)),
	})
	if err != nil {
		t.Fatal(err)
	}
	text := *deployed.Definition
	for _, key := range []string{
		"ProducePlanFunctionArn", "ProduceSendFunctionArn", "ProduceReportFunctionArn", "RetuneMeasureFunctionArn",
		"RetuneDecideFunctionArn", "RetuneApplyFunctionArn", "RetunePublishFunctionArn", "RetuneTurnFunctionArn",
		"RetuneAgainFunctionArn", "RetuneCompareFunctionArn",
	} {
		text = strings.ReplaceAll(text, w.output(t, key), function)
	}
	made, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("flaky-" + machine), Definition: &text, RoleArn: deployed.RoleArn,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.StateMachineArn
}

func buildFlaky(t *testing.T) []byte {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, "./testdata/flaky")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Store}
	header.SetMode(0o755)
	file, err := writer.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

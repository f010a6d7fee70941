package consumer

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table of settings to docs/worker-contract.md")

func fromMap(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func TestFromEnvironment(t *testing.T) {
	e, err := FromEnvironment(fromMap(map[string]string{
		"QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/jobs", "QUEUE_NAME": "j", "DEAD_LETTER_QUEUE_URL": " ",
		"WORKER_CONCURRENCY": "7", "VISIBILITY_TIMEOUT_SECONDS": "45", "STOP_TIMEOUT_SECONDS": "1.5",
		"PROTECTION_SPELL_SECONDS": "60", "ACCEPTABLE_DELAY_SECONDS": "0.25", "METRIC_NAMESPACE": "N",
		"METRIC_TYPE": "T", "METRIC_PERIOD_SECONDS": "2", "WORKER_VERSION": "v", "LOG_LEVEL": "debug",
		"ECS_AGENT_URI": "http://169.254.170.2/api/x", "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	c := e.Config
	if c.Concurrency != 7 || c.VisibilityTimeout != 45*time.Second || c.StopTimeout != 1500*time.Millisecond ||
		c.ProtectionSpell != time.Minute || c.AcceptableDelay != 250*time.Millisecond ||
		c.MetricPeriod != 2*time.Second || c.MetricNamespace != "N" || c.MetricType != "T" ||
		c.Version != "v" || c.QueueName != "j" ||
		c.DeadLetterQueueURL != "" || e.LogLevel.String() != "DEBUG" || e.AgentURI == "" || e.MetadataURI == "" {
		t.Errorf("%+v", e)
	}
}

func TestFromEnvironmentNamesEveryFaultAtOnce(t *testing.T) {
	bad := map[string]string{
		"QUEUE_URL": "jobs", "DEAD_LETTER_QUEUE_URL": "ftp://x/y", "WORKER_CONCURRENCY": "0",
		"VISIBILITY_TIMEOUT_SECONDS": "1.5", "STOP_TIMEOUT_SECONDS": "-3", "PROTECTION_SPELL_SECONDS": "NaN",
		"ACCEPTABLE_DELAY_SECONDS": "soon", "METRIC_PERIOD_SECONDS": "1e-12", "LOG_LEVEL": "LOUD",
	}
	_, err := FromEnvironment(fromMap(bad))
	if err == nil {
		t.Fatal("no error")
	}
	for name, value := range bad {
		if want := name + `="` + value + `"`; !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in the error:\n%v", want, err)
		}
	}
	if _, err := FromEnvironment(fromMap(nil)); err == nil || !strings.Contains(err.Error(), "QUEUE_URL is missing") {
		t.Errorf("empty environment: %v", err)
	}
	_, err = FromEnvironment(fromMap(map[string]string{
		"QUEUE_URL": "http://h/1/a", "DEAD_LETTER_QUEUE_URL": "http://h/1/a.fifo",
	}))
	if err == nil || !strings.Contains(err.Error(), "DEAD_LETTER_QUEUE_URL") {
		t.Errorf("FIFO dead-letter queue of a standard queue: %v", err)
	}
}

func TestEveryVariableHasAMeaning(t *testing.T) {
	seen := make(map[string]bool)
	for _, v := range Variables() {
		if v.Meaning == "" || seen[v.Name] {
			t.Errorf("%+v has no meaning or is there twice", v)
		}
		seen[v.Name] = true
	}
}

// The defaults that the table tells are those that the code has.
func TestToldDefaultsAreReal(t *testing.T) {
	defaults := Config{QueueURL: "http://h/1/q"}.withDefaults()
	told := make(map[string]string)
	for _, v := range Variables() {
		if v.set != nil && !strings.Contains(v.Default, " ") {
			told[v.Name] = v.Default
		}
	}
	told["QUEUE_URL"] = "http://h/1/q"
	e, err := FromEnvironment(fromMap(told))
	if err != nil {
		t.Fatal(err)
	}
	got := e.withDefaults()
	got.HealthSocket, got.Log, defaults.Log = "", nil, nil
	if !reflect.DeepEqual(got, defaults) {
		t.Errorf("told %+v\nreal %+v", got, defaults)
	}
}

func TestContainersOfOneNetworkHaveDifferentSockets(t *testing.T) {
	a, b := defaultSocket("http://169.254.170.2/v4/a", "q"), defaultSocket("http://169.254.170.2/v4/b", "q")
	if a == b || a != defaultSocket("http://169.254.170.2/v4/a", "other") {
		t.Errorf("sockets %q and %q", a, b)
	}
}

const contractFile = "../../docs/worker-contract.md"

// The table of settings in docs/worker-contract.md is made from the code; -update writes it.
func TestTheTableOfSettingsIsNotStale(t *testing.T) {
	const begin, end = "<!-- settings: made by go test ./internal/consumer -update -->\n", "<!-- end of settings -->"
	var table strings.Builder
	table.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range Variables() {
		table.WriteString("| `" + v.Name + "` | " + v.Default + " | " + v.Meaning + " |\n")
	}
	file, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(file), begin)
	if !found {
		t.Fatalf("%s has no line %q", contractFile, begin)
	}
	old, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no line %q", contractFile, end)
	}
	if old == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the table of settings in %s is stale: run go test ./internal/consumer -update", contractFile)
	}
	if err := os.WriteFile(contractFile, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

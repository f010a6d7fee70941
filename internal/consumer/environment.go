package consumer

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Variable is one setting in the environment of a worker.
type Variable struct {
	Name    string
	Default string // blank: required, or none
	Meaning string // with unit and range

	set func(*Environment, string) error // nil: read by someone else
}

// An Environment is the configuration that a worker found in its environment.
type Environment struct {
	Config
	AgentURI    string     // of the ECS agent, blank where there is none
	MetadataURI string     // of the container
	LogLevel    slog.Level // of what is worth logging
}

// Variables lists every setting, in the order in which people want to read about them.
func Variables() []Variable { return append([]Variable(nil), variables...) }

var variables = []Variable{
	{"QUEUE_URL", "", "URL of the queue to work on; required. A name that ends in `.fifo` is a FIFO queue.",
		func(e *Environment, s string) error { return setURL(&e.QueueURL, s) }},
	{"QUEUE_NAME", "last part of QUEUE_URL", "Value of the metrics' dimension `QueueName`.",
		func(e *Environment, s string) error { e.QueueName = s; return nil }},
	{"DEAD_LETTER_QUEUE_URL", "", "URL of the queue for messages that can never succeed. " +
		"Without it they are left to the redrive policy.",
		func(e *Environment, s string) error { return setURL(&e.DeadLetterQueueURL, s) }},
	{"WORKER_CONCURRENCY", "1", "Messages in hand at once, 1 to 1000.",
		func(e *Environment, s string) error { return setInt(&e.Concurrency, s, 1, 1000) }},
	{"VISIBILITY_TIMEOUT_SECONDS", "120", "Lease on a message, extended while the work lasts: " +
		"a whole number of seconds, 2 to 43200.",
		func(e *Environment, s string) error { return setLease(&e.VisibilityTimeout, s) }},
	{"STOP_TIMEOUT_SECONDS", "120", "Seconds between SIGTERM and SIGKILL: `stopTimeout` of the container.",
		func(e *Environment, s string) error { return setSeconds(&e.StopTimeout, s) }},
	{"PROTECTION_SPELL_SECONDS", "600", "Longest protection from scale-in in one go, in seconds.",
		func(e *Environment, s string) error { return setSeconds(&e.ProtectionSpell, s) }},
	{"ACCEPTABLE_DELAY_SECONDS", "60", "The promise: seconds that a message may wait.",
		func(e *Environment, s string) error { return setSeconds(&e.AcceptableDelay, s) }},
	{"METRIC_NAMESPACE", "ECS-SQS-BPI", "CloudWatch namespace of the metrics.",
		func(e *Environment, s string) error { e.MetricNamespace = s; return nil }},
	{"METRIC_TYPE", "Single-Queue", "Value of the metrics' dimension `Type`.",
		func(e *Environment, s string) error { e.MetricType = s; return nil }},
	{"METRIC_PERIOD_SECONDS", "60", "Length of a datapoint and time between calls to CloudWatch, in seconds.",
		func(e *Environment, s string) error { return setSeconds(&e.MetricPeriod, s) }},
	{"WORKER_VERSION", "", "What canaries are answered with.",
		func(e *Environment, s string) error { e.Version = s; return nil }},
	{"HEALTH_SOCKET", "made from the container's identity", "Unix socket for `-health`; `@name` is an abstract one.",
		func(e *Environment, s string) error { e.HealthSocket = s; return nil }},
	{"LOG_LEVEL", "INFO", "DEBUG, INFO, WARN or ERROR.",
		func(e *Environment, s string) error { return e.LogLevel.UnmarshalText([]byte(s)) }},
	{"ECS_AGENT_URI", "", "Set by ECS: where the task asks for protection from scale-in. Without it there is none.",
		func(e *Environment, s string) error { return setURL(&e.AgentURI, s) }},
	{"ECS_CONTAINER_METADATA_URI_V4", "", "Set by ECS: where a canary's answer gets task id and image digest from.",
		func(e *Environment, s string) error { return setURL(&e.MetadataURI, s) }},
	{"AWS_REGION", "", "Set by ECS, read by the AWS SDK, like AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.", nil},
	{"AWS_ENDPOINT_URL", "", "Read by the AWS SDK: another endpoint than AWS's own.", nil},
}

// FromEnvironment reads a worker's configuration through getenv, which is usually [os.Getenv]. A variable that is
// blank is as good as absent. The error names everything that is wrong, not only the first.
func FromEnvironment(getenv func(string) string) (Environment, error) {
	var e Environment
	var faults []error
	for _, v := range variables {
		value := strings.TrimSpace(getenv(v.Name))
		if value == "" || v.set == nil {
			continue
		}
		if err := v.set(&e, value); err != nil {
			faults = append(faults, fmt.Errorf("%s=%q: %w", v.Name, value, err))
		}
	}
	if strings.TrimSpace(getenv("QUEUE_URL")) == "" {
		faults = append(faults, errors.New("QUEUE_URL is missing: give the URL of the queue to work on"))
	}
	if d := e.DeadLetterQueueURL; d != "" && e.QueueURL != "" && (fifo(d) != fifo(e.QueueURL) || d == e.QueueURL) {
		faults = append(faults, fmt.Errorf("DEAD_LETTER_QUEUE_URL=%q: must be another queue than QUEUE_URL=%q, "+
			"and FIFO if and only if that is", d, e.QueueURL))
	}
	if e.HealthSocket == "" {
		e.HealthSocket = defaultSocket(e.MetadataURI, e.QueueURL)
	}
	return e, errors.Join(faults...)
}

// defaultSocket names a socket that worker and health check of one container agree on, and no two containers share,
// even where they share a network. On Linux it is an abstract one, which needs no writable file system.
func defaultSocket(metadataURI, queueURL string) string {
	identity := metadataURI
	if identity == "" {
		identity = queueURL
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(identity))
	name := fmt.Sprintf("worker-health-%016x", h.Sum64())
	if runtime.GOOS == "linux" {
		return "@" + name
	}
	return filepath.Join(os.TempDir(), name)
}

func setURL(field *string, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("not an http or https URL")
	}
	*field = s
	return nil
}

func setInt(field *int, s string, least, most int) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return fmt.Errorf("not a whole number between %d and %d", least, most)
	}
	*field = n
	return nil
}

// setSeconds reads a decimal number of seconds; fractions are allowed.
func setSeconds(field *time.Duration, s string) error {
	const most = 365 * 24 * 3600
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || n > most || time.Duration(n*float64(time.Second)) <= 0 {
		return fmt.Errorf("not a number of seconds more than 0 and at most %d", most)
	}
	*field = time.Duration(n * float64(time.Second))
	return nil
}

func setLease(field *time.Duration, s string) error {
	var n int
	if err := setInt(&n, s, 2, int(maxVisibility/time.Second)); err != nil {
		return err
	}
	*field = time.Duration(n) * time.Second
	return nil
}

package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Evidence says how well an assumption is founded.
type Evidence = tracking.Evidence

// Levels of evidence: those of package tracking, and one more.
const (
	Documented          = tracking.Documented
	Observed            = tracking.Observed
	Inferred            = tracking.Inferred
	Unknown             = tracking.Unknown
	Chosen     Evidence = "SET" // a setting of this project or of your system, not a fact about AWS
)

// Assumption describes one field of Assumptions: how to name it, and how well it is known.
type Assumption struct {
	Name     string // in an assumption file and after -assume
	Unit     string // s, %, USD ...; empty: none
	Evidence Evidence
	Meaning  string
	Source   string

	field   func(*Assumptions) any // pointer to the field
	least   float64                // of a number, in its unit
	most    float64                // of a number; 0: no limit
	allowed []string               // of a word
}

// Catalogue lists every assumption. An assumption file is a JSON object with any of these names: numbers (durations in
// seconds), true or false, or one of the words in the description.
func Catalogue() []Assumption {
	return slices.Concat(trackingCatalogue(), metricCatalogue(), workerCatalogue(), costCatalogue())
}

const noSource = "no source found"

// trackingCatalogue names the assumptions of package tracking, which knows how well they are known.
func trackingCatalogue() []Assumption {
	all := []Assumption{
		{Name: "period", Unit: "s", Meaning: "length of a metric's datapoint", least: 1,
			field: func(a *Assumptions) any { return &a.Tracking.Period }},
		{Name: "evaluationOffset", Unit: "s", Meaning: "alarms are evaluated this long after a full period",
			field: func(a *Assumptions) any { return &a.Tracking.EvaluationOffset }},
		{Name: "publicationDelay", Unit: "s",
			Meaning: "a datapoint is readable this long after its period, unless its metric has a delay of its own",
			field:   func(a *Assumptions) any { return &a.Tracking.PublicationDelay }},
		{
			Name:    "alarmLag",
			Unit:    "s",
			Meaning: "a datapoint enters a scaling decision this much later than it is readable",
			field:   func(a *Assumptions) any { return &a.Tracking.AlarmLag },
		},
		{Name: "highPeriods", Meaning: "periods that AlarmHigh looks at", least: 1,
			field: func(a *Assumptions) any { return &a.Tracking.HighPeriods }},
		{Name: "highDatapoints", Meaning: "datapoints above the target that AlarmHigh needs", least: 1,
			field: func(a *Assumptions) any { return &a.Tracking.HighDatapoints }},
		{Name: "lowPeriods", Meaning: "periods that AlarmLow looks at", least: 1,
			field: func(a *Assumptions) any { return &a.Tracking.LowPeriods }},
		{Name: "lowDatapoints", Meaning: "low datapoints that AlarmLow needs", least: 1,
			field: func(a *Assumptions) any { return &a.Tracking.LowDatapoints }},
		{Name: "lowRatio", Meaning: "share of the target below which a datapoint is low", most: 1,
			field: func(a *Assumptions) any { return &a.Tracking.LowRatio }},
		{Name: "extraDatapoints", Meaning: "datapoints that an alarm reads beyond those it needs",
			field: func(a *Assumptions) any { return &a.Tracking.ExtraDatapoints }},
		{Name: "dropUnpaired", Meaning: "metric math drops a datapoint that only one of two series has",
			field: func(a *Assumptions) any { return &a.Tracking.DropUnpaired }},
		{
			Name:    "datapoint",
			Meaning: "which datapoint enters the decision: newest, average, nearest (to the threshold)",
			allowed: []string{string(tracking.Newest), string(tracking.Average), string(tracking.Nearest)},
			field:   func(a *Assumptions) any { return (*string)(&a.Tracking.Datapoint) },
		},
		{
			Name:    "scaleInPace",
			Meaning: "how much a scale-in removes: proportional, one-at-a-time. It changes results most",
			allowed: []string{string(tracking.Proportional), string(tracking.OneAtATime)},
			field:   func(a *Assumptions) any { return (*string)(&a.Tracking.ScaleInPace) },
		},
		{Name: "scaleOutCooldown", Unit: "s", Meaning: "cooldown of a policy that names none",
			field: func(a *Assumptions) any { return &a.Tracking.ScaleOutCooldown }},
		{Name: "scaleInCooldown", Unit: "s", Meaning: "cooldown of a policy that names none",
			field: func(a *Assumptions) any { return &a.Tracking.ScaleInCooldown }},
		{Name: "cooldownStart", Meaning: "a cooldown counts from: decision, completion",
			allowed: []string{string(tracking.FromDecision), string(tracking.FromCompletion)},
			field:   func(a *Assumptions) any { return (*string)(&a.Tracking.CooldownStart) }},
		{
			Name:    "cooldownScope",
			Meaning: "whose scaling a cooldown holds back: policy (its own), target (all policies')",
			allowed: []string{string(tracking.PerPolicy), string(tracking.PerTarget)},
			field:   func(a *Assumptions) any { return (*string)(&a.Tracking.CooldownScope) },
		},
		{Name: "cooldownProlonged", Meaning: "a larger scale-out within a cooldown begins it anew",
			field: func(a *Assumptions) any { return &a.Tracking.CooldownProlonged }},
		{Name: "cooldownBasis", Meaning: "a scale-out within a cooldown starts from: before-scale-out, running",
			allowed: []string{string(tracking.BeforeScaleOut), string(tracking.RunningCount)},
			field:   func(a *Assumptions) any { return (*string)(&a.Tracking.CooldownBasis) }},
		{Name: "zeroDatapoints", Meaning: "datapoints above the target that leave zero tasks", least: 1,
			field: func(a *Assumptions) any { return &a.Tracking.ZeroDatapoints }},
		{Name: "putRecreatesAlarms", Meaning: "PutScalingPolicy makes the alarms anew",
			field: func(a *Assumptions) any { return &a.Tracking.PutRecreatesAlarms }},
		{Name: "putResetsCooldown", Meaning: "PutScalingPolicy ends running cooldowns",
			field: func(a *Assumptions) any { return &a.Tracking.PutResetsCooldown }},
	}
	for i := range all {
		for _, known := range tracking.Catalogue() {
			if strings.EqualFold(known.Field, all[i].Name) {
				all[i].Evidence, all[i].Source = known.Evidence, known.Source
			}
		}
	}
	return all
}

func metricCatalogue() []Assumption {
	return []Assumption{
		{Name: "sqsDelay", Unit: "s", Evidence: Unknown, least: -1,
			Meaning: "publication delay of AWS/SQS metrics; -1: publicationDelay",
			Source:  noSource, field: func(a *Assumptions) any { return &a.SQSDelay }},
		{
			Name:     "taskDelay",
			Unit:     "s",
			Evidence: Unknown,
			least:    -1,
			Meaning:  "publication delay of task counts and CPU; -1: publicationDelay",
			Source:   "Container Insights are said to be later than AWS/SQS",
			field:    func(a *Assumptions) any { return &a.TaskDelay },
		},
		{Name: "workerDelay", Unit: "s", Evidence: Inferred, least: -1,
			Meaning: "publication delay of the worker's metrics; -1: publicationDelay",
			Source:  "the worker sends once a period", field: func(a *Assumptions) any { return &a.WorkerDelay }},
		{
			Name:     "sampling",
			Evidence: Unknown,
			Meaning:  "how counts become datapoints: mean (over the period), end (of it)",
			Source:   noSource,
			allowed:  []string{string(Mean), string(AtEnd)},
			field:    func(a *Assumptions) any { return (*string)(&a.Sampling) },
		},
		{
			Name:     "staleness",
			Unit:     "s",
			Evidence: Documented,
			Meaning:  "age of the counts that GetQueueAttributes answers",
			Source:   "SQS: eventually consistent, about 1 minute; 0 to 60 are possible",
			field:    func(a *Assumptions) any { return &a.Staleness },
		},
		{
			Name:     "countNoise",
			Evidence: Unknown,
			most:     1,
			Meaning:  "share by which the counts of GetQueueAttributes are wrong at most, up or down",
			Source:   "they are called approximate; no figure known",
			field:    func(a *Assumptions) any { return &a.CountNoise },
		},
		{
			Name:     "countZeros",
			Evidence: Unknown,
			most:     1,
			Meaning:  "share of the looks at which GetQueueAttributes answers zero",
			Source:   noSource,
			field:    func(a *Assumptions) any { return &a.CountZeros },
		},
		{
			Name:     "transientReadings",
			Evidence: Observed,
			most:     1,
			Meaning:  "share of periods in which an empty queue reads as transientCount",
			Source:   "seen on empty queues; no rate known",
			field:    func(a *Assumptions) any { return &a.TransientReadings },
		},
		{Name: "transientCount", Unit: "messages", Evidence: Unknown, Meaning: "what an empty queue then reads as",
			Source: noSource, field: func(a *Assumptions) any { return &a.TransientCount }},
	}
}

func workerCatalogue() []Assumption {
	return []Assumption{
		{
			Name:     "startUp",
			Unit:     "s",
			Evidence: Observed,
			Meaning:  "mean time from a task's launch until it takes messages",
			Source:   "20-70 s measured by others, by image size and registry",
			field:    func(a *Assumptions) any { return &a.StartUp },
		},
		{
			Name:     "startUpCV",
			Evidence: Chosen,
			Meaning:  "its coefficient of variation (lognormal)",
			Source:   noSource,
			most:     5,
			field:    func(a *Assumptions) any { return &a.StartUpCV },
		},
		{
			Name:     "stopTimeout",
			Unit:     "s",
			Evidence: Chosen,
			Meaning:  "time between SIGTERM and SIGKILL",
			Source:   "task definition; Fargate allows at most 120",
			field:    func(a *Assumptions) any { return &a.StopTimeout },
		},
		{Name: "drains", Evidence: Chosen, Meaning: "on SIGTERM the worker finishes what it has and takes no more",
			Source: "this project's worker", field: func(a *Assumptions) any { return &a.Drains }},
		{
			Name:     "protection",
			Evidence: Chosen,
			Meaning:  "a task is protected while a message takes longer than stopTimeout",
			Source:   "this project's worker",
			field:    func(a *Assumptions) any { return &a.Protection },
		},
		{
			Name:     "protectionSpell",
			Unit:     "s",
			Evidence: Chosen,
			Meaning:  "a protected task takes no more after this long",
			Source:   "this project's worker",
			field:    func(a *Assumptions) any { return &a.ProtectionSpell },
		},
		{Name: "victim", Evidence: Unknown, Meaning: "which running task a scale-in stops first: newest, oldest",
			Source: noSource, allowed: []string{string(Newest), string(Oldest)},
			field: func(a *Assumptions) any { return (*string)(&a.Victim) }},
		{
			Name:     "visibilityTimeout",
			Unit:     "s",
			Evidence: Chosen,
			Meaning:  "a message not deleted is visible again after this",
			Source:   "the queue",
			least:    1,
			field:    func(a *Assumptions) any { return &a.VisibilityTimeout },
		},
		{Name: "heartbeat", Evidence: Chosen, Meaning: "the worker extends the visibility of what it works on",
			Source: "this project's worker", field: func(a *Assumptions) any { return &a.Heartbeat }},
		{Name: "busyCPU", Unit: "%", Evidence: Chosen, Meaning: "CPU utilisation of a task that is fully busy",
			Source: "your worker; 100 is a job that computes, which suits policies on CPU best", most: 100,
			field: func(a *Assumptions) any { return &a.BusyCPU }},
		{
			Name:     "spotLife",
			Unit:     "s",
			Evidence: Unknown,
			Meaning:  "mean time until Spot takes a task back",
			Source:   noSource,
			least:    60,
			field:    func(a *Assumptions) any { return &a.SpotLife },
		},
		{Name: "spotWarning", Unit: "s", Evidence: Documented, Meaning: "warning before Spot takes a task back",
			Source: "Fargate Spot: 2 minutes", field: func(a *Assumptions) any { return &a.SpotWarning }},
		{
			Name:     "spotShare",
			Evidence: Chosen,
			Meaning:  "share of tasks on Fargate Spot",
			Source:   "SpotShare / 100",
			most:     1,
			field:    func(a *Assumptions) any { return &a.SpotShare },
		},
	}
}

func costCatalogue() []Assumption {
	const prices = "Fargate prices, us-east-1, x86"
	return []Assumption{
		{Name: "vcpuHour", Unit: "USD", Evidence: Documented, Meaning: "price of a vCPU for an hour", Source: prices,
			field: func(a *Assumptions) any { return &a.Prices.VCPUHour }},
		{Name: "gbHour", Unit: "USD", Evidence: Documented, Meaning: "price of a GB for an hour", Source: prices,
			field: func(a *Assumptions) any { return &a.Prices.GBHour }},
		{
			Name:     "spotDiscount",
			Evidence: Observed,
			Meaning:  "share that Spot is cheaper",
			Source:   "about 70 % off",
			most:     1,
			field:    func(a *Assumptions) any { return &a.Prices.SpotDiscount },
		},
		{
			Name:     "leastBilled",
			Unit:     "s",
			Evidence: Documented,
			Meaning:  "least time that a task is billed for",
			Source:   "Fargate: per second, 1 minute at least",
			field:    func(a *Assumptions) any { return &a.Prices.LeastBilled },
		},
		{Name: "taskVCPU", Evidence: Chosen, Meaning: "vCPUs of a task", Source: "TaskCpu / 1024",
			field: func(a *Assumptions) any { return &a.Prices.TaskVCPU }},
		{Name: "taskGB", Unit: "GB", Evidence: Chosen, Meaning: "memory of a task", Source: "TaskMemory / 1024",
			field: func(a *Assumptions) any { return &a.Prices.TaskGB }},
	}
}

// Value is the assumption's value in a: a float64 (durations in seconds), bool or string.
func (k Assumption) Value(a Assumptions) any {
	switch field := k.field(&a).(type) {
	case *time.Duration:
		return field.Seconds()
	case *float64:
		return *field
	case *int:
		return float64(*field)
	case *bool:
		return *field
	case *string:
		return *field
	default:
		panic(fmt.Sprintf("assumption %s has a field of type %T", k.Name, field))
	}
}

func (k Assumption) set(a *Assumptions, value any) error {
	number, isNumber := value.(float64)
	word, isWord := value.(string)
	truth, isTruth := value.(bool)
	switch field := k.field(a).(type) {
	case *time.Duration:
		*field = time.Duration(number * float64(time.Second))
		return k.want(isNumber, "a number of seconds", value)
	case *float64:
		*field = number
		return k.want(isNumber, "a number", value)
	case *int:
		*field = int(number)
		return k.want(isNumber && number == float64(int(number)), "a whole number", value)
	case *bool:
		*field = truth
		return k.want(isTruth, "true or false", value)
	case *string:
		*field = word
		return k.want(isWord, "a word", value)
	}
	return nil
}

func (k Assumption) want(ok bool, kind string, value any) error {
	if !ok {
		return fmt.Errorf("assumption %s is %v; it must be %s", k.Name, value, kind)
	}
	return nil
}

// check holds the value against its range.
func (k Assumption) check(a *Assumptions) error {
	switch value := k.Value(*a).(type) {
	case float64:
		if value < k.least {
			return fmt.Errorf("assumption %s is %v %s; it must be at least %v", k.Name, value, k.Unit, k.least)
		}
		if k.most > 0 && value > k.most {
			return fmt.Errorf("assumption %s is %v %s; it must be at most %v", k.Name, value, k.Unit, k.most)
		}
	case string:
		if !slices.Contains(k.allowed, value) {
			return fmt.Errorf(
				"assumption %s is %q; it must be one of %s",
				k.Name,
				value,
				strings.Join(k.allowed, ", "),
			)
		}
	}
	return nil
}

// Set changes the assumption of that name to a value as written on a command line.
func (a *Assumptions) Set(name, value string) error {
	return a.assign(name, parsed(value))
}

func parsed(value string) any {
	if number, err := strconv.ParseFloat(value, 64); err == nil {
		return number
	}
	if truth, err := strconv.ParseBool(value); err == nil {
		return truth
	}
	return value
}

func (a *Assumptions) assign(name string, value any) error {
	known := Catalogue()
	at := slices.IndexFunc(known, func(k Assumption) bool { return k.Name == name })
	if at < 0 {
		return fmt.Errorf("there is no assumption %q; there are %s", name, strings.Join(names(known), ", "))
	}
	if err := known[at].set(a, value); err != nil {
		return err
	}
	return known[at].check(a)
}

func names(known []Assumption) []string {
	all := make([]string, len(known))
	for i, k := range known {
		all[i] = k.Name
	}
	slices.Sort(all)
	return all
}

// Read changes the assumptions to what an assumption file says; what it does not name stays.
func (a *Assumptions) Read(r io.Reader) error {
	var values map[string]any
	decoder := json.NewDecoder(r)
	if err := decoder.Decode(&values); err != nil {
		return fmt.Errorf(
			"assumption file: %w; it is a JSON object such as {\"startUp\": 45, \"scaleInPace\": \"proportional\"}",
			err,
		)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := a.assign(name, values[name]); err != nil {
			return err
		}
	}
	return a.Validate()
}

// MarshalJSON writes a complete assumption file, in the order of the catalogue.
func (a Assumptions) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, k := range Catalogue() {
		if i > 0 {
			out.WriteByte(',')
		}
		value, err := json.Marshal(k.Value(a))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%q:%s", k.Name, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

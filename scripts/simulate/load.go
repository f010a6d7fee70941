package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/trace"
)

// loadSpec describes a load on the command line.
type loadSpec struct {
	name      string
	rate      float64 // messages a minute
	busy      float64 // slots busy on average
	length    time.Duration
	durations string
	drift     string
	groups    int
}

func (l *loadSpec) register(flags *flag.FlagSet) {
	flags.StringVar(
		&l.name,
		"load",
		"blueprint",
		"blueprint (a burst each minute), constant, poisson, diurnal[:swing], "+
			"onoff:on,off, an embedded trace ("+strings.Join(trace.Names(), ", ")+"), or a CSV file with the columns "+
			strings.Join(trace.Header, ",")+" or "+strings.Join(requestHeader, ","),
	)
	flags.Float64Var(&l.rate, "rate", 0, "messages a minute on average (default 50; for a trace: as it is)")
	flags.Float64Var(&l.busy, "busy", 0, "instead of -rate: messages that are being worked on at a time on average")
	flags.DurationVar(
		&l.length,
		"length",
		0,
		"length of the load (default 24h, for a trace its own); a trace is repeated",
	)
	flags.StringVar(
		&l.durations,
		"durations",
		"fixed:5",
		"fixed:SECONDS, lognormal:MEAN,CV, or empirical:FILE (a duration in seconds a line)",
	)
	flags.StringVar(&l.drift, "drift", "", "factors on the durations over time, straight lines between: 8h=1,16h=3")
	flags.IntVar(&l.groups, "groups", 0, "message groups of a FIFO queue; 0 is a standard queue")
}

// requestHeader is the first line of a file of single requests.
var requestHeader = []string{"offset_s", "duration_s"}

// mostMessages is what a load may have: 50 million take 2 GB of memory and half a minute a policy.
const mostMessages = 50e6

// validate reports the first flag that makes no sense.
func (l loadSpec) validate() error {
	positive := func(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
	switch {
	case !positive(l.rate):
		return fmt.Errorf("-rate %v: messages a minute, above 0", l.rate)
	case !positive(l.busy):
		return fmt.Errorf("-busy %v: messages being worked on at a time, above 0", l.busy)
	case l.rate > 0 && l.busy > 0:
		return errors.New("-rate and -busy say the same in two ways: give one")
	case l.length < 0:
		return fmt.Errorf("-length %v: a duration above 0", l.length)
	case l.groups < 0 || l.groups > math.MaxInt32:
		return fmt.Errorf("-groups %d: 0 for a standard queue, or the message groups of a FIFO queue", l.groups)
	}
	return nil
}

// build makes the load.
func (l loadSpec) build(seed uint64) (*simulation.Load, error) {
	if load, err := l.requests(); load != nil || err != nil {
		return load, err
	}
	durations, mean, err := l.parseDurations()
	if err != nil {
		return nil, err
	}
	rate := l.rate
	if l.busy > 0 {
		rate = l.busy * 60 / mean.Seconds()
	}
	arrivals, length, err := l.arrivals(rate)
	if err != nil {
		return nil, err
	}
	if expected := rate * length.Minutes(); !(expected <= mostMessages) {
		return nil, fmt.Errorf("the load would have %.3g messages; at most %.0f can be simulated: lower -rate, -busy "+
			"or -length", expected, mostMessages)
	}
	load, err := simulation.NewLoad(filepath.Base(l.name), length, arrivals, durations, seed)
	if err != nil || l.groups == 0 {
		return load, err
	}
	return load.Grouped(l.groups, seed), nil
}

// arrivals parses the kind of load.
func (l loadSpec) arrivals(rate float64) (simulation.Arrivals, time.Duration, error) {
	kind, argument, _ := strings.Cut(l.name, ":")
	length, perMinute := l.length, rate
	if length == 0 {
		length = 24 * time.Hour
	}
	if perMinute == 0 {
		perMinute = 50
	}
	switch kind {
	case "blueprint":
		return simulation.Burst(int(perMinute+0.5), time.Minute), length, nil
	case "constant":
		return simulation.Constant(perMinute), length, nil
	case "poisson":
		return simulation.Poisson(perMinute), length, nil
	case "diurnal":
		swing, err := strconv.ParseFloat(orElse(argument, "0.5"), 64)
		if err != nil || swing < 0 || swing > 1 {
			return nil, 0, fmt.Errorf("-load %s: the swing is a number from 0 to 1", l.name)
		}
		return simulation.Diurnal(perMinute, swing, 24*time.Hour), length, nil
	case "onoff":
		return onOff(argument, perMinute, length)
	}
	return l.fromTrace(rate)
}

func onOff(argument string, perMinute float64, length time.Duration) (simulation.Arrivals, time.Duration, error) {
	first, second, _ := strings.Cut(argument, ",")
	on, err := time.ParseDuration(first)
	off, err2 := time.ParseDuration(second)
	if err != nil || err2 != nil || on <= 0 || off < 0 {
		return nil, 0, fmt.Errorf("-load onoff:%s: give two durations, such as onoff:10m,20m", argument)
	}
	return simulation.OnOff(perMinute*float64(on+off)/float64(on), on, off), length, nil
}

func (l loadSpec) fromTrace(rate float64) (simulation.Arrivals, time.Duration, error) {
	t, err := trace.Open(l.name)
	if err != nil {
		return nil, 0, err
	}
	if rate > 0 {
		t = t.ScaleTo(rate)
	}
	length := l.length
	if length == 0 {
		length = t.Length()
	}
	return simulation.FromTrace(t), length, nil
}

// parseDurations returns the durations and their mean at the factor 1.
func (l loadSpec) parseDurations() (simulation.Durations, time.Duration, error) {
	kind, argument, _ := strings.Cut(l.durations, ":")
	var durations simulation.Durations
	var mean time.Duration
	switch kind {
	case "fixed":
		seconds, err := strconv.ParseFloat(argument, 64)
		if err != nil || seconds <= 0 {
			return nil, 0, fmt.Errorf("-durations %s: a number of seconds above 0", l.durations)
		}
		mean = inSeconds(seconds)
		durations = simulation.Fixed(mean)
	case "lognormal":
		first, second, _ := strings.Cut(argument, ",")
		seconds, err := strconv.ParseFloat(first, 64)
		cv, err2 := strconv.ParseFloat(orElse(second, "0.5"), 64)
		if err != nil || err2 != nil || seconds <= 0 || cv < 0 {
			return nil, 0, fmt.Errorf("-durations %s: a mean in seconds and a coefficient of variation", l.durations)
		}
		mean = inSeconds(seconds)
		durations = simulation.Lognormal(mean, cv)
	case "empirical":
		measured, err := readDurations(argument)
		if err != nil {
			return nil, 0, err
		}
		for _, d := range measured {
			mean += d / time.Duration(len(measured))
		}
		durations = simulation.Empirical(measured)
	default:
		return nil, 0, fmt.Errorf("-durations %s: fixed:5, lognormal:5,0.5 or empirical:file", l.durations)
	}
	points, err := parseDrift(l.drift)
	if err != nil || len(points) == 0 {
		return durations, mean, err
	}
	return simulation.Drifting(durations, points), mean, nil
}

func parseDrift(text string) ([]simulation.DriftPoint, error) {
	if text == "" {
		return nil, nil
	}
	var points []simulation.DriftPoint
	for _, part := range strings.Split(text, ",") {
		moment, factor, _ := strings.Cut(part, "=")
		at, err := time.ParseDuration(moment)
		times, err2 := strconv.ParseFloat(factor, 64)
		if err != nil || err2 != nil || times <= 0 || len(points) > 0 && at <= points[len(points)-1].At {
			return nil, fmt.Errorf("-drift %q: ascending moments with factors, such as 8h=1,16h=3", text)
		}
		points = append(points, simulation.DriftPoint{At: at, Factor: times})
	}
	return points, nil
}

// requests reads a file of single requests. It returns nothing for anything else.
func (l loadSpec) requests() (*simulation.Load, error) {
	file, err := os.Open(l.name)
	if err != nil {
		return nil, nil // it is not a file: the name of a kind of load or of an embedded trace
	}
	defer file.Close()
	rows := csv.NewReader(bufio.NewReader(file))
	rows.FieldsPerRecord, rows.ReuseRecord = 2, true
	if head, err := rows.Read(); err != nil || !slices.Equal(head, requestHeader) {
		return nil, nil // a file of another kind, which says itself what is wrong with it
	}
	var at, work []time.Duration
	for {
		row, err := rows.Read()
		if err != nil {
			if len(row) == 0 && len(at) > 0 && strings.Contains(err.Error(), "EOF") {
				break
			}
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		offset, err := strconv.ParseFloat(row[0], 64)
		duration, err2 := strconv.ParseFloat(row[1], 64)
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("%s, line %d: %q is not two numbers of seconds", l.name, len(at)+2, row)
		}
		at, work = append(at, inSeconds(offset)), append(work, inSeconds(duration))
	}
	if problem := checkRequests(at, work); problem != "" {
		return nil, fmt.Errorf("%s, %s", l.name, problem)
	}
	return simulation.Requests(filepath.Base(l.name), at, work, l.length)
}

// checkRequests names the first line of a file of requests that cannot be.
func checkRequests(at, work []time.Duration) string {
	for i := range at {
		switch {
		case at[i] < 0 || i > 0 && at[i] < at[i-1]:
			return fmt.Sprintf("line %d: the offset %v; offsets must be 0 or more and ascend: sort the file",
				i+2, at[i])
		case work[i] <= 0:
			return fmt.Sprintf("line %d: the duration %v; it must be more than 0", i+2, work[i])
		}
	}
	return ""
}

func readDurations(path string) ([]time.Duration, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var measured []time.Duration
	for i, line := range strings.Fields(string(content)) {
		seconds, err := strconv.ParseFloat(line, 64)
		if err != nil || seconds <= 0 {
			return nil, fmt.Errorf("%s, value %d: %q is not a number of seconds above 0", path, i+1, line)
		}
		measured = append(measured, inSeconds(seconds))
	}
	if len(measured) == 0 {
		return nil, fmt.Errorf("%s holds no durations", path)
	}
	return measured, nil
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

package retune

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// LongestReplay is the longest history that a choice is made from: yesterday says more about today than last week.
const LongestReplay = 24 * time.Hour

// blockPeriods is over how many periods the durations of a history are averaged. The mean of a minute with two messages
// is chance; a drift that matters is seen in a quarter of an hour.
const blockPeriods = 15

// History is what arrived and how long it took, oldest first, for a replay. Each text holds numbers separated by
// spaces, so that a day of minutes is one line for a person; "-" is no data.
type History struct {
	PeriodSeconds int    `json:"periodSeconds"`
	Sent          string `json:"sent"` // messages that arrived in each period
	// Processing is the mean processing duration in seconds, one number for each 15 periods.
	Processing string `json:"processing"`
}

// readHistory reads arrivals and durations of the time before a moment. Durations from before processingFrom (zero:
// none) are left out, for another version of the worker ran then; what arrived does not depend on it. The history
// begins with the first arrival; without any it is nil.
func (m MetricSource) readHistory(ctx context.Context, client metricsReader, to time.Time, length, period time.Duration,
	processingFrom time.Time) (*History, error) {
	from := to.Add(-length).Truncate(period)
	whole := int32(period / time.Second)
	var wanted []types.MetricDataQuery
	for _, q := range m.queries(whole) {
		switch *q.Id {
		case arrivals, durationSum, durationCount:
			wanted = append(wanted, q)
		}
	}
	read, err := m.get(ctx, client, from, to, wanted)
	if err != nil {
		return nil, err
	}
	if len(read[arrivals]) == 0 {
		return nil, nil
	}
	from = read[arrivals][0].at
	periods := int(to.Sub(from) / period)
	sent := unknown(periods)
	for _, p := range read[arrivals] {
		if i := int(p.at.Sub(from) / period); i >= 0 && i < periods {
			sent[i] = p.value
		}
	}
	blocks := (periods + blockPeriods - 1) / blockPeriods
	sums, counts := make([]float64, blocks), make([]float64, blocks)
	add := func(into []float64, points []point) {
		for _, p := range points {
			if i := int(p.at.Sub(from) / (blockPeriods * period)); !p.at.Before(from) && i < blocks &&
				!p.at.Before(processingFrom) {
				into[i] += p.value
			}
		}
	}
	add(sums, read[durationSum])
	add(counts, read[durationCount])
	processing := unknown(blocks)
	for i, count := range counts {
		if count > 0 {
			processing[i] = sums[i] / count
		}
	}
	return &History{PeriodSeconds: int(whole), Sent: numbers(sent), Processing: numbers(processing)}, nil
}

func unknown(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// numbers writes values with four significant digits, and what is not known as "-".
func numbers(values []float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = "-"
		if !math.IsNaN(v) {
			words[i] = strconv.FormatFloat(v, 'g', 4, 64)
			if v >= 1000 {
				words[i] = strconv.FormatFloat(math.Round(v), 'f', 0, 64)
			}
		}
	}
	return strings.Join(words, " ")
}

// parseNumbers reads what numbers wrote.
func parseNumbers(name, text string) ([]float64, error) {
	words := strings.Fields(text)
	values := unknown(len(words))
	for i, word := range words {
		if word == "-" {
			continue
		}
		value, err := strconv.ParseFloat(word, 64)
		if err != nil || !(value >= 0) || math.IsInf(value, 1) {
			return nil, fmt.Errorf("the history's %s has %q at place %d; a number of at least 0 or \"-\" is allowed",
				name, word, i+1)
		}
		values[i] = value
	}
	return values, nil
}

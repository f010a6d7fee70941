package report

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
)

// SeriesCSV writes the values of each period of a run.
func SeriesCSV(w io.Writer, s *simulation.Series) error {
	out := csv.NewWriter(w)
	notes := s.NoteNames()
	head := []string{"offset_s", "visible", "in_flight", "running", "desired", "pending", "floor", "ceiling", "sent",
		"started", "in_time", "wait_mean_s", "wait_max_s", "processing_s"}
	if err := out.Write(append(head, notes...)); err != nil {
		return err
	}
	number := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', 6, 32) }
	count := func(v int32) string { return strconv.Itoa(int(v)) }
	for i := range s.Visible {
		row := []string{
			strconv.FormatFloat((time.Duration(i) * s.Period).Seconds(), 'g', -1, 64),
			number(
				s.Visible[i],
			),
			number(s.InFlight[i]),
			number(s.Running[i]),
			count(s.Desired[i]),
			count(s.Pending[i]),
			count(s.Floor[i]),
			count(s.Ceiling[i]),
			count(s.Sent[i]),
			count(s.Started[i]),
			count(s.InTime[i]),
			number(s.WaitMean[i]),
			number(s.WaitMax[i]),
			number(s.Work[i]),
		}
		for _, name := range notes {
			row = append(row, number(at(s.Notes[name], i)))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func at(values []float32, i int) float32 {
	if i < len(values) {
		return values[i]
	}
	return 0
}

// most points of a line in a picture: about as many as it has pixels.
const mostPoints = 760

// curve turns the values of a series into a line of at most mostPoints points, each standing for a bucket of periods.
type curve struct {
	period time.Duration
	unit   time.Duration // of the x axis
	from   int           // first period shown
	to     int
}

func (c curve) bucket() int { return max(1, (c.to-c.from+mostPoints-1)/mostPoints) }

func (c curve) points(value func(i int) float64, combine func(a, b float64) float64) (x, y []float64) {
	size := c.bucket()
	for start := c.from; start < c.to; start += size {
		sum := value(start)
		for i := start + 1; i < min(start+size, c.to); i++ {
			sum = combine(sum, value(i))
		}
		x = append(x, float64(time.Duration(start)*c.period)/float64(c.unit))
		y = append(y, sum)
	}
	return x, y
}

// mean is the mean of each bucket.
func (c curve) mean(value func(i int) float64) (x, y []float64) {
	x, y = c.points(value, func(a, b float64) float64 { return a + b })
	size := c.bucket()
	for k := range y {
		y[k] /= float64(min(size, c.to-c.from-k*size))
	}
	return x, y
}

// most is the largest value of each bucket, cut at a limit.
func (c curve) most(value func(i int) float64, limit float64) (x, y []float64) {
	return c.points(func(i int) float64 { return min(value(i), limit) }, math.Max)
}

func unitOf(length time.Duration) (time.Duration, string) {
	switch {
	case length >= 72*time.Hour:
		return 24 * time.Hour, "days"
	case length >= 4*time.Hour:
		return time.Hour, "hours"
	default:
		return time.Minute, "minutes"
	}
}

package autoscaling

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schedule tells when a scheduled action is due.
type schedule interface {
	// next returns the first moment after t, in the schedule's time zone; false when there is none.
	next(t time.Time) (time.Time, bool)
}

var scheduleForm = regexp.MustCompile(`^(at|rate|cron)\((.*)\)$`)

// parseSchedule reads at(yyyy-mm-ddThh:mm:ss), rate(n unit) and cron(minute hour day month weekday year). A rate
// counts from the given moment.
func parseSchedule(text string, zone *time.Location, from time.Time) (schedule, error) {
	m := scheduleForm.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("schedule %q is not of the form at(...), rate(...) or cron(...)", text)
	}
	switch m[1] {
	case "at":
		t, err := time.ParseInLocation("2006-01-02T15:04:05", m[2], zone)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %q is not of the form yyyy-mm-ddThh:mm:ss", text, m[2])
		}
		return once(t), nil
	case "rate":
		return parseRate(text, m[2], from)
	}
	return parseCron(text, m[2], zone)
}

// once is a schedule of a single moment.
type once time.Time

func (o once) next(t time.Time) (time.Time, bool) { return time.Time(o), time.Time(o).After(t) }

// repeated is a schedule with equal distances.
type repeated struct {
	from  time.Time
	every time.Duration
}

func (r repeated) next(t time.Time) (time.Time, bool) {
	if t.Before(r.from) {
		return r.from, true
	}
	return r.from.Add(t.Sub(r.from).Truncate(r.every) + r.every), true
}

func parseRate(text, body string, from time.Time) (schedule, error) {
	number, unit, _ := strings.Cut(body, " ")
	n, err := strconv.Atoi(number)
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	every, known := units[strings.TrimSuffix(unit, "s")]
	if err != nil || n < 1 || !known {
		return nil, fmt.Errorf("schedule %q: the rate must be a positive number and one of minute(s), hour(s), day(s)",
			text)
	}
	return repeated{from, time.Duration(n) * every}, nil
}

// cron is an AWS cron schedule: the sets of values that each field allows.
type cron struct {
	zone                              *time.Location
	minute, hour, day, month, weekday []int // weekday: 1 is Sunday
	year                              []int
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

func parseCron(text, body string, zone *time.Location) (schedule, error) {
	fields := strings.Fields(body)
	if len(fields) != 6 {
		return nil, fmt.Errorf("schedule %q: cron needs 6 fields (minute hour day month weekday year), not %d", text,
			len(fields))
	}
	c := cron{zone: zone}
	for i, f := range []struct {
		to        *[]int
		low, high int
		names     []string
	}{
		{&c.minute, 0, 59, nil}, {&c.hour, 0, 23, nil}, {&c.day, 1, 31, nil}, {&c.month, 1, 12, monthNames},
		{&c.weekday, 1, 7, weekdayNames}, {&c.year, 1970, 2199, nil},
	} {
		set, err := cronField(fields[i], f.low, f.high, f.names)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: field %d: %w", text, i+1, err)
		}
		*f.to = set
	}
	if (fields[2] == "?") == (fields[4] == "?") && fields[2] != "*" {
		return nil, fmt.Errorf("schedule %q: exactly one of day and weekday must be ?", text)
	}
	return c, nil
}

// cronField reads *, ?, numbers, names, a-b, a/b and lists of them. L, W and # are not supported.
func cronField(text string, low, high int, names []string) ([]int, error) {
	var set []int
	for _, part := range strings.Split(text, ",") {
		body, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%q is not a step", stepText)
			}
			step = n
		}
		from, to := low, high
		if body != "*" && body != "?" {
			a, b, isRange := strings.Cut(body, "-")
			var err error
			if from, err = cronValue(a, low, names); err != nil {
				return nil, err
			}
			if isRange {
				if to, err = cronValue(b, low, names); err != nil {
					return nil, err
				}
			} else if !stepped {
				to = from
			}
		}
		if from < low || to > high || from > to {
			return nil, fmt.Errorf("%q is outside of %d-%d", part, low, high)
		}
		for v := from; v <= to; v += step {
			set = append(set, v)
		}
	}
	return set, nil
}

func cronValue(text string, low int, names []string) (int, error) {
	if i := slices.Index(names, strings.ToUpper(text)); i >= 0 {
		return i + low, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a value of this field", text)
	}
	return n, nil
}

func (c cron) next(t time.Time) (time.Time, bool) {
	t = t.In(c.zone).Truncate(time.Minute).Add(time.Minute)
	for limit := t.AddDate(5, 0, 0); t.Before(limit); {
		switch {
		case !slices.Contains(c.year, t.Year()):
			t = time.Date(t.Year()+1, 1, 1, 0, 0, 0, 0, c.zone)
		case !slices.Contains(c.month, int(t.Month())):
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, c.zone)
		case !slices.Contains(c.day, t.Day()) || !slices.Contains(c.weekday, int(t.Weekday())+1):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.zone)
		case !slices.Contains(c.hour, t.Hour()):
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour()+1, 0, 0, 0, c.zone)
		case !slices.Contains(c.minute, t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

package main

import (
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// takesGiven are four minutes each: one with fixed bounds, one whose floor follows.
func takesGiven() []take {
	film := func(running []int, floor []int) (film []moment) {
		for i := range running {
			film = append(film, moment{at: time.Duration(i) * time.Minute, running: running[i], desired: running[i],
				bounds: tracking.Bounds{Min: floor[i], Max: 4}})
		}
		return film
	}
	waits := func(seconds ...int) sqswatch.Account {
		a := sqswatch.Account{Sent: len(seconds)}
		for _, s := range seconds {
			a.Waits = append(a.Waits, time.Duration(s)*time.Second)
		}
		return a
	}
	return []take{
		{name: "policies alone", messages: waits(1, 2, 6, 9), film: film([]int{1, 1, 2, 4}, []int{1, 1, 1, 1})},
		{name: "with the band", messages: waits(1, 2, 2, 3), film: film([]int{1, 3, 3, 2}, []int{1, 3, 2, 2})},
	}
}

func TestTakesAreSetSideBySide(t *testing.T) {
	w := &world{options: options{speed: 20}}
	want := strings.Join([]string{
		"the bursts              policies alone   with the band",
		"  started within 60 s   50.0 %           100.0 %",
		"  wait p50              120.0 s          40.0 s",
		"  wait p95              180.0 s          60.0 s",
		"  longest wait          180.0 s          60.0 s",
		"  messages              4                4",
		"  task-minutes          4                7",
		"  bounds moved          0 times          2 times",
		"",
	}, "\n")
	if got := w.burstTable(takesGiven()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	plot := plotTakes(terminal.NewLog(nil), takesGiven())
	if !strings.Contains(plot, "⠶ running, policies alone   ⠶ floor and ceiling   ⠶ running, with the band") {
		t.Errorf("the plot's legend is\n%s", plot)
	}
}

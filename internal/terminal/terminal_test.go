package terminal

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// liveScreen is a screen that redraws into the builder.
func liveScreen(out *strings.Builder, width int) *Screen {
	return &Screen{out: out, live: true, width: func() int { return width }}
}

func TestBlockIsRedrawnBelowTheLinesThatStay(t *testing.T) {
	var out strings.Builder
	screen := liveScreen(&out, 80)
	now := time.Now()
	screen.Show([]string{"one", "two"}, "", now)
	screen.Printf("stays")
	screen.Show([]string{"three"}, "", now)
	screen.Clear()
	want := "one\ntwo\n" + "\r\x1b[2A\x1b[J" + "stays\n" + "one\ntwo\n" + "\r\x1b[2A\x1b[J" + "three\n" +
		"\r\x1b[1A\x1b[J"
	if out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}

func TestLogStandsInForTheBlock(t *testing.T) {
	var out strings.Builder
	screen := NewLog(&out)
	now := time.Now()
	for second := range 25 {
		screen.Show([]string{"block"}, "log", now.Add(time.Duration(second)*time.Second))
	}
	if got, want := out.String(), strings.Repeat("log\n", 3); got != want {
		t.Errorf("wrote %q in 25 s, want %q", got, want)
	}
}

func TestClip(t *testing.T) {
	tests := []struct {
		line    string
		columns int
		want    string
	}{
		{"short", 10, "short"},
		{"exact", 5, "exact"},
		{"too long", 3, "too" + reset},
		{"ÄÖÜß", 2, "ÄÖ" + reset},
		{"\x1b[31mred\x1b[0m", 3, "\x1b[31mred\x1b[0m"},
		{"\x1b[31mred and more\x1b[0m", 3, "\x1b[31mred" + reset},
	}
	for _, test := range tests {
		if got := clip(test.line, test.columns); got != test.want {
			t.Errorf("clip(%q, %d) is %q, want %q", test.line, test.columns, got, test.want)
		}
	}
}

func TestStepTellsItsTimeAndItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		screen := NewLog(&out)
		refused := errors.New("refused")
		err := screen.Step("build", func(tell func(string)) error {
			tell("compiling")
			time.Sleep(2500 * time.Millisecond)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := screen.Step("deploy", func(func(string)) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("got error %v, want that of the work", err)
		}
		for _, want := range []string{"✔ build", "2.5 s  compiling", "✗ deploy"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("wrote %q, want %q in it", out.String(), want)
			}
		}
	})
}

func TestSeconds(t *testing.T) {
	for duration, want := range map[time.Duration]string{
		300 * time.Millisecond: "0.3 s", 12 * time.Second: "12.0 s", 200 * time.Second: "3 min 20 s",
	} {
		if got := Seconds(duration); got != want {
			t.Errorf("Seconds(%v) is %q, want %q", duration, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	tests := []struct {
		value, whole float64
		want         string
	}{{0, 10, "░░░░"}, {5, 10, "██░░"}, {10, 10, "████"}, {20, 10, "████"}, {-1, 10, "░░░░"}, {1, 0, "░░░░"}}
	for _, test := range tests {
		if got := Bar(test.value, test.whole, 4); got != test.want {
			t.Errorf("Bar(%v, %v) is %q, want %q", test.value, test.whole, got, test.want)
		}
	}
}

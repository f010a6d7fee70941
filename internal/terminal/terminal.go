// Package terminal shows a person what a script does: steps with their times, and a block of lines that updates in
// place. Where the output is no terminal (a log of CI, a file), the same things are told line by line.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Screen writes to one terminal or file. It is safe for concurrent use.
type Screen struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool       // out is a terminal
	width func() int // of the terminal, in columns
	block []string   // lines that stand at the bottom, redrawn in place
	told  time.Time  // when a log line last stood in for the block
}

// logInterval is the least time between two lines that stand in for the block where the output is no terminal.
const logInterval = 10 * time.Second

// New makes a screen of the file. NO_COLOR and a dumb terminal are respected: they get plain lines.
func New(out *os.File) *Screen {
	descriptor := int(out.Fd())
	live := term.IsTerminal(descriptor) && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
	return &Screen{out: out, live: live, width: func() int {
		if width, _, err := term.GetSize(descriptor); err == nil && width > 20 {
			return width
		}
		return 120
	}}
}

// NewLog makes a screen that is no terminal, whatever the writer is.
func NewLog(out io.Writer) *Screen {
	return &Screen{out: out, width: func() int { return 120 }}
}

// Live tells whether blocks are redrawn in place.
func (s *Screen) Live() bool { return s.live }

// Printf writes a line that stays, above the block.
func (s *Screen) Printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	fmt.Fprintf(s.out, format+"\n", args...)
	s.draw()
}

// Show replaces the block. Where there is no terminal, the line of log stands in for it, at most every ten seconds.
func (s *Screen) Show(block []string, log string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		if now.Sub(s.told) >= logInterval {
			s.told = now
			fmt.Fprintln(s.out, log)
		}
		return
	}
	s.erase()
	s.block = block
	s.draw()
}

// Clear takes the block away.
func (s *Screen) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.block = nil
}

func (s *Screen) erase() {
	if s.live && len(s.block) > 0 {
		// From the line's beginning: the terminal may have echoed a ^C there.
		fmt.Fprintf(s.out, "\r\x1b[%dA\x1b[J", len(s.block))
	}
}

func (s *Screen) draw() {
	width := s.width()
	for _, line := range s.block {
		fmt.Fprintln(s.out, clip(line, width-1))
	}
}

// clip cuts a line to that many columns, so that it never wraps and the block keeps its height. Colour sequences have
// no width.
func clip(line string, columns int) string {
	var out strings.Builder
	for len(line) > 0 {
		if sequence := colourSequence(line); sequence > 0 {
			out.WriteString(line[:sequence])
			line = line[sequence:]
			continue
		}
		if columns == 0 {
			out.WriteString(reset)
			break
		}
		_, size := utf8.DecodeRuneInString(line)
		out.WriteString(line[:size])
		line = line[size:]
		columns--
	}
	return out.String()
}

// colourSequence is the length of the escape sequence at the start of the line, 0 when there is none.
func colourSequence(line string) int {
	if !strings.HasPrefix(line, "\x1b[") {
		return 0
	}
	return strings.IndexByte(line, 'm') + 1
}

const reset = "\x1b[0m"

// Paint colours a text on a terminal and leaves it as it is elsewhere.
func (s *Screen) Paint(colour Colour, text string) string {
	if !s.live {
		return text
	}
	return string(colour) + text + reset
}

// Colour is an escape sequence.
type Colour string

// The colours of the house.
const (
	Bold   Colour = "\x1b[1m"
	Faint  Colour = "\x1b[2m"
	Red    Colour = "\x1b[31m"
	Green  Colour = "\x1b[32m"
	Yellow Colour = "\x1b[33m"
	Blue   Colour = "\x1b[34m"
)

// Step runs the work and tells its name, what it is doing (each call of tell), and how long it took.
func (s *Screen) Step(name string, work func(tell func(string)) error) error {
	started := time.Now()
	var mu sync.Mutex
	doing := ""
	show := func() {
		mu.Lock()
		defer mu.Unlock()
		elapsed := time.Since(started).Round(time.Second)
		s.Show([]string{fmt.Sprintf("%s %-22s %6v  %s", s.Paint(Yellow, "•"), name, elapsed, s.Paint(Faint, doing))},
			fmt.Sprintf("• %-22s %6v  %s", name, elapsed, doing), time.Now())
	}
	if s.live {
		show()
	}
	stop := every(time.Second, show)
	err := work(func(text string) {
		mu.Lock()
		doing = text
		mu.Unlock()
	})
	stop()
	s.Clear()

	took := time.Since(started)
	if err != nil {
		s.Printf("%s %-22s %6s", s.Paint(Red, "✗"), name, Seconds(took))
		return err
	}
	s.Printf("%s %-22s %6s  %s", s.Paint(Green, "✔"), name, Seconds(took), s.Paint(Faint, doing))
	return nil
}

// every calls f at the interval until the returned function is called, which waits for a call under way.
func every(interval time.Duration, f func()) (stop func()) {
	ticker := time.NewTicker(interval)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				f()
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

// Seconds writes a duration as people read it: 0.3 s, 12.4 s, 3 min 20 s.
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// Bar draws a value as filled cells of the given width; what exceeds whole is drawn full.
func Bar(value, whole float64, width int) string {
	filled := 0
	if whole > 0 {
		filled = min(width, max(0, int(value/whole*float64(width)+0.5)))
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

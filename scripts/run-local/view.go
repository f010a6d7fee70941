package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// lines is the scene as a block of a terminal.
func (s scene) lines(screen *terminal.Screen) []string {
	block := []string{
		"",
		screen.Paint(terminal.Bold, clock(s.at)) + "  chapter " + s.chapter,
		fmt.Sprintf("  queue    visible %5d   in flight %4d   │ sent %6d   processed %6d   done twice %d",
			s.queue.visible, s.queue.inFlight, s.account.Sent, s.account.Processed, s.account.Repeated),
		fmt.Sprintf("  tasks    %s %d running, %d wanted, %d starting   (%d to %d)",
			s.taskBar(20), s.tasks.Running, s.tasks.Desired, s.tasks.Pending, s.scaling.Bounds.Min,
			s.scaling.Bounds.Max),
	}
	for _, policy := range s.scaling.Policies {
		block = append(block, policyLine(screen, policy))
	}
	for _, step := range s.scaling.Steps {
		block = append(block, strings.TrimRight("  from zero  a first task while messages wait and none runs   out "+
			alarm(screen, step, terminal.Red), " "))
	}
	block = append(block, fmt.Sprintf("  wait     p50 %8s   p95 %8s   started within %s: %.1f %%",
		s.story(s.account.Quantile(0.5)), s.story(s.account.Quantile(0.95)), wholeSeconds(acceptableDelay),
		100*s.account.Within(time.Duration(float64(acceptableDelay)/s.speed))))
	if s.release != "" {
		block = append(block, s.deploymentLines(screen)...)
	}
	return append(block, s.activityLines(screen)...)
}

// deploymentLines are what is being done to bring a version out, and which tasks run of which version.
func (s scene) deploymentLines(screen *terminal.Screen) []string {
	const shown = 2
	lines := make([]string, 1+shown)
	lines[0] = "  release  " + screen.Paint(terminal.Yellow, s.release)
	for i := range min(shown, len(s.deployments)) {
		d := s.deployments[i]
		state := strings.ToLower(strings.ReplaceAll(string(d.RolloutState), "_", " "))
		if aws.ToString(d.Status) != "PRIMARY" {
			state = "going"
		}
		lines[1+i] = fmt.Sprintf("  version  %s %s  %d running, %d wanted, %d starting   %s",
			terminal.Bar(float64(d.RunningCount), float64(s.limits.Max), 20),
			shortDefinition(aws.ToString(d.TaskDefinition)), d.RunningCount, d.DesiredCount, d.PendingCount, state)
	}
	return lines
}

// taskBar is as wide as MaxTasks. Where a band has moved the bounds, the range that it leaves to the policies is
// shaded.
func (s scene) taskBar(width int) string {
	most := max(s.limits.Max, s.scaling.Bounds.Max)
	bar := []rune(terminal.Bar(float64(s.tasks.Running), float64(most), width))
	if s.scaling.Bounds == s.limits {
		return string(bar)
	}
	cell := func(tasks int) int { return int(float64(tasks)/float64(most)*float64(width) + 0.5) }
	for i := max(0, cell(s.scaling.Bounds.Min)-1); i < cell(s.scaling.Bounds.Max); i++ {
		if bar[i] == '░' {
			bar[i] = '▒'
		}
	}
	return string(bar)
}

// shortName leaves the name of the stack out of a policy's.
func shortName(p autoscaling.PolicyView) string { return p.Name[strings.LastIndexByte(p.Name, '-')+1:] }

// policyLine shows a policy's metric against its target, and how far its two alarms are on their way.
func policyLine(screen *terminal.Screen, p autoscaling.PolicyView) string {
	value, bar := "–", terminal.Bar(0, 1, 20)
	if !math.IsNaN(p.Value) {
		value, bar = fmt.Sprintf("%.1f", p.Value), terminal.Bar(p.Value, 2*p.Target, 20)
	}
	return strings.TrimRight(fmt.Sprintf("  %-8s %s %6s per task, target %5.1f   out %s   in %s",
		shortName(p), bar, value, p.Target, alarm(screen, p.High, terminal.Red),
		alarm(screen, p.Low, terminal.Blue)), " ")
}

func alarm(screen *terminal.Screen, a tracking.AlarmStatus, colour terminal.Colour) string {
	text := fmt.Sprintf("%2d of %-2d", a.Breaching, a.Needed)
	switch a.State {
	case tracking.StateAlarm:
		return screen.Paint(colour, text+" ALARM  ")
	case tracking.StateInsufficientData:
		return screen.Paint(terminal.Faint, text+" no data")
	default:
		return text + " ok     "
	}
}

// activityLines are the newest activities, and why nothing happened where nothing did.
func (s scene) activityLines(screen *terminal.Screen) []string {
	const shown = 3
	lines := make([]string, shown)
	for i := range min(shown, len(s.scaling.Activities)) {
		a := s.scaling.Activities[i]
		what := a.Description
		if len(a.NotScaled) > 0 {
			what = "not scaled: " + string(a.NotScaled[0].Code)
		}
		at := time.Duration(float64(a.Start.Sub(s.began)) * s.speed)
		lines[i] = screen.Paint(terminal.Faint, fmt.Sprintf("  %s    %s  (%s)", clock(at), what, short(a.Cause)))
	}
	return lines
}

// short leaves out of a cause what one does not read: the ids in alarm names.
func short(cause string) string {
	words := strings.Fields(cause)
	for i, word := range words {
		if parts := strings.Split(word, "-"); strings.HasPrefix(word, "TargetTracking-") && len(parts) > 6 {
			words[i] = parts[len(parts)-6] // AlarmHigh or AlarmLow, before an id of five groups
		}
	}
	return strings.Join(words, " ")
}

// line is the scene in one line, for a log.
func (s scene) line() string {
	text := fmt.Sprintf("%s  visible %4d  in flight %3d  tasks %2d of %2d", clock(s.at), s.queue.visible,
		s.queue.inFlight, s.tasks.Running, s.tasks.Desired)
	for _, p := range s.scaling.Policies {
		text += fmt.Sprintf("  %s %.1f/%.1f", shortName(p), p.Value, p.Target)
	}
	if s.release != "" {
		text += "  " + s.release
	}
	return text
}

// story writes a duration of this machine in the time of the story.
func (s scene) story(d time.Duration) string {
	return seconds(time.Duration(float64(d) * s.speed))
}

func wholeSeconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// clock writes a time of the story as minutes and seconds.
func clock(d time.Duration) string {
	d = d.Round(time.Second)
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	return fmt.Sprintf("%s%02d:%02d", sign, int(d.Minutes()), int(d.Seconds())%60)
}

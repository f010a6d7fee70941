package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/chart"
	"sqs-dynamic-target-tracking/internal/load"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/trace"
)

// The bursts, in the time of the story: messages a minute, minute by minute.
const (
	quiet, burst = 15, 90
	burstWatch   = 6 * time.Minute // after the last message, to see the tasks go
)

var bursts = trace.Trace{Name: "bursts", Step: time.Minute, Bins: []int{
	quiet, quiet, quiet, quiet, burst, burst, burst, quiet, quiet, quiet, quiet, quiet, quiet, quiet,
	burst, burst, burst, quiet, quiet, quiet, quiet, quiet,
}}

// take is what one way of scaling made of the bursts.
type take struct {
	name     string
	began    time.Duration // of the story
	messages sqswatch.Account
	film     []moment // of this take alone, from 0 on
}

// playBursts plays the same bursts for the two policies alone and with the band around them.
func (w *world) playBursts(ctx context.Context, camera *camera, chapter func(string, ...any)) ([]take, error) {
	var takes []take
	for _, t := range []struct{ name, title, state string }{
		{"policies alone", "two bursts of %d messages a minute out of %d, for the two policies alone", "DISABLED"},
		{"with the band", "the same bursts of %d messages a minute out of %d, with the band around the policies",
			"ENABLED"},
	} {
		chapter(t.title, burst, quiet)
		camera.doing("deploying the stack with BandState " + t.state)
		if err := w.switchBand(ctx, t.state); err != nil {
			return takes, err
		}
		camera.doing("")
		if err := w.startOver(ctx, camera); err != nil {
			return takes, err
		}
		took, err := w.playTake(ctx, camera, t.name)
		if err != nil {
			return takes, err
		}
		takes = append(takes, took)
	}
	return takes, nil
}

// switchBand deploys the stack again with nothing but the band switched.
func (w *world) switchBand(ctx context.Context, state string) error {
	log, err := os.OpenFile(filepath.Join(w.cloud.Dir(), "sam.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	parameters := w.parameters()
	parameters["BandState"] = state
	return w.cloud.Deploy(ctx, w.stack, parameters, io.Writer(log))
}

// startOver lets a take begin with an empty queue and the fewest tasks, without waiting for the policies: with a
// maximum of MinTasks the surplus goes at once.
func (w *world) startOver(ctx context.Context, camera *camera) error {
	if err := w.awaitDone(ctx, camera); err != nil {
		return err
	}
	scaling := applicationautoscaling.NewFromConfig(w.cloud.AWSConfig())
	resource := "service/" + w.cluster + "/" + w.workers
	for _, most := range []int{w.minTasks, w.maxTasks} {
		least, most := int32(w.minTasks), int32(most)
		_, err := scaling.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceId: &resource,
			ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
			MinCapacity:       &least, MaxCapacity: &most,
		})
		if err != nil {
			return fmt.Errorf("set the bounds of the service to %d to %d: %w", least, most, err)
		}
	}
	deadline := time.Now().Add(w.fast(longestEnd))
	for camera.newest().tasks.Running != w.minTasks && time.Now().Before(deadline) {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// playTake plays the bursts once, and waits until every message is done.
func (w *world) playTake(ctx context.Context, camera *camera, name string) (take, error) {
	spec, err := w.spec(name, firstDuration)
	if err != nil {
		return take{}, err
	}
	began := time.Now()
	t := take{name: name, began: w.story(began.Sub(camera.began))}
	player := load.Player{Sender: &produce.Sender{Client: w.sqs, QueueURL: w.queueURL}}
	_, err = player.Play(ctx, bursts.Faster(w.speed),
		func(index int, _ time.Duration) produce.Message { return spec.Message(index) })
	if err != nil {
		return t, err
	}
	sent := time.Now()
	if err := pause(ctx, w.fast(burstWatch)); err != nil {
		return t, err
	}
	if err := w.awaitDone(ctx, camera); err != nil {
		return t, err
	}
	t.messages = w.ledger.AccountBetween(w.queue, began, sent)
	// Both takes are as long, so that their costs can be compared.
	t.film = camera.between(t.began, t.began+bursts.Length()+burstWatch)
	for i := range t.film {
		t.film[i].at -= t.began
	}
	return t, nil
}

// taskMinutes is what the tasks of a film cost, in minutes of the story.
func taskMinutes(film []moment) float64 {
	sum := 0.0
	for i := range len(film) - 1 {
		sum += float64(film[i].running) * (film[i+1].at - film[i].at).Minutes()
	}
	return sum
}

// moves counts how often the bounds were moved.
func moves(film []moment) int {
	count := 0
	for i := 1; i < len(film); i++ {
		if film[i].bounds != film[i-1].bounds {
			count++
		}
	}
	return count
}

// burstTable sets the takes side by side.
func (w *world) burstTable(takes []take) string {
	row := func(name string, value func(take) string) []string {
		cells := []string{name}
		for _, t := range takes {
			cells = append(cells, value(t))
		}
		return cells
	}
	return table(
		row("the bursts", func(t take) string { return t.name }),
		row(fmt.Sprintf("  started within %s", wholeSeconds(acceptableDelay)), func(t take) string {
			return fmt.Sprintf("%.1f %%", 100*t.messages.Within(w.fast(acceptableDelay)))
		}),
		row("  wait p50", func(t take) string { return seconds(w.story(t.messages.Quantile(0.5))) }),
		row("  wait p95", func(t take) string { return seconds(w.story(t.messages.Quantile(0.95))) }),
		row("  longest wait", func(t take) string { return seconds(w.story(t.messages.Quantile(1))) }),
		row("  messages", func(t take) string { return fmt.Sprint(t.messages.Sent) }),
		row("  task-minutes", func(t take) string { return fmt.Sprintf("%.0f", taskMinutes(t.film)) }),
		row("  bounds moved", func(t take) string { return fmt.Sprintf("%d times", moves(t.film)) }),
	)
}

// plotTakes draws the tasks of all takes above the same minutes, and the band where there was one.
func plotTakes(screen *terminal.Screen, takes []take) string {
	colors := []chart.Color{chart.Orange, chart.Green}
	var lines []chart.Line
	for i, t := range takes {
		r := develop(t.film)
		if moves(t.film) > 0 {
			lines = append(lines,
				chart.Line{Name: "floor and ceiling", X: r.minutes, Y: r.floor, Color: chart.Gray, Step: true},
				chart.Line{X: r.minutes, Y: r.ceiling, Color: chart.Gray, Step: true})
		}
		lines = append(lines, chart.Line{
			Name: "running, " + t.name, X: r.minutes, Y: r.running, Color: colors[i%len(colors)], Step: true,
		})
	}
	return plotCounts(screen, lines...)
}

// drawTakes writes the takes as a picture, one below the other, and returns its path.
func (w *world) drawTakes(takes []take) (string, error) {
	picture := chart.Chart{
		Title:    "The same bursts, without the band and with it",
		Subtitle: fmt.Sprintf("real messages and worker processes, time running %g times as fast", w.speed),
		XLabel:   "minutes",
	}
	for _, t := range takes {
		r := develop(t.film)
		picture.Panels = append(picture.Panels,
			chart.Panel{Title: "tasks, " + t.name, Marks: []chart.Mark{
				chart.Band{Name: "bounds", X: r.minutes, Low: r.floor, High: r.ceiling, Color: chart.Gray},
				chart.Line{Name: "running", X: r.minutes, Y: r.running, Color: chart.Green, Step: true},
			}},
			chart.Panel{Title: "messages, " + t.name, Height: 100, Marks: []chart.Mark{
				chart.Line{Name: "visible", X: r.minutes, Y: r.visible, Color: chart.Orange, Fill: true},
				chart.Line{Name: "in flight", X: r.minutes, Y: r.inFlight, Color: chart.Blue},
			}})
	}
	path := filepath.Join(w.cloud.Dir(), "bursts.svg")
	return path, writePicture(path, picture)
}

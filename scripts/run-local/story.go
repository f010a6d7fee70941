package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/load"
	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/trace"
)

// Lengths of the chapters, in the time of the story. At a speed of 20 the whole takes less than four minutes.
const (
	blueprintLoad = 20 * time.Minute
	traceLength   = 32 * time.Minute
	longestEnd    = 20 * time.Minute
)

// run sets up, tells the story, sums up and takes everything down.
func run(ctx context.Context, screen *terminal.Screen, o options) (err error) {
	w, err := setUp(ctx, screen, o)
	if w.cloud != nil {
		defer func() { err = errors.Join(err, w.cloud.Close()) }()
	}
	if err != nil {
		return err
	}
	if !o.setupOnly {
		if err := w.tell(ctx, screen); err != nil {
			return err
		}
	}
	if !o.keep {
		if o.setupOnly {
			screen.Printf("the stack was deployed, and goes with the engine now; with -keep both stay for work by hand")
		}
		return nil
	}
	screen.Printf("\n%s", w.guide())
	select {
	case <-ctx.Done():
		return nil
	case <-w.cloud.Failed():
		return w.cloud.Err()
	}
}

// tell plays the chapters while the camera runs, then shows the summary. A message lost or done twice is an error.
func (w *world) tell(ctx context.Context, screen *terminal.Screen) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	camera := newCamera(w)
	filming := make(chan error, 1)
	go func() {
		err := w.film(ctx, screen, camera)
		if err != nil {
			cancel(err) // nothing can be played without the emulator
		}
		filming <- err
	}()

	told, err := w.chapters(ctx, screen, camera)
	cancel(nil)
	if filmErr := <-filming; filmErr != nil {
		err = filmErr
	}
	screen.Clear()
	if err != nil {
		if len(told.releases) > 0 {
			screen.Printf("\n%s", releaseTable(told.releases, w.storyTime(camera), w.story))
		}
		return err
	}
	return w.sumUp(context.WithoutCancel(ctx), screen, camera, told)
}

// film shows the scene twice a second until the story ends or the emulator does.
func (w *world) film(ctx context.Context, screen *terminal.Screen, camera *camera) error {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.cloud.Failed():
			return w.cloud.Err()
		case now := <-ticker.C:
			seen, err := camera.look(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			screen.Show(seen.lines(screen), seen.line(), now)
		}
	}
}

// results are what the parts of the story gave, besides what the camera has seen.
type results struct {
	releases []release
	takes    []take
}

// chapters plays the parts of the story that were asked for.
func (w *world) chapters(ctx context.Context, screen *terminal.Screen, camera *camera) (told results, err error) {
	number, all := 0, 0
	for _, p := range parts {
		if w.tells(p.name) {
			all += p.chapters
		}
	}
	chapter := func(format string, args ...any) {
		number++
		title := fmt.Sprintf("%d of %d: ", number, all) + fmt.Sprintf(format, args...)
		camera.call(number, title)
		screen.Printf("%s", screen.Paint(terminal.Bold, "chapter "+title))
	}
	if w.tells(scalingPart) {
		if err := w.playScaling(ctx, screen, camera, chapter); err != nil {
			return told, err
		}
	}
	if w.tells(deploymentsPart) {
		chapter("a good version and four bad ones are brought out, while %g messages of %s come each minute",
			steadyLoad, wholeSeconds(firstDuration))
		if told.releases, err = w.playDeployments(ctx, screen, camera); err != nil {
			return told, err
		}
		if err := w.awaitDone(ctx, camera); err != nil {
			return told, err
		}
	}
	if w.tells(burstPart) {
		told.takes, err = w.playBursts(ctx, camera, chapter)
	}
	return told, err
}

// playScaling is how the service follows its load, and what a retune does.
func (w *world) playScaling(ctx context.Context, screen *terminal.Screen, camera *camera,
	chapter func(string, ...any)) error {
	chapter("the blueprint's load, %d messages of %s each minute, by the produce machine",
		produce.DefaultMessages, wholeSeconds(firstDuration))
	if err := w.blueprintLoad(ctx); err != nil {
		return err
	}

	arrivals, err := w.arrivals()
	if err != nil {
		return err
	}
	chapter("%.0f minutes of the trace %s at %g messages a minute; from its middle on they take %s instead of %s",
		traceLength.Minutes(), w.trace, w.rate, wholeSeconds(laterDuration), wholeSeconds(firstDuration))
	group, groupCtx := errgroup.WithContext(ctx)
	longer := make(chan time.Time, 1)
	group.Go(func() error { return w.playTrace(groupCtx, screen, arrivals, longer) })
	group.Go(func() error { return w.retuneWhileItPlays(groupCtx, longer, chapter) })
	if err := group.Wait(); err != nil {
		return err
	}

	chapter("no more messages: the queue empties, and tasks go once both policies agree")
	return w.awaitRest(ctx, screen, camera)
}

// blueprintLoad leaves the rule enabled for a while that starts the produce machine each minute.
func (w *world) blueprintLoad(ctx context.Context) error {
	if _, err := w.events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: &w.rule}); err != nil {
		return fmt.Errorf("enable the rule %s: %w", w.rule, err)
	}
	waited := pause(ctx, w.fast(blueprintLoad))
	_, err := w.events.DisableRule(context.WithoutCancel(ctx), &eventbridge.DisableRuleInput{Name: &w.rule})
	if err != nil {
		return fmt.Errorf("disable the rule %s: %w", w.rule, err)
	}
	return waited
}

// arrivals is the part of the trace that is played, in the time of this machine.
func (w *world) arrivals() (trace.Trace, error) {
	arrivals, err := trace.Open(w.trace)
	if err != nil {
		return trace.Trace{}, err
	}
	arrivals = arrivals.Window(0, traceLength).ScaleTo(w.rate).Faster(w.speed)
	if arrivals.Total() == 0 {
		return trace.Trace{}, fmt.Errorf("trace %s has no arrivals in its first %v", w.trace, traceLength)
	}
	return arrivals, nil
}

// playTrace sends the trace; in its middle the messages become longer, and longer gets the time.
func (w *world) playTrace(ctx context.Context, screen *terminal.Screen, arrivals trace.Trace,
	longer chan<- time.Time) error {
	first, err := w.spec("first", firstDuration)
	if err != nil {
		return err
	}
	later, err := w.spec("later", laterDuration)
	if err != nil {
		return err
	}
	middle, told := arrivals.Length()/2, false
	player := load.Player{Sender: &produce.Sender{Client: sqs.NewFromConfig(w.cloud.AWSConfig()), QueueURL: w.queueURL}}
	_, err = player.Play(ctx, arrivals, func(index int, offset time.Duration) produce.Message {
		if offset < middle {
			return first.Message(index)
		}
		if !told {
			told = true
			screen.Printf("from here on a message takes %s on average", wholeSeconds(laterDuration))
			longer <- time.Now()
		}
		return later.Message(index)
	})
	return err
}

// spec describes messages of that mean duration, drawn from an exponential distribution.
func (w *world) spec(name string, duration time.Duration) (produce.Spec, error) {
	input, err := json.Marshal(map[string]any{
		"messages": produce.MostMessages, "durationSeconds": w.fast(duration).Seconds(),
		"distribution": "exponential", "seed": 1,
	})
	if err != nil {
		return produce.Spec{}, err
	}
	return produce.NewSpec(w.trace+" "+name, input)
}

// retuneWhileItPlays waits until enough of the longer messages were measured, then tries a retune and makes it.
func (w *world) retuneWhileItPlays(ctx context.Context, longer <-chan time.Time,
	chapter func(string, ...any)) error {
	var since time.Time
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case since = <-longer:
	}
	const measure = 9 * time.Minute
	if err := pause(ctx, w.fast(measure)); err != nil {
		return err
	}
	chapter("the retune, first as a dry run, then for real, while the trace plays on")
	for _, dry := range []bool{true, false} {
		_, err := w.execute(ctx, w.retune, map[string]any{
			"dryRun": dry, "reason": "longer messages", "windowMinutes": time.Since(since).Minutes(),
			"watchMinutes": retuneWatch.Minutes(),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// execute runs a machine to its end.
func (w *world) execute(ctx context.Context, machine string, input map[string]any) (execution.Result, error) {
	arn, err := w.following.Start(ctx, machine, input)
	if err != nil {
		return execution.Result{}, err
	}
	return w.following.Follow(ctx, arn, nil)
}

// awaitRest waits until the queue is empty and the tasks are down to their minimum. The story has an end even so: after
// longestEnd it says what is still there.
func (w *world) awaitRest(ctx context.Context, screen *terminal.Screen, camera *camera) error {
	deadline := time.Now().Add(w.fast(longestEnd))
	var now scene
	for time.Now().Before(deadline) {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		now = camera.newest()
		// A retune may have raised the minimum.
		if now.account.Open == 0 && now.queue == (counts{}) && now.tasks.Running == now.scaling.Bounds.Min {
			return nil
		}
	}
	screen.Printf("the story ends here, %.0f minutes after the last message was sent: %d tasks run (the minimum is "+
		"%d), %d messages are left", longestEnd.Minutes(), now.tasks.Running, now.scaling.Bounds.Min, now.account.Open)
	return nil
}

// awaitDone waits until every message is done.
func (w *world) awaitDone(ctx context.Context, camera *camera) error {
	deadline := time.Now().Add(w.fast(longestEnd))
	for time.Now().Before(deadline) {
		if now := camera.newest(); now.account.Open == 0 && now.queue == (counts{}) {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil // the summary tells what is left
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

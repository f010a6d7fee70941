package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"sqs-dynamic-target-tracking/internal/load"
	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/trace"
	"sqs-dynamic-target-tracking/internal/verify"
)

// The chapter of the deployments, in the time of the story.
const (
	steadyLoad  = 40.0            // messages a minute
	warmUp      = 6 * time.Minute // until the service has the tasks for that
	lastMessage = 2 * time.Minute // from the end of a release until what it caused has been told
	longestLoad = 6 * time.Hour
)

// errLoadOver ends the load when the last release is through.
var errLoadOver = errors.New("the last release is through")

// playDeployments brings one version after the other out while messages come. Each must end as it should.
func (w *world) playDeployments(ctx context.Context, screen *terminal.Screen, camera *camera) ([]release, error) {
	box, err := w.openInbox(ctx)
	if err != nil {
		return nil, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	playing, end := context.WithCancelCause(groupCtx)
	group.Go(func() error {
		err := w.steadyLoad(playing)
		if errors.Is(err, errLoadOver) {
			return nil
		}
		return err
	})
	group.Go(func() error {
		return box.follow(playing, func(n notification) {
			screen.Printf("  %s  %-22s %s", clock(w.story(n.at.Sub(camera.began))), "the topic tells", n.subject)
		})
	})
	var releases []release
	group.Go(func() (err error) {
		defer end(errLoadOver)
		releases, err = w.releaseAll(groupCtx, screen, camera, box)
		return err
	})
	err = group.Wait()
	camera.note("")
	return releases, err
}

func (w *world) releaseAll(ctx context.Context, screen *terminal.Screen, camera *camera, box *inbox) (
	[]release, error,
) {
	camera.note("none yet: the service adapts to the load first")
	if err := pause(ctx, w.fast(warmUp)); err != nil {
		return nil, err
	}
	p, err := newPipeline(ctx, w, screen, camera)
	if err != nil {
		return nil, err
	}
	var releases []release
	for i, v := range versions {
		screen.Printf("%s", screen.Paint(terminal.Bold,
			fmt.Sprintf("version %d of %d, %q: %s", i+1, len(versions), v.name, v.about)))
		r, err := p.release(ctx, v)
		if err == nil {
			r.broughtIn, err = w.bringBack(ctx)
		}
		if r.broughtIn > 0 {
			p.say("brought back", "%d messages from the dead-letter queue, to be done by %s", r.broughtIn, r.runs)
		}
		if err == nil {
			err = pause(ctx, w.fast(lastMessage))
		}
		if err != nil {
			return append(releases, r), err
		}
		r.notified = box.since(r.began)
		releases = append(releases, r)
	}
	return releases, nil
}

// steadyLoad sends messages at an even pace until ctx ends.
func (w *world) steadyLoad(ctx context.Context) error {
	spec, err := w.spec("steady", firstDuration)
	if err != nil {
		return err
	}
	bins := make([]int, int(longestLoad.Minutes()))
	for i := range bins {
		bins[i] = steadyLoad
	}
	arrivals := trace.Trace{Name: "steady", Step: time.Minute, Bins: bins}.Faster(w.speed)
	player := load.Player{Sender: &produce.Sender{Client: w.sqs, QueueURL: w.queueURL}}
	_, err = player.Play(ctx, arrivals, func(index int, _ time.Duration) produce.Message { return spec.Message(index) })
	return err
}

// bringBack moves the messages of the dead-letter queue back to the queue, as a person would do when the version that
// set them aside is gone: `aws sqs start-message-move-task`, which the emulator has not.
func (w *world) bringBack(ctx context.Context) (moved int, err error) {
	for {
		out, err := w.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &w.deadURL, MaxNumberOfMessages: 10})
		if err != nil || len(out.Messages) == 0 {
			return moved, err
		}
		for _, m := range out.Messages {
			id := aws.ToString(m.MessageId)
			if _, err := w.sqs.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: &w.queueURL, MessageBody: m.Body,
			}); err != nil {
				return moved, fmt.Errorf("send message %s to the queue again: %w", id, err)
			}
			moved++
			if _, err := w.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{
				QueueUrl: &w.deadURL, ReceiptHandle: m.ReceiptHandle,
			}); err != nil {
				return moved, fmt.Errorf("take message %s out of the dead-letter queue: %w", id, err)
			}
		}
	}
}

// releaseTable shows what became of each version.
func releaseTable(releases []release, at func(time.Time) string, story func(time.Duration) time.Duration) string {
	rows := [][]string{{"deployments", "version", "ended", "after", "runs now", "notified",
		"because (in seconds of this machine)"}}
	for _, r := range releases {
		rows = append(rows, []string{
			"  " + at(r.began), r.name, r.ended, clock(story(r.took)), r.runs, fmt.Sprint(r.notified), r.because(),
		})
	}
	return table(rows...)
}

// because is the reason alone, cut to a line: the whole was told when it happened.
func (r release) because() string {
	const most = 72
	reason := strings.TrimPrefix(r.told, r.to+": ") // which stands in other columns, as does the result
	for _, result := range []verify.Result{verify.Verified, verify.RolledBack} {
		reason = strings.TrimPrefix(reason, string(result)+": ")
	}
	if runes := []rune(reason); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return reason
}

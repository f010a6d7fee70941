package main

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// counts are the queue's attributes.
type counts struct{ visible, inFlight int }

// counts reads the queue.
func (w *world) counts(ctx context.Context) (counts, error) {
	visible, inFlight := types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	out, err := w.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &w.queueURL, AttributeNames: []types.QueueAttributeName{visible, inFlight},
	})
	if err != nil {
		return counts{}, fmt.Errorf("read the queue %s: %w", w.queue, err)
	}
	number := func(name types.QueueAttributeName) int {
		n, _ := strconv.Atoi(out.Attributes[string(name)])
		return n
	}
	return counts{visible: number(visible), inFlight: number(inFlight)}, nil
}

// service is the state of the worker service.
func (w *world) service(ctx context.Context) (ministack.ServiceState, error) {
	services, err := w.cloud.Services(ctx)
	if err != nil {
		return ministack.ServiceState{}, err
	}
	for _, s := range services {
		if s.Name == w.workers {
			return s, nil
		}
	}
	return ministack.ServiceState{}, fmt.Errorf("the service %s is gone", w.workers)
}

// scaling is the view of its scalable target.
func (w *world) scaling(ctx context.Context) (autoscaling.View, error) {
	views, err := w.cloud.Scaling(ctx)
	if err != nil {
		return autoscaling.View{}, err
	}
	for _, v := range views {
		if path.Base(v.ResourceID) == w.workers {
			return v, nil
		}
	}
	return autoscaling.View{}, fmt.Errorf("the service %s has no scalable target", w.workers)
}

// scene is what there is to see at one moment, in the time of the story.
type scene struct {
	chapter string
	at      time.Duration // since the story began
	queue   counts
	account sqswatch.Account
	tasks   ministack.ServiceState
	scaling autoscaling.View
	began   time.Time // of the story, to place activities in its time
	speed   float64
	limits  tracking.Bounds // MinTasks and MaxTasks, within which the bounds may move
	// release is the newest step of the version that is brought out, deployments those of the service meanwhile; blank
	// in other chapters.
	release     string
	deployments []ecstypes.Deployment
}

// moment is one point of the plots.
type moment struct {
	at               time.Duration // since the story began
	queue            counts
	desired, running int
	bounds           tracking.Bounds
	policies         []autoscaling.PolicyView
}

// camera looks at the world again and again.
type camera struct {
	world *world
	began time.Time

	mu         sync.Mutex
	chapter    string
	release    string
	chapters   []turn
	film       []moment
	activities map[string]tracking.Activity
	last       scene
}

func newCamera(w *world) *camera {
	return &camera{world: w, began: time.Now(), activities: map[string]tracking.Activity{}}
}

// call names the chapter that begins.
func (c *camera) call(number int, chapter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chapter = chapter
	c.chapters = append(c.chapters, turn{number: number, at: c.world.story(time.Since(c.began))})
}

// doing says in the chapter's line what takes a while; "" takes it away.
func (c *camera) doing(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chapter, _, _ = strings.Cut(c.chapter, " — ")
	if what != "" {
		c.chapter += " — " + what
	}
}

// note keeps what is being done to bring a version out; "" when nothing is.
func (c *camera) note(release string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release = release
}

// newest is the last scene that was taken.
func (c *camera) newest() scene {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// turn is the beginning of a chapter.
type turn struct {
	number int
	at     time.Duration
}

// between are the moments of the film from one time of the story to another.
func (c *camera) between(from, to time.Duration) []moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.film), func(m moment) bool { return m.at < from || m.at >= to })
}

// look takes one scene and keeps what the summary needs of it.
func (c *camera) look(ctx context.Context) (scene, error) {
	queue, err := c.world.counts(ctx)
	if err != nil {
		return scene{}, err
	}
	s := scene{
		at: c.world.story(time.Since(c.began)), queue: queue, account: c.world.ledger.Account(c.world.queue),
		began: c.began, speed: c.world.speed, limits: tracking.Bounds{Min: c.world.minTasks, Max: c.world.maxTasks},
	}
	if s.tasks, err = c.world.service(ctx); err != nil {
		return scene{}, err
	}
	if s.scaling, err = c.world.scaling(ctx); err != nil {
		return scene{}, err
	}
	c.mu.Lock()
	s.chapter, s.release = c.chapter, c.release
	c.mu.Unlock()
	if s.release != "" {
		if s.deployments, err = deployments(ctx, c.world.ecs, c.world.cluster, c.world.workers); err != nil {
			return scene{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.film = append(c.film, moment{
		at: s.at, queue: queue, desired: s.tasks.Desired, running: s.tasks.Running,
		bounds: s.scaling.Bounds, policies: s.scaling.Policies,
	})
	for _, activity := range s.scaling.Activities {
		c.activities[activity.ID] = activity
	}
	c.last = s
	return s, nil
}

// scalings are the activities that set the desired count, in their order.
func (c *camera) scalings() []tracking.Activity {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.SortedFunc(maps.Values(c.activities), func(a, b tracking.Activity) int {
		return a.Start.Compare(b.Start)
	})
	return slices.DeleteFunc(all, func(a tracking.Activity) bool {
		return len(a.NotScaled) > 0 || a.Start.Before(c.began)
	})
}

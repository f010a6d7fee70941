package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// sumUp prints what became of the messages, the targets and the tasks. It is an error when a message was lost or done
// twice: that is the promise that needs no delay.
func (w *world) sumUp(ctx context.Context, screen *terminal.Screen, camera *camera, told results) error {
	account, dead := w.ledger.Account(w.queue), w.ledger.Account(w.dead)
	broughtIn := 0
	for _, r := range told.releases {
		broughtIn += r.broughtIn
	}
	account.Sent -= broughtIn // they had been sent before
	screen.Printf("\n%s\n", screen.Paint(terminal.Bold, "summary, in the time of the story"))
	screen.Printf("%s", w.messages(account, dead, broughtIn))
	if len(told.releases) > 0 {
		screen.Printf("%s", releaseTable(told.releases, w.storyTime(camera), w.story))
	}
	if len(told.takes) > 0 {
		drawn, err := w.drawTakes(told.takes)
		if err != nil {
			return err
		}
		screen.Printf("%s\n%sas a picture: %s\n", w.burstTable(told.takes), plotTakes(screen, told.takes), drawn)
	}
	produced, err := w.executions(ctx, "produce", w.produce)
	if err != nil {
		return err
	}
	retunes, err := w.executions(ctx, "retune", w.retune)
	if err != nil {
		return err
	}
	verifications, err := w.executions(ctx, "verify", w.verify)
	if err != nil {
		return err
	}
	if len(retunes) > 0 {
		screen.Printf("%s", retuneTable(retunes, w.storyTime(camera)))
	}
	screen.Printf("%s", countTable(produced, retunes, verifications))
	screen.Printf("%s", w.scalings(camera))
	picture, err := w.drawFilm(camera)
	if err != nil {
		return err
	}
	screen.Printf("tasks over time (minutes)\n%s\nall of it as a picture: %s", plotTasks(screen, camera.film), picture)
	switch {
	case account.Open > 0:
		return fmt.Errorf("%d messages of %d were not processed", account.Open, account.Sent)
	case dead.Open > 0 || account.SetAside > broughtIn:
		return fmt.Errorf("%d messages of %d are in the dead-letter queue", max(dead.Open, account.SetAside-broughtIn),
			account.Sent)
	case account.Repeated > 0:
		return fmt.Errorf("%d messages of %d were done twice", account.Repeated, account.Sent)
	}
	return nil
}

func (w *world) messages(account, dead sqswatch.Account, broughtIn int) string {
	rows := [][]string{
		{"messages", "sent", fmt.Sprint(account.Sent)},
		{"", "processed", fmt.Sprint(account.Processed)},
		{"", "lost", fmt.Sprint(account.Open + dead.Open)},
		{"", "done twice", fmt.Sprint(account.Repeated)},
	}
	if account.SetAside > 0 {
		rows = append(rows, []string{"", "set aside", fmt.Sprintf("%d, and %d of them brought back and processed",
			account.SetAside, broughtIn)})
	}
	if account.Canaries > 0 {
		rows = append(rows, []string{"", "canaries", fmt.Sprint(account.Canaries)})
	}
	return table(append(rows,
		[]string{"wait", "p50", seconds(w.story(account.Quantile(0.5)))},
		[]string{"", "p95", seconds(w.story(account.Quantile(0.95)))},
		[]string{"promise", "kept for", fmt.Sprintf("%.1f %% of the messages: they started within %s",
			100*account.Within(w.fast(acceptableDelay)), wholeSeconds(acceptableDelay))},
		[]string{"", "error bar", fmt.Sprintf("± %.2f s (latency of a call to the emulator)", w.errorBar.Seconds())},
	)...)
}

// storyTime writes times of this machine in that of the story.
func (w *world) storyTime(camera *camera) func(time.Time) string {
	return func(t time.Time) string { return clock(w.story(t.Sub(camera.began))) }
}

// scalings lists each change of the desired count with its cause.
func (w *world) scalings(camera *camera) string {
	rows := [][]string{{"scaling", "", ""}}
	for _, a := range camera.scalings() {
		at := w.storyTime(camera)(a.Start)
		rows = append(rows, []string{"  " + at, fmt.Sprintf("%d → %d tasks", a.From, a.To), short(a.Cause)})
	}
	if len(rows) == 1 {
		rows = append(rows, []string{"  none", "", ""})
	}
	return table(rows...)
}

// guide says how to look around in what was left running.
func (w *world) guide() string {
	return fmt.Sprintf(`The engine runs on %s until Ctrl-C. In another terminal:

  . .local/running.env                                          # then aws and sam talk to it
  aws stepfunctions list-executions --state-machine-arn %s
  aws application-autoscaling describe-scaling-activities --service-namespace ecs
  aws cloudwatch describe-alarms
  go run ./scripts/load start -local                            # until: load stop -local
  go run ./scripts/load once -local -duration %v             # %v in the time of this engine
  go run ./scripts/load trace -local -speed %g
  go run ./scripts/retune -local -dry-run
  go run ./scripts/verify -local                                # proves what the service runs now
  sam build && sam deploy                                       # deploys again; sam delete takes it away`,
		w.cloud.Endpoint(), w.retune, w.fast(firstDuration), firstDuration, w.speed)
}

// table aligns rows.
func table(rows ...[]string) string {
	var out strings.Builder
	tabs := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tabs, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	tabs.Flush()
	return out.String()
}

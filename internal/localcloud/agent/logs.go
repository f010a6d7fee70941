package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// openLog gives the output of a task's process a file, and, with the awslogs driver, a stream in CloudWatch Logs.
func (t *task) openLog(ctx context.Context) (io.WriteCloser, error) {
	file, err := os.OpenFile(t.view.LogPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if t.container.LogDriver.Name != "awslogs" {
		return file, nil
	}
	stream, err := openStream(ctx, cloudwatchlogs.NewFromConfig(t.asExecutionRole()), t)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &twoLogs{file: file, stream: stream}, nil
}

// twoLogs writes to a file and to a stream.
type twoLogs struct {
	file   *os.File
	stream *logStream
}

func (l *twoLogs) Write(p []byte) (int, error) {
	l.stream.add(p)
	return l.file.Write(p)
}

// Close implements io.Closer.
func (l *twoLogs) Close() error {
	l.stream.close()
	return l.file.Close()
}

// logsAPI is what a stream needs of CloudWatch Logs.
type logsAPI interface {
	CreateLogGroup(context.Context, *cloudwatchlogs.CreateLogGroupInput, ...func(*cloudwatchlogs.Options)) (
		*cloudwatchlogs.CreateLogGroupOutput, error)
	CreateLogStream(context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options)) (
		*cloudwatchlogs.CreateLogStreamOutput, error)
	PutLogEvents(context.Context, *cloudwatchlogs.PutLogEventsInput, ...func(*cloudwatchlogs.Options)) (
		*cloudwatchlogs.PutLogEventsOutput, error)
}

const (
	sendEvery      = time.Second
	eventsPerCall  = 1000
	sendTimeout    = 5 * time.Second
	maxUnsentLines = 10_000 // beyond them the oldest are dropped: the file has them
)

// logStream sends lines to a log stream about once a second.
type logStream struct {
	api           logsAPI
	group, stream string

	mu      sync.Mutex
	partial []byte
	lines   []types.InputLogEvent

	closing chan struct{}
	done    chan struct{}
}

// openStream makes the stream <prefix>/<container>/<task id>. As on ECS, the group must exist unless the options say
// that it is to be made.
func openStream(ctx context.Context, api logsAPI, t *task) (*logStream, error) {
	option := func(name string) string { return string(t.container.LogDriver.Options[name]) }
	s := &logStream{api: api, group: option("awslogs-group"), closing: make(chan struct{}), done: make(chan struct{}),
		stream: t.container.Name + "/" + t.view.ID}
	if prefix := option("awslogs-stream-prefix"); prefix != "" {
		s.stream = prefix + "/" + s.stream
	}
	if s.group == "" {
		return nil, errors.New("the option awslogs-group is missing")
	}
	if option("awslogs-create-group") == "true" {
		_, err := api.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &s.group})
		var exists *types.ResourceAlreadyExistsException
		if err != nil && !errors.As(err, &exists) {
			return nil, fmt.Errorf("create log group %s: %w", s.group, err)
		}
	}
	_, err := api.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{
		LogGroupName: &s.group, LogStreamName: &s.stream})
	if err != nil {
		return nil, fmt.Errorf("create a log stream in group %s: %w", s.group, err)
	}
	go s.run()
	return s, nil
}

func (s *logStream) add(output []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partial = append(s.partial, output...)
	for {
		end := bytes.IndexByte(s.partial, '\n')
		if end < 0 {
			return
		}
		s.addLine(string(s.partial[:end]))
		s.partial = s.partial[end+1:]
	}
}

func (s *logStream) addLine(line string) {
	if strings.TrimSpace(line) == "" {
		return // CloudWatch Logs refuses empty messages
	}
	s.lines = append(s.lines, types.InputLogEvent{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())})
	if extra := len(s.lines) - maxUnsentLines; extra > 0 {
		s.lines = s.lines[extra:]
	}
}

func (s *logStream) run() {
	defer close(s.done)
	ticker := time.NewTicker(sendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.send()
		case <-s.closing:
			s.send()
			return
		}
	}
}

func (s *logStream) send() {
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	for {
		s.mu.Lock()
		batch := s.lines[:min(len(s.lines), eventsPerCall)]
		s.lines = s.lines[len(batch):]
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		_, err := s.api.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: &s.group, LogStreamName: &s.stream, LogEvents: batch})
		if err != nil {
			return // the file has the lines; the group may be gone with its stack
		}
	}
}

// close sends the rest and ends the stream.
func (s *logStream) close() {
	s.mu.Lock()
	s.addLine(string(s.partial))
	s.partial = nil
	s.mu.Unlock()
	close(s.closing)
	<-s.done
}

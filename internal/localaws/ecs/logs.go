package ecs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkLogGroups makes sure that the log groups of a task exist; awslogs-create-group asks for a missing one to be made.
func (b *Backend) checkLogGroups(ctx context.Context, t *task, d *taskDefinition) error {
	for _, c := range d.Def.ContainerDefinitions {
		if c.LogConfiguration == nil {
			continue
		}
		options := c.LogConfiguration.Options
		region, group := options["awslogs-region"], options["awslogs-group"]
		exists, err := b.Logs.GroupExists(ctx, region, group)
		if err == nil && !exists {
			if options["awslogs-create-group"] != "true" {
				return fmt.Errorf("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : %s", group)
			}
			err = b.Logs.CreateGroup(ctx, region, group)
		}
		if err != nil {
			return fmt.Errorf("ResourceInitializationError: failed to validate logger args: %w", err)
		}
	}
	return nil
}

const (
	// logBatch is how many lines are handed on at once at most.
	logBatch = 500
	// longestLine is where a line is cut: CloudWatch Logs takes no longer event.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
	longestLine = 256 << 10
)

// forwardLog hands a container's log on to CloudWatch Logs until it ends. What was handed on is remembered by its offset,
// so that a restart loses nothing; a crash between the two can repeat the last lines.
func (b *Backend) forwardLog(ctx context.Context, t *task, c types.ContainerDefinition) {
	name := *c.Name
	var offset int64
	b.locked(func() { offset = t.Offsets[name] })
	ctx, cancel := context.WithCancel(ctx)
	log, err := b.Engine.Logs(ctx, containerID(t, name), offset, true)
	if err != nil {
		cancel()
		b.unlessGone(err, "read log", containerID(t, name))
		return
	}
	lines := make(chan logRead, logBatch)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer log.Close()
	defer cancel() // before the waiting
	reader.Go(func() { readLines(ctx, log, lines) })
	options := c.LogConfiguration.Options
	stream := options["awslogs-stream-prefix"] + "/" + name + "/" + t.id()
	for first := range lines {
		batch, read := gather(first, lines)
		err := retry(ctx, func() error {
			return b.Logs.Put(ctx, options["awslogs-region"], options["awslogs-group"], stream, batch)
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			b.Log.Error("ecs: lines of a log are lost", "stream", stream, "lines", len(batch), "err", err)
		}
		offset += read
		b.lock()
		t.Offsets[name] = offset
		b.saveTask(t)
		b.unlock()
	}
}

// retry tries a few times in some seconds: a log that cannot be written must not keep its task from stopping.
func retry(ctx context.Context, f func() error) (err error) {
	const tries = 6
	pause := 100 * time.Millisecond
	for try := 1; ; try++ {
		if err = f(); err == nil || try == tries || !sleep(ctx, pause) {
			return err
		}
		pause *= 2
	}
}

// logRead is one line and how many bytes of the log it took.
type logRead struct {
	line  LogLine
	bytes int64
}

// readLines reads lines until the log or ctx ends. Nobody may wait for its channel without reading it.
func readLines(ctx context.Context, log io.Reader, lines chan<- logRead) {
	defer close(lines)
	in := bufio.NewReaderSize(log, longestLine)
	for {
		raw, err := in.ReadSlice('\n')
		if len(raw) > 0 {
			text := strings.TrimRight(strings.ToValidUTF8(string(raw), "\uFFFD"), "\r\n")
			select {
			case lines <- logRead{LogLine{At: time.Now(), Text: text}, int64(len(raw))}:
			case <-ctx.Done():
				return
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// gather takes what else is there already. Empty lines count as read but are no events: CloudWatch Logs takes none.
func gather(first logRead, lines <-chan logRead) (batch []LogLine, read int64) {
	add := func(l logRead) {
		read += l.bytes
		if l.line.Text != "" {
			batch = append(batch, l.line)
		}
	}
	add(first)
	for len(batch) < logBatch {
		select {
		case l, ok := <-lines:
			if !ok {
				return batch, read
			}
			add(l)
		default:
			return batch, read
		}
	}
	return batch, read
}

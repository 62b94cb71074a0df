package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// The images of containers that belong to no task are made here, from files, and named for what is in them. Engines of
// several state directories share them.
const (
	pauseRepository    = "medusa-deploy-pause"
	buildkitRepository = "medusa-deploy-buildkit"
)

// ensurePause makes the image of the containers that hold tasks' networks.
func (e *Engine) ensurePause(ctx context.Context) error {
	program, err := pauseProgram(e.platform().Architecture)
	if err != nil {
		return err
	}
	file := archived{name: "pause", contents: program, mode: 0o755}
	identity, err := identify([]archived{file})
	if err != nil {
		return err
	}
	e.pause = pauseRepository + ":" + identity
	return e.ensureImage(ctx, e.pause, `ENTRYPOINT ["/pause"]`, func() io.ReadCloser { return archive(file) })
}

// ensureImage imports an image that is not there.
func (e *Engine) ensureImage(ctx context.Context, ref, change string, files func() io.ReadCloser) error {
	_, err := e.api.ImageInspect(ctx, ref)
	if there, err := found(err); err != nil || there {
		return err
	}
	e.log.DebugContext(ctx, "making an image", "image", ref)
	content := files()
	importing, err := e.api.ImageImport(ctx, client.ImageImportSource{Source: content, SourceName: "-"}, ref, client.ImageImportOptions{
		Changes: []string{change, "LABEL " + labelHelper + "=true"}, Platform: e.platform(),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("make the image %s: %w", ref, err), content.Close())
	}
	_, err = io.Copy(io.Discard, importing) // it is there when the answer ends
	if err = errors.Join(err, importing.Close(), content.Close()); err == nil {
		_, err = e.api.ImageInspect(ctx, ref) // an error can be in the answer as well
	}
	if err != nil {
		return fmt.Errorf("make the image %s: %w", ref, err)
	}
	return nil
}

// removeHelpers removes the images of a repository that no container uses.
func removeHelpers(ctx context.Context, api *client.Client, repository string) error {
	out, err := api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", repository+":*").Add("label", labelHelper)})
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	for _, img := range out.Items {
		for _, tag := range img.RepoTags {
			_, err := api.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true})
			if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
				return fmt.Errorf("remove image %s: %w", tag, err)
			}
		}
	}
	return nil
}

// lastWords are the end of a helper's log.
func (e *Engine) lastWords(ctx context.Context, name string) string {
	stream, err := e.api.ContainerLogs(ctx, name, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "3"})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = stream.Close() }()
	var words engine.Tail
	if _, err := stdcopy.StdCopy(&words, &words, stream); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(words.String())
}

// stillRuns says whether a container that should run for ever has ended.
func (e *Engine) stillRuns(ctx context.Context, name string) error {
	out, err := e.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err == nil && !out.Container.State.Running {
		return fmt.Errorf("it ended with exit code %d", out.Container.State.ExitCode)
	}
	return err
}

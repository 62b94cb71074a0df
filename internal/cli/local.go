package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws"
	"github.com/medusa-deploy/medusa-deploy/internal/localci"
	"github.com/spf13/cobra"
)

func newLocal(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local COMMAND",
		Short: "the local AWS: an ECR and ECS on this machine",
		Long: `local AWS serves the APIs of Amazon ECR, Amazon ECS, CloudWatch Logs and STS on one loopback address, and runs real
containers. It needs no account and no network. Any AWS tool works on it: eval "$(medusa-deploy local env)".`,
		Example: `  medusa-deploy local up
  eval "$(medusa-deploy local env)" && aws ecs list-clusters
  medusa-deploy local down`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLocalUp(g), newLocalDown(g), newLocalStatus(g), newLocalEnv(g), newLocalReset(g), newLocalHook(g), newLocalStandin(g))
	return cmd
}

// localFlags are what `local up` takes; the background server gets them again.
type localFlags struct {
	listen, advertise, rates, engine, engineDir string
	steadyAfter, healthyAfter                   time.Duration
	foreground, ci                              bool
}

func newLocalUp(g *globals) *cobra.Command {
	f := &localFlags{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "start local AWS; one that runs already is a success",
		Long: `up starts local AWS in the background and returns when it answers. After a crash it finds the containers that went
on running and takes them over again.

--ci adds a git repository whose push runs the workflows of the pushed commit, and the remote local to this work tree.`,
		Example: `  medusa-deploy local up
  medusa-deploy local up --ci && git push local main
  medusa-deploy local up --listen 127.0.0.1:0
  sudo medusa-deploy local up --foreground`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := g.localDir()
			if err != nil {
				return err
			}
			if f.foreground && f.ci {
				return usage(cmd, errors.New("--ci does not go with --foreground: run local up --ci in another terminal, which finds it running"))
			}
			if f.foreground {
				return serveLocal(cmd.Context(), g, f, dir)
			}
			return startLocal(cmd.Context(), g, f, dir)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", "", "address to listen on (default: 127.0.0.1:4566, or where it listened before); port 0 takes a free one")
	cmd.Flags().StringVar(&f.advertise, "advertise", "", "HOST:PORT by which clients reach it, when that is not where it listens: a port forward, or a proxy")
	cmd.Flags().StringVar(&f.rates, "rates", "", "aws: refuse calls beyond AWS's documented request rates (default: no rates)")
	cmd.Flags().StringVar(&f.engine, "engine", engineAuto, "what runs containers: containerd (built in; needs root on Linux), docker, or simulated (none run: for scale tests); auto: the first that can run here")
	cmd.Flags().StringVar(&f.engineDir, "engine-dir", "", "where the engine's programs are (default: $MEDUSA_DEPLOY_ENGINE_DIR, or beside this program)")
	cmd.Flags().DurationVar(&f.steadyAfter, "steady-after", 40*time.Second, "how long a task must run to count when it has neither load balancer nor health check")
	cmd.Flags().DurationVar(&f.healthyAfter, "healthy-after", 0, "how long a task must run to count although its health checks pass, to rehearse crashes that come late (on AWS: up to 30s)")
	cmd.Flags().BoolVar(&f.ci, "ci", false, "add local CI: a git repository whose push runs the workflows, and the remote local to this work tree")
	cmd.Flags().BoolVar(&f.foreground, "foreground", false, "stay in the foreground; an interrupt stops it")
	return cmd
}

// engineAuto leaves the choice of the engine to local AWS.
const engineAuto = "auto"

func (f *localFlags) options(dir string, log *slog.Logger) localaws.Options {
	engine := f.engine
	if engine == engineAuto {
		engine = ""
	}
	return localaws.Options{
		Dir: dir, Listen: f.listen, Advertise: f.advertise, Rates: f.rates, Engine: engine, EngineDir: f.engineDir,
		SteadyAfter: f.steadyAfter, HealthyAfter: f.healthyAfter, Log: log,
	}
}

func serveLocal(ctx context.Context, g *globals, f *localFlags, dir string) error {
	level := slog.LevelInfo
	if g.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(g.sys.Stderr, &slog.HandlerOptions{Level: level}))
	return localaws.Serve(ctx, f.options(dir, log), func(info localaws.Info) {
		fmt.Fprintf(g.sys.Stdout, "local AWS answers on %s (engine: %s); ctrl-c stops it\n", info.Endpoint, info.Engine)
	})
}

func startLocal(ctx context.Context, g *globals, f *localFlags, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	info, started, err := localaws.Up(ctx, f.options(dir, g.logger()), func(o localaws.Options) *exec.Cmd {
		args := []string{"local", "up", "--foreground", "--local-dir", o.Dir, "--engine", cmp.Or(o.Engine, engineAuto), "--steady-after", o.SteadyAfter.String(), "--healthy-after", o.HealthyAfter.String()}
		if o.Listen != "" {
			args = append(args, "--listen", o.Listen)
		}
		if o.Advertise != "" {
			args = append(args, "--advertise", o.Advertise)
		}
		if o.Rates != "" {
			args = append(args, "--rates", o.Rates)
		}
		if o.EngineDir != "" {
			args = append(args, "--engine-dir", o.EngineDir)
		}
		return exec.Command(self, args...)
	})
	if err != nil {
		return err
	}
	var remote string
	var added bool
	if f.ci {
		if remote, added, err = createCI(ctx, f, info.Dir); err != nil {
			return err
		}
	}
	if g.output == "json" {
		facts := map[string]any{"endpoint": info.Endpoint, "engine": info.Engine, "pid": info.PID, "dir": info.Dir, "started": started}
		if info.EngineReason != "" {
			facts["engineReason"] = info.EngineReason
		}
		if f.ci {
			facts["repository"], facts["remote"] = localci.In(info.Dir).Repository(), remote
		}
		return json.NewEncoder(g.sys.Stdout).Encode(facts)
	}
	verb := "runs already"
	if started {
		verb = "is up"
	}
	fmt.Fprintf(g.sys.Stdout, "local AWS %s on %s (engine: %s)\n", verb, info.Endpoint, info.Engine)
	if started && info.EngineReason != "" {
		fmt.Fprintf(g.sys.Stdout, "  engine: %s, because %s\n", info.Engine, strings.ReplaceAll(info.EngineReason, "\n", "\n  "))
	}
	if started {
		fmt.Fprintln(g.sys.Stdout, "  next: medusa-deploy ship --target local\n  for AWS tools: eval \"$(medusa-deploy local env)\"")
	}
	if f.ci {
		return tellCI(g, info.Dir, remote, added)
	}
	return nil
}

func newLocalDown(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "stop local AWS and everything it runs; its state stays",
		Example: "  medusa-deploy local down",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := g.localDir()
			if err != nil {
				return err
			}
			if err := localci.In(dir).Stop(cmd.Context()); err != nil {
				return err
			}
			if err := localaws.Down(cmd.Context(), dir, g.logger()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(g.sys.Stdout, "local AWS is down")
			return err
		},
	}
}

func newLocalReset(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "reset",
		Short:   "stop local AWS and forget its state: images, services, logs",
		Example: "  medusa-deploy local reset",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := g.localDir()
			if err != nil {
				return err
			}
			if err := localci.In(dir).Remove(cmd.Context()); err != nil {
				return err
			}
			if err := localaws.Reset(cmd.Context(), dir, g.logger()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(g.sys.Stdout, "local AWS is down and its state is gone")
			return err
		},
	}
}

func newLocalStatus(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "whether local AWS runs, and where its services answer",
		Example: "  medusa-deploy local status --output json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := g.localDir()
			if err != nil {
				return err
			}
			status, err := localaws.Inspect(cmd.Context(), dir)
			if err != nil {
				return err
			}
			ci, err := statusOfCI(dir)
			if err != nil {
				return err
			}
			if g.output == "json" {
				return json.NewEncoder(g.sys.Stdout).Encode(struct {
					localaws.Status
					CI *ciStatus `json:"ci,omitempty"`
				}{status, ci})
			}
			return printLocal(g.sys.Stdout, dir, status, ci)
		},
	}
}

func printLocal(w io.Writer, dir string, s localaws.Status, ci *ciStatus) error {
	p := &printer{w: w}
	switch {
	case s.Running:
		p.line("local AWS runs on %s (engine: %s, pid %d)", s.Info.Endpoint, s.Info.Engine, s.Info.PID)
	case s.Starting:
		p.line("local AWS is starting or stopping\n  its log: %s", filepath.Join(dir, "local.log"))
	case s.Crashed:
		p.line("local AWS crashed; its containers may still run\n  take them over again: medusa-deploy local up\n  stop them: medusa-deploy local down")
	default:
		p.line("local AWS is not running\n  start it: medusa-deploy local up")
	}
	if s.Running && s.Info.Rates != "" {
		p.line("  %s", ratesText(s))
	}
	for _, one := range s.Services {
		p.line("  %s/%s  %d of %d running  %s", one.Cluster, one.Name, one.Running, one.Desired, one.URL)
	}
	p.ci(ci)
	return p.err
}

// ratesText says how the rates that are enforced were kept.
func ratesText(s localaws.Status) string {
	calls, throttled := 0, 0
	for _, c := range s.Calls {
		calls += c.Calls
		throttled += c.Throttled
	}
	return fmt.Sprintf("the rates of %s are enforced: %d of %d calls were throttled", s.Info.Rates, throttled, calls)
}

func newLocalEnv(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "print the variables that point any AWS tool at local AWS",
		Example: `  eval "$(medusa-deploy local env)"
  aws ecr get-login-password | docker login --username AWS --password-stdin "$ECR_URL"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := g.runningLocal(cmd.Context())
			if err != nil {
				return err
			}
			p := &printer{w: g.sys.Stdout}
			for _, pair := range info.Env() {
				name, value, _ := strings.Cut(pair, "=")
				if g.output == "json" {
					continue
				}
				p.line("export %s=%s", name, shellQuote(value))
			}
			if g.output == "json" {
				return json.NewEncoder(g.sys.Stdout).Encode(envMap(info.Env()))
			}
			return p.err
		},
	}
}

func envMap(pairs []string) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return m
}

// shellQuote makes a POSIX shell word of any text.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

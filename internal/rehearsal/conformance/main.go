// Command conformance runs the OCI distribution specification's own tests, unmodified, on the registry of a real local AWS,
// with a password of ECR's. It prints what was tested, each failure, and one line that sums it up; it fails when a test
// failed, or when tests that should have run did not.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	suite   string
	results string
	verbose bool
}

func main() {
	var o options
	o.Flags()
	flag.StringVar(&o.suite, "suite", "bin/peers/conformance", "the specification's test program")
	flag.StringVar(&o.results, "results", "", "directory for its reports (default: none are kept)")
	flag.BoolVar(&o.verbose, "all", false, "print every test")
	rehearsal.Main("conformance", func(ctx context.Context) error {
		if err := rehearsal.Absolute(&o.suite); err != nil {
			return err
		}
		return o.OnLocalAWS(ctx, o.run, "--engine", "simulated") // no container is needed, and so no root
	})
}

// repositories are what the suite uses. As on ECR, they must exist before something is pushed to them.
var repositories = []string{"conformance/one", "conformance/two"}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) error {
	registry, err := stage.Registry(ctx)
	if err != nil {
		return err
	}
	if err := registry.Create(ctx, repositories...); err != nil {
		return err
	}
	if o.results == "" {
		o.results = filepath.Join(stage.Dir, "results")
	}
	if err := rehearsal.Absolute(&o.results); err != nil {
		return err
	}
	output, failed := suite(ctx, o, registry)
	if o.verbose {
		fmt.Println(output)
	} else if _, summary, found := strings.Cut(output, "\nAPI conformance:"); found {
		fmt.Print("the suite's summary:", summary)
	}
	r, err := readReport(o.results)
	if err != nil {
		return errors.Join(err, failed, errors.New(output))
	}
	r.print(os.Stdout)
	return errors.Join(failed, r.verdict())
}

// suite runs the test program. Everything that it can test is asked for, but for what ECR is known to do otherwise: see
// expected.
func suite(ctx context.Context, o options, registry *rehearsal.Registry) (string, error) {
	command := exec.CommandContext(ctx, o.suite)
	command.Dir = filepath.Dir(o.suite)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "OCI_") {
			command.Env = append(command.Env, pair)
		}
	}
	command.Env = append(command.Env,
		"OCI_REGISTRY="+registry.Host, "OCI_TLS=disabled", "OCI_USERNAME="+registry.Username, "OCI_PASSWORD="+registry.Password,
		"OCI_REPO1="+repositories[0], "OCI_REPO2="+repositories[1], "OCI_RESULTS_DIR="+o.results, "OCI_VERSION=1.1",
		"OCI_API_BLOBS_UPLOAD_CANCEL=true", "OCI_API_BLOBS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_DIGEST_HEADER=true",
	)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("the suite: %w", err)
	}
	return output.String(), nil
}

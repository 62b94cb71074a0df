package main

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report is the suite's own, in JUnit's form.
type report struct {
	Suites []struct {
		Cases []testCase `xml:"testcase"`
	} `xml:"testsuite"`
}

// testCase is one test.
type testCase struct {
	Name   string `xml:"name,attr"`   // "OCI Conformance Test/sha256 blobs/mount/blob-mount"
	Status string `xml:"status,attr"` // passed, skipped, failure or error
	Why    string `xml:"system-out"`  // of a test that did not pass
}

// exception is a test that is not passed on purpose, because ECR does not do it either.
type exception struct {
	about string // is in the name of the test
	why   string
}

// expected are all of them. A test that does not pass and is not here fails the run, and so does one here that passes.
var expected = []exception{
	{"mount anonymous/blob-mount-anonymous", "optional; ECR mounts only from a repository that is named (from=…), and takes the upload otherwise"},
}

// switchedOff are the optional parts that the suite is not asked to test.
var switchedOff = []exception{
	{"sparse manifests", "ECR refuses a manifest whose layers or images it does not have (LayersNotFound, ReferencedImagesNotFound)"},
	{"tag parameters of a manifest PUT", "a draft of a later specification"},
}

// leastTests are as many as the pinned suite has, nearly: a run that stops early must not look like a good one.
const leastTests = 690

// results are the tests of a report by their outcome.
type results struct {
	total           int
	passed          map[string]int // by group
	failed, skipped []testCase
}

func readReport(dir string) (results, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "junit.xml"))
	if err != nil {
		return results{}, fmt.Errorf("read the suite's report: %w", err)
	}
	var r report
	if err := xml.Unmarshal(raw, &r); err != nil {
		return results{}, fmt.Errorf("read the suite's report: %w", err)
	}
	all := results{passed: map[string]int{}}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			all.add(c)
		}
	}
	return all, nil
}

func (r *results) add(c testCase) {
	r.total++
	c.Why = strings.TrimSpace(c.Why)
	switch c.Status {
	case "passed":
		r.passed[c.group()]++
	case "skipped":
		r.skipped = append(r.skipped, c)
	default:
		r.failed = append(r.failed, c)
	}
}

// group is the part of the name that says what was tested: "sha256 blobs".
func (c testCase) group() string {
	_, rest, _ := strings.Cut(c.Name, "/")
	group, _, _ := strings.Cut(rest, "/")
	return cmp.Or(group, "all")
}

// explained gives the reason of an expected exception; empty when it is none.
func (c testCase) explained() string {
	for _, e := range expected {
		if strings.Contains(c.Name, e.about) {
			return e.why
		}
	}
	return ""
}

func (r *results) print(out io.Writer) {
	groups := make([]string, 0, len(r.passed))
	for group, n := range r.passed {
		groups = append(groups, fmt.Sprintf("%s %d", group, n))
	}
	slices.Sort(groups)
	fmt.Fprintf(out, "passed: %s\n", strings.Join(groups, ", "))
	for _, off := range switchedOff {
		fmt.Fprintf(out, "not asked for: %s: %s\n", off.about, off.why)
	}
	for _, c := range r.skipped {
		fmt.Fprintf(out, "skipped by the suite: %s\n  %s\n", c.Name, cmp.Or(c.explained(), c.Why))
	}
	for _, c := range r.failed {
		fmt.Fprintf(out, "FAILED: %s\n  %s\n", c.Name, cmp.Or(c.explained(), c.Why))
	}
	fmt.Fprintf(out, "OCI conformance 1.1: %d tests: %d passed, %d failed, %d skipped\n",
		r.total, r.total-len(r.failed)-len(r.skipped), len(r.failed), len(r.skipped))
}

// verdict is an error unless every test that was asked for ran, and passed or is an exception.
func (r *results) verdict() error {
	var wrong []error
	if r.total < leastTests {
		wrong = append(wrong, fmt.Errorf("only %d tests ran, of at least %d", r.total, leastTests))
	}
	for _, c := range slices.Concat(r.failed, r.skipped) {
		if c.explained() == "" {
			wrong = append(wrong, fmt.Errorf("not passed: %s: %s", c.Name, c.Why))
		}
	}
	return errors.Join(wrong...)
}

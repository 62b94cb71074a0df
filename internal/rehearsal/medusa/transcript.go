package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// script is a story as it was told.
type script struct{ text string }

func (s *show) script() script {
	text := strings.ReplaceAll(s.text.String(), s.State, "~/.local/state/medusa-deploy/local")
	for _, drop := range hidden {
		text = drop.ReplaceAllString(text, "")
	}
	return script{strings.TrimLeft(text, "\n")}
}

// hidden is what does not matter to a reader, and comes in any number and order: steps of a build (they run side by side),
// what a rollout looks like in between, the migration's log, signs of life.
var hidden = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^(remote: *)?  \[.*\n`),
	regexp.MustCompile(`(?m)^(remote: *)?\s*still in .*\n`),
	regexp.MustCompile(`(?m)^(remote: *)?\s*\S+ [a-z ]+: \d+ of \d+ running.*\n`),
	regexp.MustCompile(`(?m)^(remote: *)?\s*.*"level":"(info|warn|http)".*\n`),
	regexp.MustCompile(`(?m)[ \t\x1b\[K]+$`),
	regexp.MustCompile(`(?m)^base image: \w+ made .*\n`),
}

// volatile is what differs from run to run in what stays, and what stands for it when two stories are compared.
var volatile = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`made in \d+(\.\d+)? s`), "made"},
	{regexp.MustCompile(`found in the cache in \d+(\.\d+)? s`), "made"},
	{regexp.MustCompile(`\b(\d+m ?)?\d+(\.\d+)? ?s\b`), "T"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (minutes|MB)\b`), "N $2"},
	{regexp.MustCompile(`\b(check|build|authenticate|push|migrate|deploy|verify|rollback) \d+\.\d\b`), "$1 T"},
	{regexp.MustCompile(`\b\d+ of \d+ steps cached`), "steps cached"},
	{regexp.MustCompile(`sent meanwhile: \d+`), "sent meanwhile: N"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`pid \d+`), "pid N"},
	{regexp.MustCompile(`\b[0-9a-f]{7,64}\b`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`), "DATE"},
}

// timeless is a story with nothing in it that differs from run to run, by lines.
func timeless(text string) []string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	return strings.Split(text, "\n")
}

const before = "<!-- Written by `make medusa-test UPDATE=1`, which does all this; without UPDATE it does it again and compares.\nTimes are of a machine with two cores. -->\n\n```console\n"

// compare holds the story against a file of the docs, or writes it there.
func (s script) compare(path string, update bool) error {
	got := before + s.text + "```\n"
	if update {
		return os.WriteFile(path, []byte(got), 0o644)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(timeless(string(want)), timeless(got)); diff != "" {
		return errors.Join(fmt.Errorf("%s is not what happened; if it should be: make medusa-test UPDATE=1", path), errors.New(diff))
	}
	return nil
}

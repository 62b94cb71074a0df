package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
)

// write prints the table of docs/medusa.md.
func write(out io.Writer, base nodebase.Base, results []result) {
	header := []string{""}
	rows := [][]string{
		{"image, unpacked"}, {"image, compressed"}, {"of it the base image"}, {"cold build"}, {"nothing changed"}, {"one line of source changed"},
		{"… and what a push of that moves"}, {"that on a fresh machine"}, {"… and what a push of that moves"},
	}
	for _, r := range results {
		header = append(header, r.name)
		cells := []string{
			megabytes(r.image.unpacked()), megabytes(r.image.compressed()), megabytes(base.Bytes), seconds(r.cold), seconds(r.unchanged), seconds(r.changed),
			megabytes(r.changedBytes), seconds(r.again), megabytes(r.againBytes),
		}
		if r.again == 0 {
			cells[7], cells[8] = "", ""
		}
		for i, cell := range cells {
			rows[i] = append(rows[i], cell)
		}
	}
	if len(results) > 0 && results[0].again == 0 {
		rows = rows[:7]
	}
	rehearsal.WriteTable(out, header, rows)
}

func megabytes(n int64) string {
	if n < 10e6 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// dependencies is what a push after a change of the source may move at most: far more than the app, far less than what it
// depends on.
const dependencies = 10e6

// judge holds the first result against what is promised of it.
func judge(results []result) error {
	ours := results[0]
	var faults []error
	for _, other := range results[1:] {
		if ours.image.unpacked() >= other.image.unpacked() || ours.image.compressed() >= other.image.compressed() {
			faults = append(faults, fmt.Errorf("%s is not smaller than %s", ours.name, other.name))
		}
	}
	if ours.changedBytes >= dependencies {
		faults = append(faults, fmt.Errorf("a change of the source moves %s: the dependencies were made anew", megabytes(ours.changedBytes)))
	}
	return errors.Join(faults...)
}

// SPDX-License-Identifier: Apache-2.0

// Program bench measures what a person waits for, and prints ratios of one run: the figures of two machines say little
// about each other, those of two programs on one machine do. test/run --bench prepares the machine and runs it.
//
// Each figure is the median and the 95th percentile of its runs, after one that is not counted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	runs := flag.Int("runs", 30, "")
	only := flag.String("only", "", "generator, start, newer, vm, pull, releases or update")
	inside := flag.String("inside", "", "for bench itself, on a host")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *inside != "" {
		run := insideHost
		if *inside == "update" {
			run = insideUpdate
		}
		if err := run(ctx, *runs); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	failed := false
	for _, part := range []struct {
		name string
		run  func(context.Context, int) error
	}{{"generator", benchGenerator}, {"start", benchStart}, {"newer", benchStartNewer}, {"vm", benchStartVM}, {"pull", benchPull}, {"releases", benchReleases}, {"update", benchUpdate}} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(ctx, *runs); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", part.name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// figure is what many runs of one thing took.
type figure struct{ Median, P95 time.Duration }

func (f figure) String() string {
	return fmt.Sprintf("%9.2f ms  p95 %9.2f ms", ms(f.Median), ms(f.P95))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ratio is how often b fits into a.
func ratio(a, b figure) string { return fmt.Sprintf("%.2f", float64(a.Median)/float64(b.Median)) }

// measure runs each of the things in turn, round by round, so that a slow second hits all of them.
//
// Before each, it waits for pause: what one leaves to be done must not cost the next.
func measure(runs int, pause time.Duration, things ...func() error) ([]figure, error) {
	times := make([][]time.Duration, len(things))
	for round := range runs + 1 {
		for i, thing := range things {
			time.Sleep(pause)
			start := time.Now()
			if err := thing(); err != nil {
				return nil, err
			}
			if round > 0 {
				times[i] = append(times[i], time.Since(start))
			}
		}
	}
	var figures []figure
	for _, t := range times {
		figures = append(figures, figureOf(t))
	}
	return figures, nil
}

func figureOf(times []time.Duration) figure {
	slices.Sort(times)
	return figure{times[len(times)/2], times[min(len(times)-1, len(times)*95/100)]}
}

func row(name string, f figure, rest string) { fmt.Printf("  %-34s %v  %s\n", name, f, rest) }

// tempDir is in memory if it can be, as /run is: what a disk does is not what is measured.
func tempDir() (string, func(), error) {
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "syscontainer-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

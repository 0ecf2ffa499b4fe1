// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// application is the part of a Debian root that stands for what is built anew for each release, in one layer: thousands of
// files as real ones are, few of them large.
var application = []string{"usr/share", "usr/include"}

// benchReleases pulls a week of daily releases of one image, all under one tag, to our store and to podman's. They are built as
// most are: the base layer stays, the application's layer is made anew, with new times on all of its files and new content in
// some, 1 percent of the image's. What a registry sends and what a disk holds depends on no clock: there are no runs.
func benchReleases(ctx context.Context, _ int) error {
	root, err := debian(ctx)
	if err != nil {
		return err
	}
	entries, err := image.Tree(root)
	if err != nil {
		return err
	}
	week := newReleases(entries)
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	storage := filepath.Join(dir, "registry")
	if err := os.Mkdir(storage, 0o755); err != nil {
		return err
	}
	r, err := image.Serve(host.Part("docker-registry"), storage)
	if err != nil {
		return err
	}
	defer r.Close()
	var sent atomic.Int64
	front, err := image.NewFront(r.Address, nil, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		pass(counted{w, &sent}, r)
	})
	if err != nil {
		return err
	}
	defer front.Close()
	p := &puller{ctx: ctx, reference: front.Address + "/bench:1", size: "6G"}
	defer p.unmount()
	stores := []*grownStore{{pull: func() error { return p.nothingBut(nil) }}}
	if err := p.mount(); err != nil {
		return err
	}
	p.last = p.next()
	stores[0].disk = p.last
	if _, err := exec.LookPath("podman"); err == nil {
		if err := p.mount(); err != nil {
			return err
		}
		disk := p.next()
		stores = append(stores, &grownStore{disk: disk, pull: func() error { return p.podmanTo(disk) }})
	} else {
		fmt.Println("  podman is not installed here: nothing to compare with")
	}

	fmt.Println(week)
	for day := range 8 {
		if err := week.push(r, filepath.Join(dir, "oci"), day); err != nil {
			return err
		}
		for _, s := range stores {
			if err := s.grow(&sent); err != nil {
				return err
			}
		}
		name := fmt.Sprintf("release of day %d", day)
		if day == 0 {
			name = "first pull"
		}
		fmt.Printf("  %-34s %s\n", name, compared(stores, func(s *grownStore) (int64, int64) { return s.fetched[day], s.grown[day] }))
	}
	fmt.Printf("  %-34s %s\n", "one release, median of the week", compared(stores, func(s *grownStore) (int64, int64) {
		return median(s.fetched[1:]), median(s.grown[1:])
	}))
	return nil
}

// releases are the images of a week.
type releases struct {
	base, app []image.Entry
	files     []int // of app: the regular ones
	all       int   // regular files of the image
	size      int   // of the application's, in bytes
	daily     int   // bytes of files that a day changes, on average
}

func newReleases(entries []image.Entry) *releases {
	w := &releases{}
	for _, e := range entries {
		regular := len(e.Data) > 0
		if regular {
			w.all++
		}
		if !slices.ContainsFunc(application, func(dir string) bool { return strings.HasPrefix(e.Name, dir+"/") }) {
			w.base = append(w.base, e)
			continue
		}
		if regular {
			w.files = append(w.files, len(w.app))
		}
		w.app = append(w.app, e)
		w.size += len(e.Data)
	}
	w.daily = w.size / len(w.files) * (w.all / 100)
	return w
}

func (w *releases) String() string {
	return fmt.Sprintf("a week of daily releases of one image: %d files, %d of them in a layer of %d MB that is made anew, %d files (about %.1f MB) changed each day",
		w.all, len(w.files), w.size/1e6, w.all/100, float64(w.daily)/1e6)
}

// push lets bench:1 be the release of a day.
func (w *releases) push(r *image.Running, dir string, day int) error {
	rnd := rand.New(rand.NewPCG(uint64(day), 0))
	if day > 0 {
		for _, i := range rnd.Perm(len(w.files))[:w.all/100] {
			e := &w.app[w.files[i]]
			e.Data = bytes.Clone(e.Data)
			line := fmt.Appendf(nil, "release %d\n", day)
			copy(e.Data[rnd.IntN(len(e.Data)):], line)
			e.Data = append(e.Data, line...)
		}
	}
	for i := range w.app {
		w.app[i].ModTime = time.Unix(1_700_000_000+int64(day)*86_400, 0)
	}
	defer os.RemoveAll(dir)
	defer debug.FreeOSMemory()
	l, err := image.Create(dir)
	if err != nil {
		return err
	}
	if _, err := l.Put("bench", image.Image{Layers: []image.Layer{{Entries: w.base}, {Entries: w.app}}}); err != nil {
		return err
	}
	return r.Push("oci:"+dir+":bench", "bench:1")
}

// grownStore is a store on a disk of its own, and what each pull fetched and added to the disk, in bytes.
type grownStore struct {
	disk           string
	pull           func() error
	fetched, grown []int64
}

func (s *grownStore) grow(sent *atomic.Int64) error {
	before, err := synced(s.disk)
	if err != nil {
		return err
	}
	sent.Store(0)
	if err := s.pull(); err != nil {
		return err
	}
	after, err := synced(s.disk)
	s.fetched, s.grown = append(s.fetched, sent.Load()), append(s.grown, after-before)
	return err
}

// synced is what is used of a disk when all that waits to be written is.
func synced(disk string) (int64, error) {
	if out, err := exec.Command("sync", "--file-system", disk).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("sync: %w: %s", err, out)
	}
	return used(disk)
}

// compared are two figures of our store, and of podman's if there is one.
func compared(stores []*grownStore, of func(*grownStore) (fetched, grown int64)) string {
	mb := func(n int64) float64 { return float64(n) / 1e6 }
	fetched, grown := of(stores[0])
	if len(stores) == 1 {
		return fmt.Sprintf("fetched %.1f MB, disk grows %.1f MB", mb(fetched), mb(grown))
	}
	theirs, grows := of(stores[1])
	return fmt.Sprintf("fetched %6.1f MB / podman %6.1f MB = %.2f, disk grows %6.1f MB / podman %6.1f MB = %.3f",
		mb(fetched), mb(theirs), float64(fetched)/float64(theirs), mb(grown), mb(grows), float64(grown)/float64(grows))
}

func median(all []int64) int64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// counted adds up what is sent.
type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

func (c counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

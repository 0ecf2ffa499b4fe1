package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

const pruneHelp = `Usage: syscontainer prune [OPTION…]

Removes generations beyond Keep= of their unit, images that no unit, generation,
running container or pin needs, what interrupted commands left, and what units
that are gone have exported.

      --dry-run           say what would go and what stays, change nothing
      --grace TIME        keep what was used less than TIME ago: 30m, 48h, 7d, 0
  -h, --help              print this text
`

// pruner removes what nothing needs from the store below root.
type pruner struct {
	root   string
	writer *store.Writer
	users  *users
	grace  time.Duration
	dryRun bool
	now    time.Time

	freed   int64           // in bytes
	removed map[string]bool // digests of images that are, or would be
	locks   []*store.Lock   // of what is being removed from the repository
}

func runPrune(ctx context.Context, root string, args []string) error {
	settings, err := loadSettings(root)
	if err != nil {
		return err
	}
	flags := newFlags("syscontainer prune", func(w io.Writer) { io.WriteString(w, pruneHelp) })
	dryRun := flags.Bool("dry-run", false, "")
	grace := flags.String("grace", settings.pruneGrace.String(), "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("prune: unexpected argument %q, see syscontainer prune --help", flags.Arg(0))
	}
	p := &pruner{root: root, dryRun: *dryRun, now: time.Now()}
	if p.grace, err = parseTime(*grace); err != nil {
		return usagef("prune: --grace=%s: %v", *grace, err)
	}
	if err := pruneExports(ctx, root, *dryRun); err != nil {
		return err
	}
	if _, err := os.Stat(store.RepoOf(root, false)); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever stored
	}
	return p.prune(ctx)
}

func (p *pruner) prune(ctx context.Context) (err error) {
	if p.writer, err = store.OpenWriter(p.root); err != nil {
		return err
	}
	gone, generationsErr := pruneGenerations(p.root, p.dryRun)
	defer func() { err = errors.Join(generationsErr, err) }() // what else can go does
	p.users = usersOf(p.root)
	for digest, links := range p.users.generations {
		p.users.generations[digest] = slices.DeleteFunc(links, func(link string) bool { return slices.Contains(gone, link) })
	}
	for _, reason := range p.users.unknown {
		fmt.Fprintf(os.Stderr, "%ssyscontainer: all images stay, because it is unknown what needs them: %s\n", priority("4"), reason)
	}
	if !p.dryRun {
		if err := p.writer.Sweep(); err != nil {
			return err
		}
	}
	if err := p.images(ctx); err != nil {
		return err
	}
	if err := p.repository(ctx); err != nil {
		return err
	}
	if p.dryRun {
		fmt.Printf("would free about %s\n", size(p.freed))
		return nil
	}
	fmt.Printf("freed %s\n", size(p.freed))
	return p.writer.SweepLocks()
}

// images removes images, and references that lead to none.
func (p *pruner) images(ctx context.Context) error {
	listing, err := store.List(p.root)
	if err != nil {
		return err
	}
	p.removed = map[string]bool{}
	var checkouts []string
	for _, image := range listing.Images {
		if image.Vendor {
			continue
		}
		if p.removed[image.Digest], err = p.image(image); err != nil {
			return err
		}
		if p.dryRun && p.removed[image.Digest] {
			checkouts = append(checkouts, image.Rootfs())
		}
	}
	sizes, err := measure(ctx, checkouts...)
	if err != nil {
		return err
	}
	p.freed += sizes.own
	for _, path := range listing.Broken {
		if err := p.broken(path); err != nil {
			return err
		}
	}
	return nil
}

// broken removes a reference that leads to no image, unless it is just being
// given one.
func (p *pruner) broken(path string) error {
	if !p.writer.Owns(path) {
		return nil
	}
	if p.dryRun {
		p.say("%s: leads to no image", path)
		return nil
	}
	lock, err := p.writer.TryLockReference(filepath.Base(path))
	if err != nil || lock == nil {
		return err
	}
	defer lock.Release()
	if !store.IsBroken(path) {
		return nil
	}
	p.say("%s: leads to no image", path)
	return os.RemoveAll(path)
}

// image removes one image, unless something needs it.
func (p *pruner) image(image *store.Stored) (removed bool, err error) {
	why := p.reason(image)
	if why == "" && !p.dryRun {
		lock, err := p.writer.TryLockImage(image.Digest)
		if err != nil {
			return false, err
		}
		defer lock.Release()
		if lock == nil {
			why = "being fetched"
		} else if image, err = again(p.root, image); image == nil || err != nil {
			return false, err
		} else if err := p.users.refresh(p.root); err != nil {
			return false, err
		} else {
			why = p.reason(image)
		}
	}
	if why != "" {
		if p.dryRun {
			fmt.Printf("keep %s: %s\n", nameOf(image), why)
		}
		return false, nil
	}
	p.say("%s: nothing needs it, last used %s", nameOf(image), age(image.Used, p.now))
	if p.dryRun {
		return true, nil
	}
	return true, removeImage(p.writer, image)
}

// again looks at an image that is locked now: it may have been named or used
// since. nil means that it has been removed.
func again(root string, image *store.Stored) (*store.Stored, error) {
	listing, err := store.List(root)
	if err != nil {
		return nil, err
	}
	found, err := listing.ByDigest(image.Digest)
	if err != nil || found.Vendor {
		return nil, nil
	}
	return found, nil
}

// reason is why an image stays, "" if it goes.
func (p *pruner) reason(image *store.Stored) string {
	if why := p.users.need(image); why != "" {
		return why
	}
	if len(p.users.unknown) > 0 {
		return "it is unknown whether something needs it"
	}
	if used := p.now.Sub(image.Used); used < p.grace && p.grace > 0 {
		return "used " + age(image.Used, p.now) + ", within the grace period"
	}
	return ""
}

func (p *pruner) say(format string, args ...any) {
	verb := "remove "
	if p.dryRun {
		verb = "would remove "
	}
	fmt.Printf(verb+format+"\n", args...)
}

func nameOf(image *store.Stored) string {
	if len(image.References) == 0 {
		return "sha256:" + image.Digest
	}
	return strings.Join(image.References, ", ") + " (sha256:" + image.Digest[:12] + ")"
}

// removeImage takes an image away. Its lock is held. The references go first:
// whoever can follow one finds a whole image.
func removeImage(w *store.Writer, image *store.Stored) error {
	for _, reference := range image.References {
		if err := w.RemoveReference(reference); err != nil {
			return err
		}
	}
	return w.Remove(image.Digest)
}

// repository removes the refs of what is gone, and the objects that no ref
// leads to.
func (p *pruner) repository(ctx context.Context) error {
	repo, err := ostree.Open(p.writer.Repo())
	if errors.Is(err, fs.ErrNotExist) { // somebody is just making it
		return nil
	}
	if err != nil {
		return err
	}
	defer repo.Close()
	defer func() {
		for _, lock := range p.locks {
			lock.Release()
		}
	}()
	pruned, err := repo.Prune(ctx, ostree.PruneOptions{DryRun: p.dryRun, Choose: func(refs map[string]ostree.Checksum) ([]string, error) {
		return p.choose(repo, refs)
	}})
	p.freed += pruned.Bytes
	if err != nil && ctx.Err() == nil && !errors.Is(err, ostree.ErrBusy) {
		err = fmt.Errorf("%w\nhint: see syscontainer verify, no object goes while the repository is damaged", err)
	}
	return err
}

// choose returns the refs that stand for nothing any more. It runs while nobody
// can add any. An image whose refs are there already may be about to appear:
// then it is locked.
func (p *pruner) choose(repo *ostree.Repo, refs map[string]ostree.Checksum) (gone []string, err error) {
	stays, err := p.survey(repo)
	if err != nil {
		return nil, err
	}
	for ref := range refs {
		if stays(ref) {
			continue
		}
		ours, err := p.lock(ref)
		if err != nil {
			return nil, err
		}
		if ours {
			gone = append(gone, ref)
		}
	}
	// What was finished before we had its lock is seen now.
	if stays, err = p.survey(repo); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(gone, stays), nil
}

// lock holds what a ref stands for until the prune ends. False means that
// somebody else does, or that the ref is none of ours.
func (p *pruner) lock(ref string) (bool, error) {
	kind, name, _ := strings.Cut(ref, "/")
	var try func(string) (*store.Lock, error)
	switch kind {
	case "deploy":
		try = p.writer.TryLockImage
	case "image":
		try = p.writer.TryLockReference
	case "layer":
		try = p.writer.TryLockLayer
	default:
		return false, nil
	}
	if p.dryRun {
		return true, nil
	}
	lock, err := try(name)
	if lock != nil {
		p.locks = append(p.locks, lock)
	}
	return lock != nil, err
}

// survey tells which refs the images that are left need.
func (p *pruner) survey(repo *ostree.Repo) (stays func(ref string) bool, err error) {
	listing, err := store.List(p.root)
	if err != nil {
		return nil, err
	}
	written, err := repo.RefTimes("")
	if err != nil {
		return nil, err
	}
	needed, blind := map[string]bool{}, len(p.users.unknown) > 0
	for _, image := range listing.Images {
		if image.Vendor || p.dryRun && p.removed[image.Digest] {
			continue
		}
		needed[deployRef(image.Digest)] = true
		for _, reference := range image.References {
			needed[imageRef(reference)] = true
		}
		config, err := image.Document("config.json")
		ids := diffIDs(config)
		if err != nil || ids == nil {
			blind = true // a damaged image does not tell its layers
		}
		for _, id := range ids {
			needed[layerRef(id)] = true
		}
	}
	return func(ref string) bool {
		// A layer without an image is of a fetch that was interrupted and may go on.
		waits := strings.HasPrefix(ref, "layer/") && (blind || p.now.Sub(written[ref]) < p.grace)
		return needed[ref] || waits
	}, nil
}

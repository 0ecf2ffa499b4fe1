package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

const verifyHelp = `Usage: syscontainer verify [--json] [IMAGE…]

Reads every object and every checkout of the images, or of all, and compares
them with their checksums. Prints what is damaged, missing or extra, and fails
if there was anything.

      --json              print an array of objects
  -h, --help              print this text
`

// problem is one thing wrong with a stored image.
type problem struct {
	Image      string   `json:"image"` // digest; "" for the store itself
	References []string `json:"references"`
	Path       string   `json:"path"` // in the image, or of a file of the store
	Object     string   `json:"object,omitempty"`
	Problem    string   `json:"problem"`
}

func (p problem) String() string {
	name := "the store"
	switch {
	case len(p.References) > 0:
		name = p.References[0]
	case p.Image != "":
		name = "sha256:" + p.Image
	}
	if p.Path == "" {
		return name + ": " + p.Problem
	}
	return name + ": " + p.Path + " " + p.Problem
}

func runVerify(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer verify", func(w io.Writer) { io.WriteString(w, verifyHelp) })
	asJSON := flags.Bool("json", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	listing, err := store.List(root)
	if err != nil {
		return err
	}
	images := listing.Images
	if flags.NArg() > 0 {
		if images, err = find(root, listing, flags.Args()); err != nil {
			return err
		}
	}
	problems := []problem{}
	found := func(p problem) {
		p.References = append([]string{}, p.References...) // [] in JSON, not null
		problems = append(problems, p)
		if !*asJSON {
			fmt.Println(p)
		}
	}
	if flags.NArg() == 0 {
		for _, path := range listing.Broken {
			found(problem{Path: path, Problem: "leads to no image"})
		}
		if err := verifyRefs(root); err != nil {
			found(problem{Path: store.RepoOf(root, false), Problem: err.Error()})
		}
		verifyGenerations(root, found)
	}
	if err := verify(ctx, root, images, found); err != nil {
		return err
	}
	if *asJSON {
		if err := printJSON(problems); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("verify: %d problems found\nhint: syscontainer pull --repair IMAGE mends an image", len(problems))
	}
	return nil
}

// verifyRefs looks for refs that cannot be read, also of images that are gone:
// nothing can be pruned while there is one.
func verifyRefs(root string) error {
	repo, err := ostree.Open(store.RepoOf(root, false))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer repo.Close()
	_, err = repo.Refs("")
	return err
}

// verify examines images of any store below root.
func verify(ctx context.Context, root string, images []*store.Stored, found func(problem)) error {
	for _, vendor := range []bool{false, true} {
		var here []*store.Stored
		for _, image := range images {
			if image.Vendor == vendor {
				here = append(here, image)
			}
		}
		if len(here) == 0 {
			continue
		}
		repo, err := ostree.Open(store.RepoOf(root, vendor))
		if err != nil {
			return err
		}
		err = examine(ctx, root, repo, here, found)
		repo.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// examine compares images with what the repository says they are, and the
// repository's objects with their checksums.
func examine(ctx context.Context, root string, repo *ostree.Repo, images []*store.Stored, found func(problem)) error {
	owners := map[ostree.Checksum][]*store.Stored{}
	for _, image := range images {
		tell := func(path, text string, args ...any) {
			found(problem{Image: image.Digest, References: image.References, Path: path, Problem: fmt.Sprintf(text, args...)})
		}
		commits, err := examineImage(ctx, root, repo, image, tell)
		if err != nil {
			return err
		}
		for _, commit := range commits {
			owners[commit] = append(owners[commit], image)
		}
	}
	commits := slices.SortedFunc(maps.Keys(owners), func(a, b ostree.Checksum) int { return bytes.Compare(a[:], b[:]) })
	told := map[string]bool{} // an object of an image is one of its layer, too
	return repo.Verify(ctx, commits, func(commit ostree.Checksum, p ostree.Problem) {
		for _, image := range owners[commit] {
			if key := image.Dir + p.Object; !told[key] && exists(image.Dir) { // else it was removed meanwhile
				told[key] = true
				found(problem{Image: image.Digest, References: image.References, Path: strings.TrimPrefix(p.Path, "/"+layerFiles),
					Object: p.Object, Problem: "is damaged: " + p.Err.Error()})
			}
		}
	})
}

// teller is told of a problem at a path.
type teller func(path, text string, args ...any)

// examineImage looks at everything of an image but its objects, and returns the
// commits whose objects are the image's and its layers'.
func examineImage(ctx context.Context, root string, repo *ostree.Repo, image *store.Stored, tell teller) ([]ostree.Checksum, error) {
	if !image.Vendor {
		// Nobody removes or replaces it meanwhile. A store that cannot be locked,
		// being read-only or full, is looked at nevertheless.
		if w, err := store.OpenWriter(root); err == nil {
			lock, err := w.LockImage(ctx, image.Digest, nil)
			if ctx.Err() != nil {
				return nil, err
			}
			defer lock.Release()
		}
	}
	return examineLocked(ctx, repo, image, madeUp(repo, image), tell)
}

// madeUp are the digests of documents that were stored without being what the image's digest leads to, see madeUpDocuments.
func madeUp(repo *ostree.Repo, image *store.Stored) []string {
	_, c, err := commitOf(repo, deployRef(image.Digest), manifestKey, image.Digest)
	if err != nil {
		return nil
	}
	text, _ := c.Metadata.Text(documentsKey)
	return strings.Fields(text)
}

// examineLocked accepts documents with one of the digests in made, too.
func examineLocked(ctx context.Context, repo *ostree.Repo, image *store.Stored, made []string, tell teller) ([]ostree.Checksum, error) {
	if _, err := os.Lstat(image.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed meanwhile
	}
	var commits []ostree.Checksum
	look := func(ref, key, digest string) (ostree.Checksum, *ostree.Commit, error) {
		commit, c, err := commitOf(repo, ref, key, digest)
		if !commit.IsZero() {
			commits = append(commits, commit)
		}
		missing := errors.Is(err, fs.ErrNotExist) && key == layerKey // it may be fetched again
		if err != nil && !missing && (commit.IsZero() || c != nil) { // else Verify tells
			tell(repo.Path(), "%v", err)
		}
		return commit, c, err
	}
	for _, id := range examineDocuments(image, made, tell) {
		look(layerRef(id), layerKey, id)
	}
	commit, c, err := look(deployRef(image.Digest), manifestKey, image.Digest)
	if err != nil {
		return commits, nil
	}
	for _, reference := range image.References {
		if err := examineReference(repo, image, reference, commit); err != nil {
			tell(repo.Path(), "%v", err)
		}
	}
	return commits, examineCheckout(ctx, repo, commit, c, image, tell)
}

// examineReference looks at the ref that goes with a reference. A fetch that is
// under way, or was interrupted, may have given it the commit of another image
// before the reference itself; that is no damage.
func examineReference(repo *ostree.Repo, image *store.Stored, reference string, commit ostree.Checksum) error {
	ref := imageRef(reference)
	named, err := repo.ResolveRef(ref)
	if err == nil && named != commit {
		err = fmt.Errorf("ref %s names another commit than %s", ref, deployRef(image.Digest))
		if c, other := repo.ReadCommit(named); other == nil {
			of, _ := c.Metadata.Text(manifestKey)
			if deployed, other := repo.ResolveRef(deployRef(strings.TrimPrefix(of, "sha256:"))); other == nil && deployed == named {
				err = nil
			}
		}
	}
	if err != nil && !image.Leads(reference) {
		return nil // removed, or another's meanwhile
	}
	return err
}

func examineCheckout(ctx context.Context, repo *ostree.Repo, commit ostree.Checksum, c *ostree.Commit, image *store.Stored, tell teller) error {
	special, err := specials(c)
	if err != nil {
		tell("", "the commit's list of special files: %v", err)
	}
	fifos := map[string]bool{}
	for _, s := range special {
		if s.Type == "fifo" {
			fifos["/"+s.Path] = true
		}
	}
	rootfs, err := os.OpenFile(image.Rootfs(), unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		tell(image.Rootfs(), "%v", err)
		return nil
	}
	defer rootfs.Close()
	examineFifos(rootfs, special, tell)
	return repo.Compare(ctx, commit, rootfs, func(path string) bool { return fifos[path] }, func(path string, err error) { tell(path, "%v", err) })
}

// examineDocuments returns the diff_ids of the image's layers, if they can be
// known.
func examineDocuments(image *store.Stored, made []string, tell teller) []string {
	manifest, ok := examineDocument(image, "manifest.json", "sha256:"+image.Digest, made, tell)
	if !ok {
		return nil
	}
	config, ok := examineDocument(image, "config.json", configOf(manifest), made, tell)
	if !ok {
		return nil
	}
	return diffIDs(config)
}

func examineDocument(image *store.Stored, name, want string, made []string, tell teller) ([]byte, bool) {
	data, err := image.Document(name)
	if err != nil {
		tell(image.Dir+"/"+name, "%v", err)
		return nil, false
	}
	if got := digestOf(data); got != want && !slices.Contains(made, got) {
		tell(image.Dir+"/"+name, "is not what was fetched: its digest is %s instead of %s", got, want)
		return nil, false
	}
	return data, true
}

// damage is what a repair has to mend.
type damage struct {
	objects  bool // some are to be written again
	checkout bool // it is to be made again
}

func (d damage) any() bool { return d.checkout || d.objects }

// findDamage examines an image that is about to be fetched again, as far as it
// is there.
func findDamage(ctx context.Context, root string, repo *ostree.Repo, digest string, diffIDs []string) (damage, error) {
	var d damage
	listing, err := store.List(root)
	if err != nil {
		return d, err
	}
	var commits []ostree.Checksum
	look := func(ref, key, digest string) {
		commit, _, err := commitOf(repo, ref, key, digest)
		switch {
		case err == nil:
			commits = append(commits, commit)
		case !errors.Is(err, fs.ErrNotExist):
			d.objects = true
		}
	}
	look(deployRef(digest), manifestKey, digest)
	for _, id := range diffIDs {
		look(layerRef(id), layerKey, id)
	}
	if err := repo.Verify(ctx, commits, func(ostree.Checksum, ostree.Problem) { d.objects = true }); err != nil {
		return d, err
	}
	image, err := listing.ByDigest(digest)
	if err != nil || image.Vendor {
		return d, nil
	}
	_, err = examineLocked(ctx, repo, image, nil, func(string, string, ...any) { d.checkout = true })
	return d, err
}

// diffIDs are the layers of an image's configuration, as hex digits.
func diffIDs(config []byte) (ids []string) {
	var c struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if json.Unmarshal(config, &c) != nil {
		return nil
	}
	for _, id := range c.RootFS.DiffIDs {
		if hex, ok := strings.CutPrefix(id, "sha256:"); ok {
			ids = append(ids, hex)
		}
	}
	return ids
}

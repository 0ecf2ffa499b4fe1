package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// States of a container before an update.
const (
	stateCurrent = "current" // it has the image already
	stateUpdate  = "update"
	statePinned  = "pinned" // its Image= names one image for ever
)

// change is what an update would do to one container; update --dry-run --json prints it, see syscontainer(1).
type change struct {
	Name         string         `json:"name"`
	Group        string         `json:"group,omitempty"`
	Reference    string         `json:"reference"`
	State        string         `json:"state"`
	From         string         `json:"from"` // "sha256:…"; "": it has no image yet
	To           string         `json:"to"`
	FailedBefore bool           `json:"failed_before"`
	FetchBytes   int64          `json:"fetch_bytes"`
	FetchLayers  int            `json:"fetch_layers"`
	Files        *fileChanges   `json:"files"` // nil: not known before it is fetched
	Config       []configChange `json:"config"`
	Powers       powerChanges   `json:"powers"`
	Restart      []string       `json:"restart"`
}

// renewal is a container, the image that it has, and the one that it would get.
type renewal struct {
	*updated
	reference string           // that was asked for
	local     bool             // what reference names in the store is wanted, no registry is asked
	old       *store.Image     // nil: it has none
	up        bool             // its service runs, from old
	source    *registry.Source // nil: nothing has to be fetched
	wanted    *registry.Image  // nil: pinned, and that is what it has
}

func (c *renewal) close() {
	if c.source != nil {
		c.source.Close()
	}
}

// upToDate tells whether there is nothing to do.
func (c *renewal) upToDate() bool {
	return c.wanted == nil || c.old != nil && c.wanted.Digest == c.old.Digest
}

// resolveLocal takes the image that a reference names in the store.
func resolveLocal(root string, c *renewal) error {
	image, err := store.Lookup(root, c.reference)
	if err != nil {
		return err
	}
	c.wanted = &registry.Image{Digest: image.Digest}
	if c.wanted.Manifest, err = image.Document("manifest.json"); err == nil {
		c.wanted.Config, err = image.Document("config.json")
	}
	return err
}

// resolve asks for the image that a reference names now. That is one request where the store has it.
func resolve(ctx context.Context, root string, c *renewal, options registry.Options) (err error) {
	options.Stored = func(digest string) (manifest, config []byte) {
		if image, err := store.ByDigest(root, digest, ""); err == nil {
			manifest, _ = image.Document("manifest.json")
			config, _ = image.Document("config.json")
		}
		return manifest, config
	}
	c.source, c.wanted, err = ask(ctx, c.reference, options)
	return err
}

// missing is what a fetch would transfer: layers that the repository has not got, each once.
func missing(root string, wanted *registry.Image, counted map[string]bool) (layers []registry.Layer) {
	repo, err := ostree.Open(store.RepoOf(root, false))
	if err == nil {
		defer repo.Close()
		if _, _, err := commitOf(repo, deployRef(wanted.Digest), manifestKey, wanted.Digest); err == nil {
			return nil
		}
	}
	for _, l := range wanted.Layers {
		id := l.DiffID.Encoded()
		if counted[id] {
			continue
		}
		counted[id] = true
		if repo != nil && err == nil {
			if _, stored := repo.ResolveRef(layerRef(id)); stored == nil {
				continue
			}
		}
		layers = append(layers, l)
	}
	return layers
}

// plan tells what would change. counted are layers that another container's plan has in it already.
func (c *renewal) plan(ctx context.Context, root string, counted map[string]bool) (*change, error) {
	p := &change{Name: c.name, Group: c.Update.Group, Reference: c.reference, State: stateUpdate,
		Config: []configChange{}, Powers: powerChanges{powers{}, powers{}}, Restart: []string{}}
	if c.old != nil {
		p.From = "sha256:" + c.old.Digest
	}
	switch {
	case c.wanted == nil:
		p.State, p.To = statePinned, p.From
		return p, nil
	case c.upToDate():
		p.State, p.To = stateCurrent, p.From
		return p, nil
	}
	p.To = "sha256:" + c.wanted.Digest
	for _, l := range missing(root, c.wanted, counted) {
		p.FetchBytes += l.Size
		p.FetchLayers++
	}
	if c.old == nil {
		return p, nil
	}
	config, err := c.old.Document("config.json")
	if err != nil {
		return nil, err
	}
	if p.Config, err = configChanges(config, c.wanted.Config); err != nil {
		return nil, err
	}
	before, after := treeOf(root, c.old.Digest), treeOf(root, c.wanted.Digest)
	defer before.close()
	defer after.close()
	if before == nil || after == nil {
		return p, nil
	}
	found, err := compareTrees(ctx, before, after)
	if err != nil {
		return nil, err
	}
	p.Files = &found.files
	if image, err := store.ByDigest(root, c.wanted.Digest, c.reference); err == nil {
		found.lost = append(found.lost, c.templatePowers(root, *c.old)...)
		found.powers = append(found.powers, c.templatePowers(root, image)...)
	}
	p.Powers = changedPowers(found.lost, found.powers)
	return p, nil
}

// mostListed is how many files a person is shown; --json has all.
const mostListed = 20

// print shows a plan to people.
func (p *change) print(w io.Writer) {
	switch p.State {
	case statePinned:
		fmt.Fprintf(w, "%s: pinned: Image= names the digest %s\n", p.Name, units.ImageDigest(p.Reference))
		return
	case stateCurrent:
		fmt.Fprintf(w, "%s: up to date, %s\n", p.Name, short(p.To))
		return
	}
	group := ""
	if p.Group != "" {
		group = ", of group " + p.Group
	}
	fmt.Fprintf(w, "%s%s: %s\n", p.Name, group, p.Reference)
	if p.From == "" {
		fmt.Fprintf(w, "  image    none -> %s\n", short(p.To))
	} else {
		fmt.Fprintf(w, "  image    %s -> %s\n", short(p.From), short(p.To))
	}
	if p.FailedBefore {
		fmt.Fprintf(w, "  warning  this digest has failed before\n")
	}
	switch p.FetchLayers {
	case 0:
		fmt.Fprintf(w, "  fetch    nothing, all is in the store\n")
	case 1:
		fmt.Fprintf(w, "  fetch    %s in 1 layer\n", size(p.FetchBytes))
	default:
		fmt.Fprintf(w, "  fetch    %s in %d layers\n", size(p.FetchBytes), p.FetchLayers)
	}
	switch {
	case p.Files == nil && p.From != "":
		fmt.Fprintf(w, "  files    known once it is fetched\n")
	case p.Files != nil && p.Files.none():
		fmt.Fprintf(w, "  files    the same\n")
	case p.Files != nil:
		fmt.Fprintf(w, "  files    %d added, %d changed, %d removed\n", len(p.Files.Added), len(p.Files.Changed), len(p.Files.Removed))
		listed := 0
		for _, list := range []struct {
			mark  string
			paths []string
		}{{"+", p.Files.Added}, {"~", p.Files.Changed}, {"-", p.Files.Removed}} {
			for _, path := range list.paths {
				if listed++; listed <= mostListed {
					fmt.Fprintf(w, "           %s %s\n", list.mark, units.Printable(path))
				}
			}
		}
		if listed > mostListed {
			fmt.Fprintf(w, "           and %d more, see --json\n", listed-mostListed)
		}
	}
	for i, change := range p.Config {
		title := "config"
		if i > 0 {
			title = ""
		}
		from, to := change.From, change.To
		if from == "" {
			from = "not set"
		}
		if to == "" {
			to = "not set"
		}
		fmt.Fprintf(w, "  %-9s%s: %s -> %s\n", title, units.Printable(change.Key), units.Printable(from), units.Printable(to))
	}
	for _, power := range p.Powers.Added {
		fmt.Fprintf(w, "  power    + %s\n", units.Printable(power))
	}
	for _, power := range p.Powers.Removed {
		fmt.Fprintf(w, "  power    - %s\n", units.Printable(power))
	}
	if len(p.Restart) > 0 {
		fmt.Fprintf(w, "  restart  %s\n", strings.Join(p.Restart, ", "))
	} else {
		fmt.Fprintf(w, "  restart  nothing\n")
	}
}

// short is the beginning of a digest, as long as people compare.
func short(digest string) string {
	digits := strings.TrimPrefix(digest, "sha256:")
	return "sha256:" + digits[:min(12, len(digits))]
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

const imagesHelp = `Usage: syscontainer images [--json]
       syscontainer images info [--json] IMAGE

Lists what is stored: reference, digest, age, size, how much of it no other
image shares, and the containers that use it.

      --json              print an array of objects
  -h, --help              print this text
`

// listed is an image as images --json prints it, see syscontainer(1).
type listed struct {
	References   []string  `json:"references"`
	Digest       string    `json:"digest"`
	Created      time.Time `json:"created"`
	Pulled       time.Time `json:"pulled"`
	Used         time.Time `json:"used"`
	Size         int64     `json:"size"`
	Own          int64     `json:"own"`
	Shared       int64     `json:"shared"`
	Disk         int64     `json:"disk"`
	Containers   []string  `json:"containers"`
	Rootfs       string    `json:"rootfs"`
	Pinned       bool      `json:"pinned"`
	Vendor       bool      `json:"vendor"`
	Architecture string    `json:"architecture"`
	Specials     []special `json:"specials"`
}

type special struct {
	Path  string `json:"path"`
	Type  string `json:"type"`
	Major int64  `json:"major,omitempty"`
	Minor int64  `json:"minor,omitempty"`
}

func runImages(ctx context.Context, root string, args []string) error {
	if len(args) > 0 && args[0] == "info" {
		return runInfo(ctx, root, args[1:])
	}
	flags := newFlags("syscontainer images", func(w io.Writer) { io.WriteString(w, imagesHelp) })
	asJSON := flags.Bool("json", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("images: unexpected argument %q, see syscontainer images --help", flags.Arg(0))
	}
	stored, err := store.List(root)
	if err != nil {
		return err
	}
	users := usersOf(root)
	images := make([]listed, len(stored.Images))
	for i, s := range stored.Images {
		if images[i], err = describe(ctx, s, users); err != nil {
			return err
		}
		if *asJSON {
			images[i].Specials = specialsOf(root, s)
		}
	}
	if *asJSON {
		return printJSON(images)
	}
	return printImages(os.Stdout, images, time.Now())
}

// describe gathers what is known of an image. Of a damaged one that is less.
func describe(ctx context.Context, s *store.Stored, users *users) (listed, error) {
	l := listed{
		References: append([]string{}, s.References...), Digest: "sha256:" + s.Digest,
		Pulled: s.Pulled.UTC(), Used: s.Used.UTC(), Rootfs: s.Rootfs(), Pinned: s.Pinned, Vendor: s.Vendor,
		Containers: users.of(s), Specials: []special{},
	}
	config, _ := s.Document("config.json")
	l.Created = created(config).UTC()
	var platform struct {
		Architecture string `json:"architecture"`
	}
	if json.Unmarshal(config, &platform) == nil {
		l.Architecture = platform.Architecture
	}
	sizes, err := measure(ctx, s.Rootfs())
	if errors.Is(err, fs.ErrNotExist) { // damaged, or just being removed
		err = nil
	}
	l.Size, l.Own, l.Shared, l.Disk = sizes.files, sizes.own, sizes.shared, sizes.own+sizes.shared
	return l, err
}

// specialsOf are the special files of an image, as far as its repository tells.
func specialsOf(root string, s *store.Stored) []special {
	found := []special{}
	repo, err := ostree.Open(store.RepoOf(root, s.Vendor))
	if err != nil {
		return found
	}
	defer repo.Close()
	var all []layer.SpecialFile
	if commit, err := repo.ResolveRef(deployRef(s.Digest)); err == nil {
		if c, err := repo.ReadCommit(commit); err == nil {
			all, _ = specials(c)
		}
	}
	for _, f := range all {
		found = append(found, special{"/" + f.Path, f.Type, f.Major, f.Minor})
	}
	return found
}

func printImages(w io.Writer, images []listed, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REFERENCE\tDIGEST\tCREATED\tSIZE\tOWN\tCONTAINERS")
	for _, i := range images {
		references := i.References
		if len(references) == 0 {
			references = []string{"-"}
		}
		containers := strings.Join(i.Containers, " ")
		if containers == "" {
			containers = "-"
		}
		digest := strings.TrimPrefix(i.Digest, "sha256:")[:12]
		for n, reference := range references {
			if n > 0 { // the same image again
				containers = "\""
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", reference, digest, age(i.Created, now), size(i.Size), size(i.Own), containers)
		}
	}
	return t.Flush()
}

// age is how long ago something was, in one unit.
func age(then, now time.Time) string {
	if then.Unix() <= 0 {
		return "-"
	}
	switch d := now.Sub(then); {
	case d >= 2*365*24*time.Hour:
		return fmt.Sprintf("%d years ago", d/(365*24*time.Hour))
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours ago", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes ago", d/time.Minute)
	}
	return "just now"
}

// of are the names of units and containers that use an image, run from it or may go back to it, sorted.
func (u *users) of(s *store.Stored) []string {
	names := append([]string{}, u.running[s.Digest]...)
	for _, reference := range s.References {
		names = append(names, u.units[reference]...)
	}
	for _, link := range u.generations[s.Digest] {
		name, _, _ := strings.Cut(link, "/")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

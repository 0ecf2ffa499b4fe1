package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"syscontainer/pull/registry"
	"syscontainer/units"
)

const pullHelp = `Usage: syscontainer pull [OPTION…] IMAGE…

Fetches images into the store, checks and checks them out. IMAGE is a
registry's NAME[:TAG][@DIGEST], docker:// before it or not, or
oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], dir:DIR.
Prints the digest of each image.

      --authfile FILE     credentials, see containers-auth.json(5)
      --progress-fd N     write progress lines to descriptor N
      --wait-online       ask systemd for network-online.target first
  -h, --help              print this text
`

func runPull(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer pull", func(w io.Writer) { io.WriteString(w, pullHelp) })
	authFile := flags.String("authfile", "", "")
	progressFD := flags.Int("progress-fd", -1, "")
	online := flags.Bool("wait-online", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return usagef("pull: an image is missing, see syscontainer pull --help")
	}
	progress, err := newProgress(*progressFD)
	if err != nil {
		return err
	}
	references := make([]string, flags.NArg())
	for i, arg := range flags.Args() {
		if references[i], err = units.ParseImage(absolute(arg)); err != nil {
			if hint := units.Hint(err); hint != "" {
				err = fmt.Errorf("%w\nhint: %s", err, hint)
			}
			return usagef("pull: %w", err)
		}
	}
	f := fetcher{root: root, options: registry.Options{Root: root, AuthFile: *authFile}, progress: progress}
	for _, reference := range references {
		if *online && !strings.Contains(reference, ":/") {
			progress.phase("waiting for the network")
			waitOnline(ctx)
		}
		image, err := f.fetch(ctx, reference)
		progress.done()
		if err != nil {
			if ctx.Err() != nil {
				err = errors.New("interrupted")
			}
			return fmt.Errorf("pull %s: %w", reference, err)
		}
		fmt.Printf("sha256:%s\n", image.Digest)
	}
	return nil
}

// absolute makes the path of a local image absolute, which a person may well
// write relative and a unit file may not.
func absolute(arg string) string {
	for _, transport := range []string{"oci:", "oci-archive:", "docker-archive:", "dir:"} {
		if rest, ok := strings.CutPrefix(arg, transport); ok && rest != "" && rest[0] != '/' {
			if wd, err := os.Getwd(); err == nil {
				return transport + wd + "/" + rest
			}
		}
	}
	return arg
}

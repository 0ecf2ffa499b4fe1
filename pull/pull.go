package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"syscontainer/pull/registry"
)

const pullHelp = `Usage: syscontainer pull [OPTION…] IMAGE…

Fetches images into the store, checks and checks them out. IMAGE is a
registry's NAME[:TAG][@DIGEST], docker:// before it or not, or
oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], dir:DIR.
Prints the digest of each image.

      --authfile FILE     credentials, see containers-auth.json(5)
      --platform OS/ARCH[/VARIANT]
                          the image for another platform than this machine's
      --progress-fd N     write progress lines to descriptor N
      --repair            look for damage and mend it
      --wait-online       ask systemd for network-online.target first
  -h, --help              print this text
`

func runPull(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer pull", func(w io.Writer) { io.WriteString(w, pullHelp) })
	authFile := flags.String("authfile", "", "")
	progressFD := flags.Int("progress-fd", -1, "")
	platform := flags.String("platform", "", "")
	repair := flags.Bool("repair", false, "")
	online := flags.Bool("wait-online", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return usagef("pull: an image is missing, see syscontainer pull --help")
	}
	references := make([]string, flags.NArg())
	for i, arg := range flags.Args() {
		var err error
		if references[i], err = canonical(root, arg); err != nil {
			return usagef("pull: %w", err)
		}
	}
	progress, err := newProgress(*progressFD)
	if err != nil {
		return err
	}
	settings, err := loadSettings(root)
	if err != nil {
		return err
	}
	options := registry.Options{Root: root, AuthFile: *authFile, Platform: *platform, RateLimit: settings.rateLimit}
	for _, reference := range references {
		if *online && !strings.Contains(reference, ":/") {
			progress.still("waiting for the network")
			waitOnline(ctx)
		}
		f := fetcher{root: root, reference: reference, options: options, settings: settings, progress: progress, repair: *repair}
		image, err := f.fetch(ctx)
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

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"syscontainer/units"
)

const listHelp = `Usage: syscontainer list [--json]

Lists containers: what they run, in which generation, how that is, and whether
the store knows of another.

      --json              print an array of objects
  -h, --help              print this text
`

func runList(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer list", func(w io.Writer) { io.WriteString(w, listHelp) })
	asJSON := flags.Bool("json", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("list: unexpected argument %q, see syscontainer status", flags.Arg(0))
	}
	m := readMachine(root)
	all := m.look(ctx, m.names())
	m.tell(all)
	if *asJSON {
		return printJSON(all)
	}
	return printContainers(os.Stdout, all)
}

func printContainers(w io.Writer, all []*known) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tIMAGE\tDIGEST\tGEN\tSTATE\tHEALTH\tUPDATE")
	for _, k := range all {
		number := ""
		if k.Generation > 0 {
			number = strconv.Itoa(k.Generation)
		}
		columns := []string{k.Name, k.Image + k.Rootfs, shortDigest(k.Digest), number, k.Status, k.Outcome, k.updateText()}
		for i, c := range columns {
			if c = units.Printable(c); c == "" {
				c = "-"
			}
			columns[i] = c
		}
		fmt.Fprintln(t, strings.Join(columns, "\t"))
	}
	return t.Flush()
}

func (k *known) updateText() string {
	var words []string
	if k.Update != "" {
		words = append(words, k.Update)
	}
	if k.Held {
		words = append(words, "held")
	}
	return strings.Join(words, ",")
}

// shortDigest is enough of a digest to tell images apart; "" of none.
func shortDigest(digest *string) string {
	if digest == nil {
		return ""
	}
	return strings.TrimPrefix(*digest, "sha256:")[:12]
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const logsHelp = `Usage: syscontainer logs [-f] [-n N] [--since TIME] NAME

Shows the journal of a unit in this boot: what the container wrote, and what
systemd did with it.

  -f, --follow            go on with new lines as they come
  -n, --lines N           the last N lines only
      --since TIME        what is not older, of earlier boots too
  -h, --help              print this text
`

// runLogs replaces this program by journalctl.
func runLogs(_ context.Context, root string, args []string) error {
	var follow bool
	var lines, since string
	flags := newFlags("syscontainer logs", func(w io.Writer) { io.WriteString(w, logsHelp) })
	for _, name := range []string{"f", "follow"} {
		flags.BoolVar(&follow, name, false, "")
	}
	for _, name := range []string{"n", "lines"} {
		flags.StringVar(&lines, name, "", "")
	}
	flags.StringVar(&since, "since", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("logs: the name of one unit is needed, see syscontainer logs --help")
	}
	if _, err := strconv.ParseUint(lines, 10, 31); lines != "" && err != nil {
		return usagef("logs: --lines %s is no number", lines)
	}
	service, err := serviceOf(root, flags.Arg(0))
	if err != nil {
		return err
	}
	program, err := findProgram("journalctl")
	if err != nil {
		return err
	}
	argv := append([]string{program}, journalFilter(root, service, follow, lines, since)...)
	return fmt.Errorf("execute %s: %w", program, unix.Exec(program, argv, os.Environ()))
}

// journalFilter is journalctl's arguments. Its --unit= finds what the unit's processes
// wrote, those of the payload's sub-cgroup among them, what systemd says of the unit,
// and its core dumps.
func journalFilter(root, service string, follow bool, lines, since string) []string {
	if strings.HasSuffix(service, "@") {
		service = strings.ReplaceAll(service, `\`, `\\`) + "*" // in a pattern, fnmatch(3) takes a backslash away
	}
	args := []string{"--unit=" + service + ".service"}
	if root != "/" {
		args = append(args, "--root="+root)
	}
	if since != "" {
		args = append(args, "--since="+since)
	} else if root == "/" { // the boots of another system are not this one
		args = append(args, "--boot")
	}
	if lines != "" {
		args = append(args, "--lines="+lines)
	}
	if follow {
		args = append(args, "--follow")
	}
	return args
}

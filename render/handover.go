package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// firstDescriptor is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstDescriptor = 3

// handover is what systemd gives to ExecStart= alone, for the payload, so that the
// bundle could not know it: descriptors, which are the sockets of socket units, what
// was stored by FDSTORE=1, and OpenFile=; and variables.
type handover struct {
	files []*os.File // from firstDescriptor on
	env   []string
}

// handedOver finds it. The variables of sd_listen_fds(3) name process 1, which the
// payload is in its container; systemd's are for this process.
func handedOver(o options) (v handover, err error) {
	if every := os.Getenv("WATCHDOG_USEC"); every != "" && o.notify {
		v.env = append(v.env, "WATCHDOG_USEC="+every) // sd_watchdog_enabled(3)
	}
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return v, nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return v, fmt.Errorf("LISTEN_FDS=%s is no number of descriptors", os.Getenv("LISTEN_FDS"))
	}
	for i := range n {
		unix.CloseOnExec(firstDescriptor + i) // one command of the runtime gets them, not all
		v.files = append(v.files, os.NewFile(uintptr(firstDescriptor+i), "LISTEN_FDS"))
	}
	if n > 0 {
		v.env = append(v.env, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_PID=1", "LISTEN_FDNAMES="+os.Getenv("LISTEN_FDNAMES"))
	}
	return v, nil
}

// options make the runtime leave the descriptors open, under their numbers. The
// runtimes' own support of LISTEN_FDS is of no use: they want LISTEN_PID to be their
// process, and runc loses the names.
func (v handover) options() []string {
	if len(v.files) == 0 {
		return nil
	}
	return []string{"--preserve-fds", strconv.Itoa(len(v.files))}
}

// tell puts the variables into the bundle's config.json. Without any it does nothing.
func (v handover) tell(b bundle) error {
	if len(v.env) == 0 {
		return nil
	}
	document, err := os.ReadFile(b.file("config.json"))
	if err == nil {
		document, err = v.describe(document)
	}
	if err != nil {
		return fmt.Errorf("hand on what systemd gave: %w", err)
	}
	return os.WriteFile(b.file("config.json"), document, 0o600)
}

// describe changes nothing else in the document, whatever ConfigPatch= put there.
func (v handover) describe(document []byte) ([]byte, error) {
	var s rspec.Spec
	if err := json.Unmarshal(document, &s); err != nil {
		return nil, err
	}
	own := func(n rspec.LinuxNamespace) bool { return n.Type == rspec.PIDNamespace && n.Path == "" }
	if len(v.files) > 0 && !slices.ContainsFunc(s.Linux.Namespaces, own) {
		return nil, withHint(errors.New("the payload is not process 1, and LISTEN_PID= could not name it"), "leave out PID=")
	}
	env := slices.DeleteFunc(s.Process.Env, func(old string) bool {
		name, _, _ := strings.Cut(old, "=")
		return slices.ContainsFunc(v.env, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
	all, err := decodeJSON(document)
	if err != nil {
		return nil, err
	}
	return json.Marshal(merge(all, map[string]any{"process": map[string]any{"env": append(env, v.env...)}}))
}

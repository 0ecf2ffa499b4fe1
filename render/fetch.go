package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// stallTime is how long a fetch may be silent before systemd's start timeout
// ends it, once it has begun to move. It leaves time for another connection after
// one that brought nothing for 30 seconds, and for a slow disk to take what came.
const stallTime = 90 * time.Second

// findImage returns the unit's image: of the container's current generation, or else what its reference leads to, fetched
// as Pull= says.
func findImage(o options, c *units.Container) (store.Image, error) {
	if c.Pull != "always" {
		if image, ok := deployed(o, c); ok {
			return image, nil
		}
	}
	image, err := store.Lookup(o.root, c.Image)
	absent := errors.Is(err, os.ErrNotExist)
	switch {
	case err != nil && !absent:
		return image, fmt.Errorf("look for image %s: %w", c.Image, err)
	case c.Pull == "never" && absent:
		return image, withHint(fmt.Errorf("image %s is not in the store, and Pull=never", c.Image),
			"syscontainer pull %s", c.Image)
	case !absent && c.Pull != "always":
		return image, nil
	}
	if absent {
		tellJournal(o, priorityInfo, eventMissing, c.Image, "image "+c.Image+" is not in the store, fetching it")
	}
	if problem := fetch(o, c.Image); problem != nil {
		if absent {
			return image, fmt.Errorf("image %s is not in the store and cannot be fetched: %w", c.Image, problem)
		}
		warn(o.name, "image %s cannot be fetched: %v, starting with what is in the store", c.Image, problem)
		return image, nil
	}
	image, err = store.Lookup(o.root, c.Image)
	if err != nil {
		return image, fmt.Errorf("image %s was fetched, but: %w", c.Image, err)
	}
	return image, nil
}

// fetch runs "syscontainer pull" and keeps systemd informed. The start timeout is
// not touched until something moves: a registry that does not answer fails the
// start within the unit's own TimeoutStartSec=. From then on every progress grants
// stallTime. A start that is stopped meanwhile says what it waited for.
//
// The child has a process group of its own, gets our SIGTERM, and dies with us.
func fetch(o options, reference string) error {
	err := operate(o, []string{"pull", "--wait-online"}, reference, nil)
	if o.start {
		renewTimeout(o)
	}
	return err
}

// operate runs a verb of "syscontainer" as fetch does.
func operate(o options, verb []string, word string, input io.Reader) error {
	args := append(slices.Clone(verb), "--progress-fd=3", word)
	if o.root != "" {
		args = append([]string{"--root", o.root}, args...)
	}
	progress, childProgress, err := os.Pipe()
	if err != nil {
		return err
	}
	defer progress.Close()
	stderr, childStderr, err := os.Pipe()
	if err != nil {
		childProgress.Close()
		return err
	}
	defer stderr.Close()
	cmd := exec.Command(commandPath, args...)
	cmd.ExtraFiles = []*os.File{childProgress}
	cmd.Stdin, cmd.Stderr = input, childStderr // what it prints on stdout nobody asked for here
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	// Only systemd's messages of ours count, and it must not take the child's.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "NOTIFY_SOCKET=") {
			cmd.Env = append(cmd.Env, v)
		}
	}

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends that started the child
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	childProgress.Close()
	childStderr.Close()
	if err != nil {
		return fmt.Errorf("run %s: %w", commandPath, cause(err))
	}

	last := make(chan string, 1)
	go func() { last <- sayings(os.Stderr, stderr, verb[0]+" "+word) }()
	var doing atomic.Value
	doing.Store("")
	go followProgress(progress, func(text string, moved bool) {
		doing.Store(text)
		state := "STATUS=" + text
		if moved {
			state += "\nEXTEND_TIMEOUT_USEC=" + strconv.FormatInt(stallTime.Microseconds(), 10)
		}
		notify(state)
	})
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for stopped := false; ; {
		select {
		case s := <-signals:
			stopped = true
			syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal))
		case err := <-done:
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whatever it may have left
			text := <-last
			switch {
			case err == nil:
				return nil
			case stopped:
				return errors.New(strings.TrimSuffix("stopped while "+doing.Load().(string), " while "))
			case text != "":
				return fmt.Errorf("%s", text)
			}
			return fmt.Errorf("%s %s: %w", commandPath, verb[0], err)
		}
	}
}

// sayings copies lines as they come, but for what the command itself says of a
// failure, "syscontainer: …" and the lines behind it: that is returned, and told once,
// by whom it stopped.
func sayings(to io.Writer, from io.Reader, about string) (failure string) {
	const most = 16 << 10
	var own strings.Builder
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		text := strings.TrimSpace(line)
		if len(text) > 2 && text[0] == '<' && text[2] == '>' {
			text = text[3:]
		}
		message, isOwn := strings.CutPrefix(text, "syscontainer: ")
		switch {
		case isOwn && own.Len() == 0:
			own.WriteString(strings.TrimPrefix(message, about+": "))
		case own.Len() > 0 && text != "" && own.Len()+len(text) < most:
			own.WriteString("\n" + text)
		case own.Len() == 0:
			io.WriteString(to, line)
		}
		if err != nil {
			return own.String()
		}
	}
}

// followProgress reads lines "BYTES TOTAL TEXT" until the end and tells a TEXT that is
// new, and whether anything moved: BYTES, or else the work, which is another now. A "-"
// for BYTES says that nothing did. Lines of another form are skipped.
func followProgress(from io.Reader, tell func(text string, moved bool)) {
	lines := bufio.NewReaderSize(from, 4096)
	var most uint64
	var shown string
	for {
		line, err := lines.ReadSlice('\n')
		if bytes.HasSuffix(line, []byte("\n")) {
			one := string(line[:len(line)-1])
			waiting, still := strings.CutPrefix(one, "- ")
			if still {
				one = "0 " + waiting
			}
			bytes, text, ok := parseProgress(one)
			if ok && (bytes > most || text != shown) {
				most, shown = max(bytes, most), text
				tell(text, !still)
			}
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

func parseProgress(line string) (bytes uint64, text string, ok bool) {
	first, rest, _ := strings.Cut(line, " ")
	total, text, _ := strings.Cut(rest, " ")
	bytes, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return 0, "", false
	}
	if _, err := strconv.ParseUint(total, 10, 64); err != nil {
		return 0, "", false
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	return bytes, text, true
}

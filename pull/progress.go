package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// progress tells how far a fetch is: to the start path on a descriptor of its
// own, to a person on the terminal, else to nobody.
//
// The start path reads lines "BYTES TOTAL TEXT": bytes received so far, bytes
// expected (0: not known yet), and a text for systemctl status. A line comes
// when something moved, at most a few each second; silence means that nothing
// moves, and "-" for BYTES that nothing has yet: the line says what is waited for.
type progress struct {
	mu       sync.Mutex
	machine  *os.File // nil: nobody asked
	terminal *os.File // nil: not a terminal
	text     string
	bytes    int64
	total    int64
	told     time.Time
}

const tellEvery = 250 * time.Millisecond

func newProgress(fd int) (*progress, error) {
	p := &progress{}
	if fd >= 0 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return nil, usagef("--progress-fd=%d: %v", fd, err)
		}
		p.machine = os.NewFile(uintptr(fd), "progress")
	} else if _, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS); err == nil {
		p.terminal = os.Stderr
	}
	return p, nil
}

// phase begins a new piece of work.
func (p *progress) phase(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	p.tell()
}

// still begins a piece of work of which nobody knows yet whether it will move.
func (p *progress) still(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	if p.machine == nil || p.bytes > 0 {
		p.tell()
		return
	}
	fmt.Fprintf(p.machine, "- 0 %s\n", text)
}

// expect says how much more will be received.
func (p *progress) expect(more int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += more
}

// received counts bytes as they arrive.
func (p *progress) received(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += int64(n)
	if time.Since(p.told) >= tellEvery {
		p.tell()
	}
}

func (p *progress) tell() {
	p.told = time.Now()
	text := p.text
	if p.total > 0 && p.bytes > 0 && p.bytes < p.total {
		text += fmt.Sprintf(", %s of %s", size(p.bytes), size(p.total))
	}
	if p.machine != nil {
		// A reader that went away is no reason to stop fetching.
		fmt.Fprintf(p.machine, "%d %d %s\n", p.bytes, p.total, text)
	}
	if p.terminal != nil {
		fmt.Fprintf(p.terminal, "\r\x1b[K%s", text)
	}
}

// done leaves the terminal's line empty for what comes next.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal != nil {
		fmt.Fprint(p.terminal, "\r\x1b[K")
	}
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

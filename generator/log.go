package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

// Priorities of syslog(3).
const (
	priorityError   = 3
	priorityWarning = 4
)

// logger speaks to whoever started us. systemd gives us /dev/null for stderr, and at
// boot there is no journal yet: then it is the kernel's log, from where the journal
// takes it.
type logger struct {
	kernel  int // descriptor of /dev/kmsg, -1: speak on stderr
	records int // written to it
	failed  bool
	prefix  string // of each line, after the priority in the kernel's log
}

// openLog speaks on stderr in any case if forPeople.
func openLog(forPeople bool) *logger {
	l := &logger{kernel: -1, prefix: "syscontainer-generator: "}
	var st syscall.Stat_t
	if forPeople || syscall.Fstat(2, &st) == nil && !(st.Mode&syscall.S_IFMT == syscall.S_IFCHR && st.Rdev == 1<<8|3) {
		return l
	}
	l.kernel = openKernel()
	l.prefix = "syscontainer-generator[" + strconv.Itoa(os.Getpid()) + "]: "
	return l
}

func openKernel() int {
	fd, err := syscall.Open("/dev/kmsg", syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return -1
	}
	return fd
}

// burst is fewer than the kernel takes of one who opened its log, in five seconds; what
// is more it would drop (printk.devkmsg=ratelimit, its default).
const burst = 8

func (l *logger) errors(problems ...*units.Problem) {
	for _, p := range problems {
		l.failed = true
		l.say(priorityError, p.Error())
	}
}

func (l *logger) warnings(problems ...*units.Problem) {
	for _, p := range problems {
		l.say(priorityWarning, p.Error())
	}
}

// plan tells what is wrong with each unit, and what comes of it.
func (l *logger) plan(p *convert.Plan) {
	l.errors(p.Problems...)
	for i := range p.Services {
		s := &p.Services[i]
		l.errors(bounded(s.Unit, s.Errors)...)
		if s.Stub {
			l.errors(&units.Problem{File: s.Unit.Path, Msg: s.Name + " will fail at its start and say so"})
		}
		l.errors(bounded(s.Unit, s.Update)...)
		if len(s.Update) > 0 {
			l.errors(&units.Problem{File: s.Unit.Path, Msg: s.Name + " is not updated until that is mended"})
		}
		l.warnings(bounded(s.Unit, s.Warnings)...)
	}
}

// most is what is said of one unit at most: a file of a million errors shall not push
// everything else out of the kernel's log.
const most = 100

func bounded(u *units.Unit, all units.Problems) units.Problems {
	if len(all) <= most {
		return all
	}
	return append(all[:most:most], &units.Problem{File: u.Path, Msg: "and " + strconv.Itoa(len(all)-most) + " more problems", Hint: "syscontainer check lists all"})
}

// longestRecord is what the kernel takes in one write; it refuses more.
const longestRecord = 960

func (l *logger) say(priority int, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		line = l.prefix + units.Printable(line)
		if l.kernel < 0 {
			os.Stderr.WriteString(line + "\n")
			continue
		}
		line = "<" + strconv.Itoa(priority) + ">" + line
		if len(line) > longestRecord {
			line = strings.ToValidUTF8(line[:longestRecord], "") + "…"
		}
		if l.records++; l.records%burst == 0 {
			syscall.Close(l.kernel)
			if l.kernel = openKernel(); l.kernel < 0 {
				return
			}
		}
		syscall.Write(l.kernel, []byte(line+"\n"))
	}
}

package units

import (
	"math"
	"testing"
)

func TestSecurity(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"NoNewPrivileges=no":            func(c *Container) { c.NoNewPrivileges = false },
		"SeccompProfile=unconfined":     func(c *Container) { c.SeccompProfile = "unconfined" },
		"SeccompProfile=builtin":        func(c *Container) { c.SeccompProfile = BuiltinSeccomp },
		"SeccompProfile=/etc/x//a.json": func(c *Container) { c.SeccompProfile = "/etc/x/a.json" },
		"AppArmor=usr//my-profile":      func(c *Container) { c.AppArmor = "usr//my-profile" },
		"SecurityLabelType=spc_t\nSecurityLabelLevel=s0:c1,c2\nSecurityLabelFileType=usr_t": func(c *Container) {
			c.SELinux = SELinux{Type: "spc_t", Level: "s0:c1,c2", FileType: "usr_t"}
		},
		"SecurityLabelDisable=yes\nSecurityLabelNested=yes": func(c *Container) { c.SELinux = SELinux{Disable: true, Nested: true} },
		"Mask=/proc/a:/sys/b /x\nMask=\"/c d\"":             func(c *Container) { c.Mask = []string{"/proc/a", "/sys/b", "/x", "/c d"} },
		"Unmask=all\nUnmask=/proc/*:/sys/[a-f]":             func(c *Container) { c.Unmask = []string{"ALL", "/proc/*", "/sys/[a-f]"} },
		"Network=none\nSysctl=net.core.somaxconn=1 net.ipv4.ip_forward=1\nSysctl=\"net.core.somaxconn=2 3\"": func(c *Container) {
			c.Network, c.Sysctl = "none", []string{"net.core.somaxconn=2 3", "net.ipv4.ip_forward=1"}
		},
		"Sysctl=kernel.shmmax=1 fs.mqueue.msg_max=2": func(c *Container) { c.Sysctl = []string{"kernel.shmmax=1", "fs.mqueue.msg_max=2"} },
		"ReloadSignal=hup":                           func(c *Container) { c.ReloadSignal = "SIGHUP" },
	})
	const machines = "\nhint: a payload has net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*; others are the machine's, see sysctl.d(5)"
	refuses(t, map[string]string{
		"SeccompProfile=x.json":             "web:3: SeccompProfile=: \"x.json\" is relative to the directory of the unit's file, which is not known\nhint: write an absolute path",
		"AppArmor=a b":                      "web:3: AppArmor=: \"a b\" is no profile\nhint: write the name of a loaded profile, or unconfined",
		"SecurityLabelType=a b":             "web:3: SecurityLabelType=: \"a b\" is no part of a label\nhint: for example container_t, or s0:c100,c200",
		"Mask=proc":                         `web:3: Mask=: "proc" is no absolute path`,
		"Mask=/a::/b":                       `web:3: Mask=: "" is no absolute path`,
		"Mask=/":                            `web:3: Mask=: to mask / would hide everything`,
		"Unmask=some":                       `web:3: Unmask=: "some" is no absolute path`,
		"Unmask=/a[":                        "web:3: Unmask=: \"/a[\" is no pattern of paths\nhint: see glob(7)",
		"Sysctl=net.core.somaxconn":         "web:3: Sysctl=: \"net.core.somaxconn\" has no =\nhint: the form is NAME=VALUE, for example net.core.somaxconn=1024",
		"Sysctl=net.core.somaxconn=1":       "web:3: Sysctl=: with Network=host \"net.core.somaxconn\" is a setting of the machine\nhint: see sysctl.d(5)",
		"IPC=host\nSysctl=kernel.sem=1":     "web:4: Sysctl=: with IPC=host \"kernel.sem\" is a setting of the machine\nhint: see sysctl.d(5)",
		"Sysctl=kernel.panic=1":             "web:3: Sysctl=: \"kernel.panic\" is no setting of a container" + machines,
		"Sysctl=kernel.shmax=1":             "web:3: Sysctl=: \"kernel.shmax\" is no setting of a container\nhint: did you mean \"kernel.shmmax\"?",
		"Sysctl=kernel.domainname=x":        "web:3: Sysctl=: \"kernel.domainname\" is no setting of a container" + machines,
		"Sysctl=kernel.hostname=x":          "web:3: Sysctl=: \"kernel.hostname\" is not possible\nhint: write HostName=",
		"Network=none\nSysctl=net./../vm=1": "web:4: Sysctl=: \"net./../vm\" is no setting of a container" + machines,
		"Network=none\nSysctl=net..a=1":     "web:4: Sysctl=: \"net..a\" is no setting of a container" + machines,
		"Sysctl=\"kernel.sem=1\\n2\"":       `web:3: Sysctl=: "kernel.sem=1\n2" has a control character in it`,
	})
}

func TestLimits(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"Memory=512m\nShmSize=1G":      func(c *Container) { c.Memory, c.ShmSize = 512<<20, 1<<30 },
		"ShmSize=0\nMemory=1\nMemory=": func(c *Container) { c.ShmSize = 0 },
		"ShmSize=1\nShmSize=":          func(c *Container) {},
		"PidsLimit=100":                func(c *Container) { c.PidsLimit = 100 },
		"PidsLimit=-1":                 func(c *Container) { c.PidsLimit = -1 },
		"PidsLimit=0":                  func(c *Container) { c.PidsLimit = -1 },
		"Ulimit=host":                  func(c *Container) {},
		"Ulimit=nofile=1024:4096\nUlimit=core=0 nproc=-1": func(c *Container) {
			c.Ulimits = []Ulimit{{"RLIMIT_NOFILE", 1024, 4096}, {"RLIMIT_CORE", 0, 0}, {"RLIMIT_NPROC", math.MaxUint64, math.MaxUint64}}
		},
		"Ulimit=memlock=1:unlimited\nUlimit=memlock=2": func(c *Container) { c.Ulimits = []Ulimit{{"RLIMIT_MEMLOCK", 2, 2}} },
	})
	const limit = "\nhint: the form is NAME=SOFT or NAME=SOFT:HARD, for example nofile=1024:4096"
	refuses(t, map[string]string{
		"Memory=-1":         "web:3: Memory=: \"-1\" is no size\nhint: for example \"64m\", \"1.5G\" or \"1048576\"",
		"Memory=50%":        "web:3: Memory=: \"50%\" is no size\nhint: for example \"64m\", \"1.5G\" or \"1048576\"",
		"ShmSize=9000p":     `web:3: ShmSize=: "9000p" is too large`,
		"PidsLimit=-2":      "web:3: PidsLimit=: \"-2\" is no number of processes\nhint: write a number, or -1 for no limit",
		"PidsLimit=+2":      "web:3: PidsLimit=: \"+2\" is no number of processes\nhint: write a number, or -1 for no limit",
		"Ulimit=nofile":     "web:3: Ulimit=: \"nofile\" is no limit" + limit,
		"Ulimit=nofiles=1":  "web:3: Ulimit=: \"nofiles\" is no limit\nhint: did you mean \"nofile\"?",
		"Ulimit=x=1":        "web:3: Ulimit=: \"x\" is no limit\nhint: see prlimit(1): as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack",
		"Ulimit=nofile=":    "web:3: Ulimit=: \"\" is no value of a limit\nhint: write a number, or unlimited",
		"Ulimit=nofile=1:":  "web:3: Ulimit=: \"\" is no value of a limit\nhint: write a number, or unlimited",
		"Ulimit=nofile=2:1": "web:3: Ulimit=: \"nofile=2:1\": the soft limit is above the hard one" + limit,
		"Ulimit=nofile=-2":  "web:3: Ulimit=: \"-2\" is no value of a limit\nhint: write a number, or unlimited",
		"Ulimit=core=-1:1":  "web:3: Ulimit=: \"core=-1:1\": the soft limit is above the hard one" + limit,
	})
}

// go-units, podman's library, takes the same, and exponents.
func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "32": 32, "32b": 32, "32B": 32, "32k": 32 << 10, "32KB": 32 << 10, "32kib": 32 << 10, "32 M": 32 << 20,
		"1g": 1 << 30, "1T": 1 << 40, "1p": 1 << 50, "1E": 1 << 60, "1.5k": 1536, "0.5g": 1 << 29, "1.0005k": 1024, "010": 10,
		"9223372036854775807": math.MaxInt64} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%s: %d %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "b", "k", "-1", "+1", "0x10", "1e3", "1ki", "1kbb", "1kk", "1  k", " 1", "1 ", ".5", "1.", "1.2.3", "1z", "9223372036854775808",
		"8e", "9007199254740993g", "inf", "infinity", "1,5", "1_0", "10%"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("%q is no size, gave %d", in, got)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"1", "1.5GiB", "8E", "0.0000001 k", "99999999999999999999", "1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if size, err := parseSize(s); size < 0 || err != nil && size != 0 {
			t.Errorf("%q: %d %v", s, size, err)
		}
	})
}

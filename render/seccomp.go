package main

import (
	"runtime"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The filter is a list of what a service may ask of the kernel. Its names were
// sorted by hand from the kernel's own syscall tables (asm/unistd_64.h,
// unistd_32.h, asm-generic/unistd.h and scripts/syscall.tbl up to 6.17), group
// by group as the manual's section 2 orders them; a test holds every name of the
// installed tables against the groups, so that none is forgotten. Three answers
// exist: allowed; EPERM for what is refused on purpose, unless the capability the
// kernel wants for it is granted; ENOSYS for what neither list knows, so that
// programs fall back from a newer call to an older one.

const (
	filesAndDirectories = `access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3
		faccessat faccessat2 fadvise64 fadvise64_64 arm_fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2
		fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr file_getattr file_setattr flistxattr flock fremovexattr
		fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents
		getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown
		lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek _llseek lsetxattr lstat
		lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat oldfstat oldlstat oldstat open openat openat2
		pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv removexattr
		removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs
		statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2 arm_sync_file_range syncfs tee truncate
		truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev fanotify_mark
		statmount listmount`

	waitingAndEvents = `epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
		io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit pause pipe pipe2 poll ppoll
		ppoll_time64 pselect6 pselect6_time64 select _newselect signalfd signalfd4`

	memory = `brk cachestat get_mempolicy madvise map_shadow_stack mbind membarrier memfd_create memfd_secret mincore
		mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
		pkey_mprotect remap_file_pages set_mempolicy set_mempolicy_home_node`

	processes = `arch_prctl capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu
		getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid
		getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32
		ioprio_get ioprio_set modify_ldt nice oldolduname olduname pidfd_open pidfd_send_signal prctl prlimit64
		process_mrelease process_vm_readv process_vm_writev ptrace restart_syscall rseq sched_get_priority_max
		sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
		sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
		set_robust_list set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
		setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
		setreuid setreuid32 setrlimit setsid setuid setuid32 sysinfo times ugetrlimit uname vfork wait4 waitid waitpid
		cacheflush breakpoint`

	sandboxing = `landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr
		lsm_list_modules lsm_set_self_attr seccomp uretprobe`

	signals = `kill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
		rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal sigpending
		sigprocmask sigreturn sigsuspend ssetmask tgkill tkill`

	clocks = `adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
		clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer getrandom gettimeofday nanosleep setitimer time
		timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
		timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`

	betweenProcesses = `accept accept4 bind connect futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
		getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open mq_timedreceive
		mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv recvfrom
		recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto
		setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair`

	// Kernel keys know no namespaces; userfaultfd and io_uring have been the way
	// into many kernels; the rest configures the machine.
	refused = `add_key keyctl request_key userfaultfd io_uring_enter io_uring_register io_uring_setup swapon swapoff
		vm86 vm86old nfsservctl`
)

// byCapability is what a capability opens, from capabilities(7).
var byCapability = []struct{ capability, names string }{
	{"CAP_BPF", "bpf"},
	{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
	{"CAP_PERFMON", "perf_event_open"},
	{"CAP_SYS_ADMIN", `bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
		open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns
		syslog umount umount2 unshare`},
	{"CAP_SYS_BOOT", "kexec_file_load kexec_load reboot"},
	{"CAP_SYS_CHROOT", "chroot"},
	{"CAP_SYS_MODULE", "delete_module finit_module init_module"},
	{"CAP_SYS_NICE", "migrate_pages move_pages"},
	{"CAP_SYS_PACCT", "acct"},
	{"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
	{"CAP_SYS_RAWIO", "ioperm iopl"},
	{"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
	{"CAP_SYS_TTY_CONFIG", "vhangup"},
	{"CAP_SYSLOG", "syslog"},
}

// cloneNamespaces are the CLONE_NEW* bits of clone(2)'s flags, except
// CLONE_NEWTIME, which clone(2) cannot take.
const cloneNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// seccompFilter is the filter for a process with these capabilities on this
// GOARCH. It is built when asked for: a package variable would cost every start
// of the program.
func seccompFilter(arch string, capabilities []string) *rspec.LinuxSeccomp {
	allowed := make([]string, 0, 480)
	for _, group := range []string{filesAndDirectories, waitingAndEvents, memory, processes, sandboxing, signals,
		clocks, betweenProcesses} {
		allowed = appendFields(allowed, group)
	}
	denied := appendFields(make([]string, 0, 80), refused)
	for _, g := range byCapability {
		if slices.Contains(capabilities, g.capability) {
			allowed = appendFields(allowed, g.names)
		} else {
			denied = appendFields(denied, g.names)
		}
	}
	admin := slices.Contains(capabilities, "CAP_SYS_ADMIN")
	if admin {
		allowed = append(allowed, "clone", "clone3")
	}
	if admin || slices.Contains(capabilities, "CAP_NET_ADMIN") {
		allowed = append(allowed, "socket")
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
	slices.Sort(denied)
	denied = slices.DeleteFunc(slices.Compact(denied), func(name string) bool {
		_, found := slices.BinarySearch(allowed, name)
		return found
	})

	enosys, eperm := uint(unix.ENOSYS), uint(unix.EPERM)
	filter := &rspec.LinuxSeccomp{
		DefaultAction:   rspec.ActErrno,
		DefaultErrnoRet: &enosys,
		Architectures:   seccompArchitectures(arch),
		Syscalls: []rspec.LinuxSyscall{
			{Names: allowed, Action: rspec.ActAllow},
			{Names: denied, Action: rspec.ActErrno, ErrnoRet: &eperm},
		},
	}
	argument := func(name string, op rspec.LinuxSeccompOperator, values ...uint64) {
		arg := rspec.LinuxSeccompArg{Value: values[0], Op: op}
		if len(values) > 1 {
			arg.ValueTwo = values[1]
		}
		filter.Syscalls = append(filter.Syscalls, rspec.LinuxSyscall{
			Names: []string{name}, Action: rspec.ActAllow, Args: []rspec.LinuxSeccompArg{arg}})
	}
	if !admin {
		// clone3 hides its flags behind a pointer, which a filter cannot follow:
		// ENOSYS, the default, sends the C library back to clone.
		argument("clone", rspec.OpMaskedEqual, cloneNamespaces, 0)
		if arch == "s390x" {
			filter.Syscalls[len(filter.Syscalls)-1].Args[0].Index = 1
		}
	}
	if !slices.Contains(allowed, "socket") {
		argument("socket", rspec.OpNotEqual, unix.AF_VSOCK) // reaches the machine's hypervisor, whatever the namespace
	}
	// PER_LINUX, PER_LINUX32, both with UNAME26, and "tell me": address space
	// layout randomisation and the like stay on.
	for _, value := range []uint64{0, 0x8, 0x20000, 0x20008, 0xffffffff} {
		argument("personality", rspec.OpEqualTo, value)
	}
	return filter
}

// seccompArchitectures are the machine's own and the 32-bit one its kernel runs.
// An unknown one yields none: the runtime then takes its own. x32 is left out:
// distributions disable it, and its half of the filter costs every start 8 ms.
func seccompArchitectures(arch string) []rspec.Arch {
	switch arch {
	case "amd64":
		return []rspec.Arch{rspec.ArchX86_64, rspec.ArchX86}
	case "arm64":
		return []rspec.Arch{rspec.ArchAARCH64, rspec.ArchARM}
	case "s390x":
		return []rspec.Arch{rspec.ArchS390X, rspec.ArchS390}
	}
	return nil
}

// machine is the GOARCH this program was built for.
const machine = runtime.GOARCH

func appendFields(list []string, words string) []string {
	start := -1
	for i := 0; i <= len(words); i++ {
		space := i == len(words) || words[i] == ' ' || words[i] == '\n' || words[i] == '\t'
		switch {
		case !space && start < 0:
			start = i
		case space && start >= 0:
			list = append(list, words[start:i])
			start = -1
		}
	}
	return list
}

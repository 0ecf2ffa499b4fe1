package main

import "golang.org/x/sys/unix"

// mayRunX32 tells whether this kernel may answer x32's system calls. Most do not: they
// are built without them, or have them switched off.
func mayRunX32() bool {
	const (
		mapVDSOX32 = 0x2001 // arch_prctl(2), ARCH_MAP_VDSO_…
		mapVDSO64  = 0x2003
		x32Bit     = 0x40000000
	)
	// Maps nothing: the 64-bit vDSO is there already, which all three operations look
	// for; EINVAL is the answer for one that was not built.
	_, _, known := unix.RawSyscall(unix.SYS_ARCH_PRCTL, mapVDSO64, 0, 0)
	_, _, x32 := unix.RawSyscall(unix.SYS_ARCH_PRCTL, mapVDSOX32, 0, 0)
	if known == unix.EEXIST && x32 == unix.EINVAL {
		return false
	}
	// So ask for something. A filter over this program might kill it for that.
	if mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err != nil || mode != 0 {
		return true
	}
	_, _, err := unix.RawSyscall(x32Bit|unix.SYS_GETPID, 0, 0, 0)
	return err != unix.ENOSYS
}

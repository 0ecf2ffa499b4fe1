// SPDX-License-Identifier: Apache-2.0

// Package vm boots a virtual machine for what a host of package host cannot show: cgroup v2 with all controllers, and a
// kernel of Debian's. It needs no KVM: qemu emulates the processor, five to twenty times slower than the machine.
//
// The disk holds a part of this machine's Debian: the files of a few packages and of all they depend on.
package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ulikunitz/xz"

	"syscontainer/test/host"
)

// Options says what a machine looks like.
type Options struct {
	// Script is run by bash with errexit and xtrace as the last unit, as in package host.
	Script string
	// Packages are on the disk with their dependencies, from this machine's installation.
	Packages []string
	// Trees are copied to the disk after them: path in the machine to directory here.
	Trees map[string]string
	// Files are written last: absolute path to content.
	Files map[string]string
	// Timeout ends a machine that hangs; 4 minutes when zero.
	Timeout time.Duration
	// Disk is a file that keeps the machine's disk: made of the above when it is missing, else booted as it is, whatever the
	// above says. Empty: the disk goes with the machine.
	Disk string
	// Parameters are words for the kernel's command line, which the script finds in /proc/cmdline.
	Parameters string
	// Cut is called with what the console says, when not nil. When it returns, the power fails: what the machine has not sent to
	// its disk is lost. It is no error then that the script does not end.
	Cut func(console io.Reader)
}

const unit = `[Unit]
After=basic.target dbus.socket
Wants=dbus.socket
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash /host/unit.sh
Environment=HOME=/root
TimeoutStartSec=infinity
`

const unitScript = `#!/bin/bash
export TERM=dumb LC_ALL=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0
cd /root
rm -f /host/status # of another boot of this disk
bash -e -x /host/script >/host/stdout 2>/host/stderr </dev/null
echo $? >/host/status
journalctl --sync
journalctl --boot --output=short-monotonic --no-hostname --quiet >/host/journal 2>&1
sync
`

// modules the initial file system loads, in this order, where the kernel has them as modules.
var modules = []string{"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk",
	"crc32c_generic", "libcrc32c", "overlay"}

// Boot runs one machine to its end. An error means that the script did not run to its end, and had its power all the time.
func Boot(ctx context.Context, o Options) (res host.Result, err error) {
	res.Exit = -1
	dir, err := host.TempDir("vm")
	if err != nil {
		return res, err
	}
	defer os.RemoveAll(dir)
	disk, initrd := filepath.Join(dir, "disk"), filepath.Join(dir, "initrd")
	if err := makeInitrd(filepath.Join(dir, "initrd.d"), initrd); err != nil {
		return res, fmt.Errorf("make the initial file system: %w", err)
	}
	if o.Disk != "" {
		disk = o.Disk
	}
	if _, err := os.Stat(disk); err != nil {
		if err := o.makeDisk(filepath.Join(dir, "root"), disk); err != nil {
			return res, fmt.Errorf("make the disk: %w", err)
		}
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = 4 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", filepath.Join(host.Cache(), "kernel/vmlinuz"), "-initrd", initrd,
		"-drive", "file="+disk+",format=raw,if=virtio,cache=unsafe",
		"-append", "console=ttyS0 quiet panic=-1 systemd.unit=host-script.target systemd.show_status=0 systemd.log_target=journal "+o.Parameters)
	// The signal comes when the starting thread ends: it must not, before the machine does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var console bytes.Buffer
	cmd.Stdout = &console
	var isCut chan bool
	if o.Cut != nil {
		// All that the machine has sent is in the page cache here, which survives: what a disk does with its own cache at a
		// power cut is not shown.
		r, w := io.Pipe()
		isCut = make(chan bool, 1)
		cmd.Stdout = io.MultiWriter(&console, w)
		go func() {
			o.Cut(r)
			r.Close()
			isCut <- true
			cancel()
		}()
		defer w.Close()
	}
	cmd.Stderr = cmd.Stdout
	runErr := cmd.Run()
	if o.Cut != nil {
		select {
		case <-isCut:
			res.Console = console.String()
			return res, nil
		default:
		}
	}
	read := func(name string) string {
		out, _ := exec.Command("debugfs", "-R", "cat /host/"+name, disk).Output()
		return string(out)
	}
	res.Console, res.Stdout, res.Trace, res.Journal = console.String(), read("stdout"), read("stderr"), read("journal")
	if status, err := strconv.Atoi(strings.TrimSpace(read("status"))); err == nil {
		res.Exit = status
		return res, nil
	}
	if ctx.Err() != nil {
		return res, fmt.Errorf("the script did not end within %v", timeout)
	}
	return res, fmt.Errorf("the machine ended before its script: %v", runErr)
}

// makeDisk fills a directory and makes an ext4 image of it.
func (o Options) makeDisk(root, disk string) error {
	files, err := packageFiles(append([]string{"systemd-sysv", "dbus", "bash", "coreutils", "util-linux", "mount"}, o.Packages...))
	if err != nil {
		return err
	}
	// Links such as /bin first, and the directories they lead to: what lies below them goes there.
	var top, rest []string
	for _, f := range files {
		if strings.Count(f, "/") == 1 {
			top = append(top, f)
		} else {
			rest = append(rest, f)
		}
	}
	list := strings.Join(append(top, rest...), "\x00")
	for _, d := range []string{"usr/bin", "usr/sbin", "usr/lib", "usr/lib64"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	script := `tar -C / --null --no-recursion --ignore-failed-read -cf - -T - 2>/dev/null | tar -C "$1" --keep-directory-symlink -xpf -`
	if err := run(strings.NewReader(list), "sh", "-c", script, "sh", root); err != nil {
		return err
	}
	for _, d := range []string{"proc", "sys", "dev", "run", "tmp", "root", "host", "var/log", "var/lib", "etc/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for _, f := range []string{"/etc/passwd", "/etc/group", "/etc/ld.so.cache", "/etc/os-release"} {
		if b, err := os.ReadFile(f); err == nil {
			if err := os.WriteFile(root+f, b, 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	for target, source := range o.Trees {
		if err := os.MkdirAll(filepath.Join(root, target), 0o755); err != nil {
			return err
		}
		if err := run(nil, "cp", "-R", "--no-dereference", source+"/.", filepath.Join(root, target)); err != nil {
			return err
		}
	}
	all := map[string]string{
		"/etc/systemd/system/host-script.target":  "[Unit]\nRequires=host-script.service basic.target\nAfter=basic.target\nAllowIsolate=yes\n",
		"/etc/systemd/system/host-script.service": unit,
		"/etc/machine-id":                         "",
		"/etc/fstab":                              "",
		"/host/unit.sh":                           unitScript,
		"/host/script":                            o.Script,
	}
	for name, content := range o.Files {
		all[name] = content
	}
	for name, content := range all {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o755)); err != nil {
			return err
		}
	}
	if err := run(nil, "truncate", "-s", "2G", disk); err != nil {
		return err
	}
	return run(nil, "mkfs.ext4", "-q", "-F", "-O", "verity", "-E", "lazy_itable_init=1", "-d", root, disk)
}

// makeInitrd writes the initial file system: it mounts the disk and goes on there.
func makeInitrd(root, initrd string) error {
	for _, d := range []string{"bin", "proc", "sys", "dev", "new", "modules"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	if err := run(nil, "cp", host.Part("busybox"), filepath.Join(root, "bin/busybox")); err != nil {
		return err
	}
	init := "#!/bin/busybox sh\nexport PATH=/bin\nb=/bin/busybox\n$b mount -t proc proc /proc\n$b mount -t sysfs sysfs /sys\n$b mount -t devtmpfs dev /dev\n"
	for _, name := range modules {
		b, err := module(name)
		if err != nil {
			return err
		}
		if b == nil {
			continue // built in
		}
		if err := os.WriteFile(filepath.Join(root, "modules", name+".ko"), b, 0o644); err != nil {
			return err
		}
		init += "$b insmod /modules/" + name + ".ko\n"
	}
	init += "for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/vda ] && break; $b sleep 0.2; done\n" +
		"$b mount -t ext4 /dev/vda /new || $b poweroff -f\n$b umount /proc /sys\n$b mount --move /dev /new/dev\nexec $b switch_root /new /sbin/init\n"
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(init), 0o755); err != nil {
		return err
	}
	return run(nil, "sh", "-c", `cd "$1" && find . | cpio --quiet -o -H newc >"$2"`, "sh", root, initrd)
}

// module is the content of a kernel module, nil when there is none of that name.
func module(name string) ([]byte, error) {
	var found string
	err := filepath.WalkDir(filepath.Join(host.Cache(), "kernel/modules"), func(path string, d fs.DirEntry, err error) error {
		if base, _, _ := strings.Cut(filepath.Base(path), "."); err == nil && !d.IsDir() && strings.ReplaceAll(base, "-", "_") == name {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		return nil, err
	}
	b, err := os.ReadFile(found)
	if err != nil || !strings.HasSuffix(found, ".xz") {
		return b, err
	}
	r, err := xz.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer
	_, err = plain.ReadFrom(r)
	return plain.Bytes(), err
}

func run(stdin *strings.Reader, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

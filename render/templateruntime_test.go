package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// Templates with defects of their time run by runtimes of today, and leave the image alone.
func TestTemplateRuntimes(t *testing.T) {
	var fsType unix.Statfs_t
	if unix.Statfs(cgroupRoot, &fsType) != nil || fsType.Type != unix.CGROUP2_SUPER_MAGIC || os.Getuid() != 0 {
		inHost(t)
		return
	}
	machineFor(t)
	const head = `{"ociVersion": "0.3.0", "root": {"path": "rootfs", "readonly": READONLY}, "process": {"args": ["/bin/busybox", "sh", "-c", "$QUESTIONS"],
		"user": {"uid": UID, "gid": UID}, "cwd": "/", "env": ["VALUE=$VALUE"], REST },
		"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}], "resources": {"devices": [{"allow": false, "access": "rwm"}]}},
		"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"} $MORE]}`
	const questions = `b=/bin/busybox; exec 2>&1; echo "value <$VALUE>"; for d in / /made /made.conf; do ($b touch $d/x || echo x >>$d) 2>/dev/null && echo $d writable; done; ` +
		`$b ls -ldn /made /made.conf 2>/dev/null | $b awk '{ print $1, $3, $4 }'; $b grep CapEff /proc/self/status; $b ls -d /run/kept; $b ls /proc | $b grep -c '^[0-9]'; $b ls -d /etc/passwd/; echo end`
	const value = "a \"b\" \\ c\n%d % $VALUE $"
	for _, c := range []struct {
		name, readonly, uid, rest, unit string
		tmpfiles                        *string
		yes, no                         []string
	}{
		{name: "root", readonly: "true", uid: "0", rest: `"terminal": true`, unit: "",
			yes: []string{"value <" + value + ">\n", "drwxr-xr-x 0 0\n", "-rw-r--r-- 0 0\n", "\n3\n", "CapEff:\t0000000000000000\n", "/run/kept\n", "/made writable", "/made.conf writable"}, no: []string{"/ writable"}},
		{name: "user", readonly: "true", uid: "996", rest: `"capabilities": ["kill", "CAP_NOT_YET"]`,
			yes: []string{"/made writable\n/made.conf writable\n", "drwxr-xr-x 996 996\n", "-rw-r--r-- 996 996\n", "CapEff:\t0000000000000020\n"}, no: []string{"/ writable"}},
		{name: "writable", readonly: "false", uid: "0", rest: `"noNewPrivileges": false`, unit: "AddCapability=KILL\nReadOnlyTmpfs=yes\n",
			yes: []string{"/ writable\n", "CapEff:\t0000000000000020\n"}},
		{name: "unit", readonly: "false", uid: "0", rest: `"capabilities": null`, unit: "ReadOnly=yes\nPID=host\nUser=7\nTmpfs=/made\nSeccompProfile=builtin\nNotify=yes\n",
			yes: []string{"/made writable\n/made.conf writable\n", "drwxrwxrwt 0 0\n", "-rw-r--r-- 7 0\n"}, no: []string{"/ writable", "\n3\n"}},
		{name: "mapped", readonly: "true", uid: "5", rest: `"capabilities": {}`, unit: "UserNS=auto:size=70000\n",
			yes: []string{"/made writable\n", "drwxr-xr-x 5 5\n"}, no: []string{"/ writable"}},
		{name: "none", readonly: "true", uid: "0", rest: `"capabilities": {}`, unit: "Template=no\nUser=root\nEntrypoint=/bin/sh -c\nExec=\"echo ordinary; echo end\"\n",
			yes: []string{"ordinary\n"}},
		{name: "tmpfiles", readonly: "true", uid: "0", rest: `"capabilities": {}`, tmpfiles: new(string),
			yes: []string{"drwx------ 3 4\n", "-rw-r----- 0 0\n"}},
	} {
		for label, file := range realRuntimes(t) {
			t.Run(label+"/"+c.name, func(t *testing.T) {
				root, made := t.TempDir(), "/run/render-template/"+label
				if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
					t.Fatal(err)
				}
				defer unix.Unmount(root, unix.MNT_DETACH)
				if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll("/run/render-template"); err != nil {
					t.Fatal(err)
				}
				image := plantImage(t, root, "localhost/template:1", `{"config":{"Cmd":["/no"],"User":"nobody","Volumes":{"/etc":{}}}}`, false)
				exports := filepath.Join(image.Rootfs(), "exports")
				text := strings.NewReplacer("READONLY", c.readonly, "UID", c.uid, "REST", c.rest).Replace(head)
				write := func(name, text string) {
					t.Helper()
					if err := os.MkdirAll(exports, 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(exports, name), []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				write("config.json.template", text)
				if c.tmpfiles != nil {
					write("tmpfiles.template", "d $MADE/made 0700 3 4\nf $MADE/made.conf 0640 - -\nz /no/such/$NAME 0755\nd /x 0755 no-such-user-$NAME -\n")
				}
				before := listing(t, image.Dir)
				unit := filepath.Join(t.TempDir(), "x.unit")
				more := `, {"destination": "/made", "type": "bind", "source": "` + made + `/made", "options": ["rbind", "mode=755"]},
					{"destination": "/made.conf", "type": "bind", "source": "` + made + `/made.conf"}, {"destination": "/etc/resolv.conf", "type": "bind", "source": "/etc/resolv.conf"}`
				quote := strings.NewReplacer("%", "%%", `\`, `\\`, `"`, `\"`, "\n", `\n`).Replace
				if err := os.WriteFile(unit, []byte("[X-Container]\nImage=localhost/template:1\nSet=\"MORE="+quote(more)+"\"\nSet=\"VALUE="+quote(value)+
					"\"\nSet=\"QUESTIONS="+quote(questions)+"\"\nSet=MADE="+made+"\n"+c.unit), 0o644); err != nil {
					t.Fatal(err)
				}
				out := runCase(t, file, root, "template", readUnitFile(t, unit), image)
				t.Logf("%s", out)
				for _, want := range append(c.yes, "end\n") {
					if !strings.Contains(out, want) {
						t.Errorf("%q is missing", want)
					}
				}
				for _, no := range c.no {
					if strings.Contains(out, no) {
						t.Errorf("%q should not be there", no)
					}
				}
				if after := listing(t, image.Dir); after != before {
					t.Errorf("the image changed\nbefore:\n%s\nafter:\n%s", before, after)
				}
				record := filepath.Join(root, store.Dir, "containers/render-test-template", appliedFile)
				applied, err := os.ReadFile(record)
				if c.tmpfiles == nil {
					if err == nil {
						t.Errorf("%s: %q", record, applied)
					}
					return
				}
				if want := "d " + made + "/made 0700 3 4\n"; !strings.HasPrefix(string(applied), want) {
					t.Errorf("%s: %q, %v", record, applied, err)
				}
				// A new image that says nothing more.
				if err := undoTmpfiles(options{root: root, name: "render-test-template"}); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(record); err == nil {
					t.Error("what an image no longer says stays recorded")
				}
			})
		}
	}
}

package main

import (
	"strings"
	"testing"
)

func TestCheckImage(t *testing.T) {
	root, broken := t.TempDir(), t.TempDir()
	plantImage(t, root, "q.io/ledger:1", greeter, usualConfig)
	plantImage(t, root, "q.io/plain:1", "testdata/install/plain", usualConfig)
	plant(t, broken, map[string]string{"exports/config.json.template": `{"root": {"path": "elsewhere"}}`, "exports/tmpfiles.template": "d $5\n",
		"exports/service.template": "[Service]\nExecStart=/bin/x\n[Odd]\nNice=1\n"})
	plantImage(t, root, "q.io/broken:1", broken, usualConfig)
	const d = "etc/containers/systemd/"
	plant(t, root, map[string]string{
		d + "ledger.syscontainer":  "[Container]\nImage=q.io/ledger:1\nSet=GREETING=x\n",
		d + "missing.syscontainer": "[Container]\n\nImage=q.io/ledger:1\n",
		d + "absent.syscontainer":  "[Container]\nImage=q.io/absent:1\n",
		d + "plain.syscontainer":   "[Container]\nImage=q.io/plain:1\n",
		d + "inst@.syscontainer":   "[Container]\nImage=q.io/%i:1\n",
		d + "wrong.syscontainer":   "[Container]\nImage=x\n",
	})
	stdout, stderr, status := command(t, "--root", root, "check", "--image")
	want := `/etc/containers/systemd/absent.syscontainer:2:7: note: image q.io/absent:1 is not in the store, so nothing is known of its templates
    hint: syscontainer pull q.io/absent:1
/etc/containers/systemd/ledger.syscontainer:2:7: note: config.json.template: ociVersion: "0.6.0-dev" becomes "1.0.2"
/etc/containers/systemd/ledger.syscontainer:2:7: note: config.json.template: process.capabilities are missing, which is none
/etc/containers/systemd/ledger.syscontainer:2:7: note: config.json.template: mount /data: without the option mode=755, which a bind mount has not
/etc/containers/systemd/ledger.syscontainer:2:7: note: config.json.template: linux.namespaces: with one for mounts
/etc/containers/systemd/missing.syscontainer:3:7: error: The template file 'config.json.template' still contains an unreplaced value for: ''GREETING''
    hint: Set=GREETING=… in [Container]
`
	if stdout != want || status != 1 || !strings.Contains(stderr, "images with errors: 1") {
		t.Errorf("status %d: %s\n%s\nwant\n%s", status, stderr, stdout, want)
	}
	stdout, stderr, status = command(t, "--root", root, "check", "--image", "q.io/ledger:1", "--set", "GREETING=x")
	if status != 0 || !strings.Contains(stdout, "q.io/ledger:1: note: config.json.template: ociVersion") || !strings.Contains(stdout, "q.io/ledger:1: warning: service.template:23: not kept: LimitNOFILE=65536") {
		t.Errorf("status %d: %s\n%s", status, stderr, stdout)
	}
	stdout, _, status = command(t, "--root", root, "check", "--image", "q.io/ledger:1")
	if status != 0 || !strings.Contains(stdout, "q.io/ledger:1: warning: The template file") || !strings.Contains(stdout, "hint: --set GREETING=…") {
		t.Errorf("status %d: %s", status, stdout)
	}
	stdout, stderr, status = command(t, "--root", root, "check", "--json", "--image", "q.io/broken:1")
	for _, want := range []string{"Path must be 'rootfs'", "tmpfiles.template: Invalid placeholder in string: line 1, col 3", "service.template:2: ExecStart= starts a program", `"severity": "error"`} {
		if status != 1 || !strings.Contains(stdout, want) {
			t.Errorf("status %d: %q is not in\n%s%s", status, want, stdout, stderr)
		}
	}
	if stdout, stderr, status := command(t, "--root", root, "check", "--image", "q.io/plain:1"); status != 0 || stdout != "" {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	for args, want := range map[string]string{"--image q.io/none:1": "hint: syscontainer pull q.io/none:1", "--image busybox": "docker.io/library/busybox"} {
		if _, stderr, status := command(t, append([]string{"--root", root, "check"}, strings.Fields(args)...)...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("check %s: status %d: %s", args, status, stderr)
		}
	}
	for _, args := range []string{"--image --expect /x", "--set A=B"} {
		if _, stderr, status := command(t, append([]string{"check"}, strings.Fields(args)...)...); status != 2 {
			t.Errorf("check %s: status %d: %s", args, status, stderr)
		}
	}
}

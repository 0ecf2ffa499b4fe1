package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const richConfig = `{"architecture":"arm","os":"linux","variant":"v7","created":"2018-03-08T00:00:00Z","rootfs":{"diff_ids":["a","b"]},
"config":{"Entrypoint":["/bin/sh","-c"],"Cmd":["echo 100% \"x\""],"Env":["A=1","B=2"],"User":"5:6","WorkingDir":"/srv","StopSignal":"SIGQUIT",
"Volumes":{"/data":{}},"ExposedPorts":{"80/tcp":{}},"Labels":{"atomic.type":"system","summary":"a\u001b[31m label"}}}`

func TestImagesInfo(t *testing.T) {
	root := t.TempDir()
	digest := plantImage(t, root, "q.io/ledger:latest", greeter, richConfig)
	plantImage(t, root, "q.io/plain:latest", "testdata/install/plain", `{}`)
	for _, name := range []string{"q.io/ledger", digest[:8]} {
		stdout, stderr, status := command(t, "--root", root, "images", "info", name)
		if status != 0 || stderr != "" {
			t.Fatalf("status %d: %s", status, stderr)
		}
		stdout = strings.ReplaceAll(stdout, digest, "DIGEST")
		lines := strings.SplitAfter(stdout, "\n")
		for i := range lines { // ages change
			if strings.HasPrefix(lines[i], "Created") {
				lines[i] = "Created\n"
			}
		}
		golden(t, "install/want/ledger.info", strings.Join(lines, ""))
	}
	stdout, _, status := command(t, "--root", root, "images", "info", "--json", "q.io/ledger")
	var i imageInfo
	if err := json.Unmarshal([]byte(stdout), &i); err != nil || status != 0 {
		t.Fatal(err, stdout)
	}
	must := map[string]string{}
	for _, v := range i.Variables {
		must[v.Name] = v.From + " " + v.Default
	}
	for name, want := range map[string]string{"GREETING": "unit ", "PORT": "image 8080", "STATE_DIRECTORY": "machine ", "NAME": "container ", "SHARE": "image 100%", "ATOMIC": "", "$": ""} {
		if must[name] != want {
			t.Errorf("%s: %q, want %q", name, must[name], want)
		}
	}
	if strings.Join(i.HostFiles, " ") != "/etc/$NAME/ledger.conf /run/flag /usr/local/bin/ledgerctl" || i.Layers != 2 || i.RunOnce {
		t.Errorf("%+v", i)
	}
	if stdout, stderr, status := command(t, "--root", root, "images", "info", "q.io/plain"); status != 0 || strings.Contains(stdout, "Variable") {
		t.Errorf("%s%s", stdout, stderr)
	}
	_, stderr, status := command(t, "--root", root, "images", "info", "q.io/none:1")
	if status != 1 || !strings.Contains(stderr, "is not in the store") || !strings.Contains(stderr, "hint: syscontainer pull q.io/none:1") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, stderr, status := command(t, "images", "info"); status != 2 || !strings.Contains(stderr, "one image is needed") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// A required name in a path is shown; what cannot be read is told, and the rest all the same.
func TestImagesInfoOfDefects(t *testing.T) {
	root, image := t.TempDir(), t.TempDir()
	plant(t, image, map[string]string{"exports/manifest.json": `{"renameFiles":{"/etc/a":"/etc/$WHERE/a"},"installedFilesTemplate":["/etc/b"]}`,
		"exports/hostfs/etc/a": "", "exports/hostfs/etc/b": "$INSIDE $$"})
	plantImage(t, root, "q.io/a:1", image, `{"container_config":{"Labels":{"atomic.run":"once"}}}`)
	stdout, stderr, status := command(t, "--root", root, "images", "info", "q.io/a:1")
	for _, want := range []string{"WHERE: must be set", "INSIDE: must be set", "/etc/$WHERE/a", "/etc/b", "to be run once", "atomic.run=once"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%s is not in\n%s", want, stdout)
		}
	}
	if status != 0 || stderr != "" {
		t.Errorf("status %d: %s", status, stderr)
	}
	plant(t, image, map[string]string{"exports/manifest.json": `{`})
	plantImage(t, root, "q.io/b:1", image, `{}`)
	stdout, stderr, status = command(t, "--root", root, "images", "info", "q.io/b:1")
	if status != 1 || !strings.Contains(stdout, "q.io/b:1") || !strings.Contains(stderr, "Invalid manifest.json") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	for _, dir := range []string{"etcd", "net-snmp"} { // of old, where they are at hand
		at := filepath.Join("../../shared/atomic-images", dir)
		if !isDir(at) {
			t.Skip("no images of Project Atomic at hand")
		}
		plantImage(t, root, "q.io/"+dir+":1", at, `{}`)
		stdout, stderr, status := command(t, "--root", root, "images", "info", "q.io/"+dir+":1")
		if status != 0 || stderr != "" || strings.Contains(stdout, "must be set") || (dir == "etcd") != strings.Contains(stdout, "ADDTL_MOUNTS") {
			t.Errorf("%s: status %d: %s%s", dir, status, stderr, stdout)
		}
	}
}

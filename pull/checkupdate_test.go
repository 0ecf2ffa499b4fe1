package main

import "testing"

// What is wrong in [Update] is an error of its own kind: the service starts, but an OS
// build must not pass.
func TestCheckUpdate(t *testing.T) {
	root := t.TempDir()
	stored(t, root, "q.io/good:1")
	const d = "etc/containers/systemd/"
	plant(t, root, map[string]string{
		d + "web.syscontainer":                           good + "[Update]\nAuto=registry\nWindow=2-4\nKep=3\n",
		d + "web.syscontainer.d/10.conf":                 "[Update]\nRemoveFirst=yes\n",
		d + "fine.syscontainer":                          good + "AutoUpdate=registry\n[Update]\nWindow=02:00-04:00\nGroup=%N\nHealthExecHost=/bin/true\n",
		d + "syscontainer.d/00-all.conf":                 "[Update]\nKeepDays=7\n",
		"usr/share/containers/systemd/both.syscontainer": "[Container]\nImage=no\n[Update]\nHold=x\n",
	})
	stdout, stderr, status := command(t, "--root", root, "check")
	golden(t, "check/update", stdout+"stderr: "+stderr)
	if status != 1 {
		t.Errorf("status %d", status)
	}
}

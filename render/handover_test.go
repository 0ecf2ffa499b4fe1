package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// What only the start knows replaces what the image or the unit said of it, and the rest of the document stays.
func TestHandoverDescribe(t *testing.T) {
	const document = `{"process":{"env":["PATH=/bin","LISTEN_FDS=9","LISTEN_FDNAMES=wrong","WATCHDOG_USEC=1"],"args":["a"]},` +
		`"linux":{"namespaces":[{"type":"pid"}],"x-patched":{"number":12345678901234567890}}}`
	v := handover{files: []*os.File{nil, nil}, env: []string{"WATCHDOG_USEC=2000000", "LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_FDNAMES=a:b"}}
	result, err := v.describe([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	var s rspec.Spec
	if err := json.Unmarshal(result, &s); err != nil {
		t.Fatal(err)
	}
	if env := strings.Join(s.Process.Env, " "); env != "PATH=/bin WATCHDOG_USEC=2000000 LISTEN_FDS=2 LISTEN_PID=1 LISTEN_FDNAMES=a:b" {
		t.Errorf("the payload gets %s", env)
	}
	if !strings.Contains(string(result), `"x-patched":{"number":12345678901234567890}`) {
		t.Errorf("what a patch said is gone: %s", result)
	}

	for _, namespaces := range []string{`[]`, `[{"type":"pid","path":"/proc/7/ns/pid"}]`} {
		foreign := strings.Replace(document, `[{"type":"pid"}]`, namespaces, 1)
		if _, err := v.describe([]byte(foreign)); err == nil || !strings.Contains(err.Error(), "not process 1") {
			t.Errorf("namespaces %s: %v", namespaces, err)
		}
		// The watchdog alone needs no number.
		if _, err := (handover{env: v.env[:1]}).describe([]byte(foreign)); err != nil {
			t.Error(err)
		}
	}
}

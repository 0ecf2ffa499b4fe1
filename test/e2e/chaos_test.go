// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"syscontainer/test/host"
)

//go:embed chaos.sh
var chaos string

// TestChaos starts, stops and kills containers of every kind in an order that no person would think of. Whatever happened,
// at the end all that is there is what systemd says is there.
//
// SYSCONTAINER_TEST_SEED=NUMBER repeats a run's choices; its moments are never the same.
func TestChaos(t *testing.T) {
	host.Need(t, "systemd-nspawn", "runc", host.Part("busybox"), filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	f := makeFixture(t)
	roots, actions, timeout := map[string]string{"this": "/"}, 60, 3*time.Minute
	if host.Long() {
		roots["debian-13"] = debian(t, "trixie")
		actions, timeout = 500, 12*time.Minute
	}
	seed := rand.N(1 << 15)
	if s := os.Getenv("SYSCONTAINER_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for name, root := range roots {
		t.Run(name, func(t *testing.T) {
			t.Logf("SYSCONTAINER_TEST_SEED=%d", seed)
			crun := ""
			if host.CrunWorks(root) {
				crun = "crun"
			}
			res := host.Run(t, host.Options{
				Root:    root,
				Script:  prelude + fmt.Sprintf("seed=%d actions=%d crun=%s\n", seed, actions, crun) + chaos,
				Files:   f.files(),
				Binds:   map[string]string{"/srv/oci": f.layout},
				Disks:   []host.Disk{{Target: "/var/lib/syscontainer", Size: "256M"}},
				Timeout: timeout,
			})
			if res.Exit != 0 {
				t.Fatal(res)
			}
		})
	}
}

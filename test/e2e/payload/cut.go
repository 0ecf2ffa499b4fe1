// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// phases of an update, see package generation, in their order.
var phases = []string{"fetching", "switching", "judging", "committing", "good"}

// cut lets the file system of a store reach its disk no more, not even with its log, as when the power fails: see
// FS_IOC_SHUTDOWN in linux/fs.h. The moment is a while after an update that is to begin has come to a phase; with "now" for
// a phase it is a while after the call.
func cut(store, phase, while string) error {
	const request, noLogFlush = 0x8004587d, 2
	after, err := time.ParseDuration(while)
	if err != nil {
		return err
	}
	dir, err := os.Open(store)
	if err != nil {
		return err
	}
	if phase != "now" {
		wanted := slices.Index(phases, phase)
		if wanted < 0 {
			return fmt.Errorf("unknown phase %q", phase)
		}
		last, _ := newest(store)
		fmt.Println("waiting") // the update may begin
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Microsecond) {
			if id, is := newest(store); id != last && is >= wanted {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("no update has come to %s", phase)
			}
		}
	}
	time.Sleep(after)
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), request, noLogFlush); err != nil {
		return fmt.Errorf("shut down %s: %w", store, err)
	}
	return nil
}

// newest is the record of the last update that has begun, and how far that is. IDs sort by time.
func newest(store string) (id string, phase int) {
	records, _ := filepath.Glob(filepath.Join(store, "updates/*.json"))
	if len(records) == 0 {
		return "", -1
	}
	id = slices.Max(records)
	var record struct{ Phase string }
	if data, err := os.ReadFile(id); err != nil || json.Unmarshal(data, &record) != nil {
		return id, -1
	}
	return id, slices.Index(phases, record.Phase)
}

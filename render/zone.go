package main

import (
	"fmt"
	"os"

	"syscontainer/units"
)

// lookZone finds the file of Timezone=.
func lookZone(c *units.Container, h *host) error {
	switch c.Timezone {
	case "":
		return nil
	case "local":
		h.Zone = realFile("/etc/localtime") // none: it is UTC here and there
		return nil
	}
	const zones = "/usr/share/zoneinfo"
	if h.Zone = realFile(zones + "/" + c.Timezone); h.Zone != "" {
		return nil
	}
	problem := fmt.Errorf("Timezone=%s: this machine has no file for it", c.Timezone)
	if _, err := os.Stat(zones); err != nil {
		return withHint(problem, "apt install tzdata, or dnf install tzdata")
	}
	return withHint(problem, "timedatectl list-timezones")
}

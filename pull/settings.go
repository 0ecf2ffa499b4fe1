package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/ini.v1"

	"syscontainer/pull/layer"
	"syscontainer/units"
)

// settings are syscontainer.conf(5).
type settings struct {
	parallel     int           // layers fetched at the same time
	rateLimit    int64         // bytes per second, 0: none
	minFreeSpace int64         // bytes that stay free
	pruneGrace   time.Duration // how long an unused image stays
	limits       layer.Limits
	metered      string // "yes", "no", "": NetworkManager knows
	bootTries    int    // boots that may end without being judged
}

// defaults: two layers saturate two processors, a few more hide a registry's
// latency.
func defaultSettings() settings {
	return settings{parallel: 4, pruneGrace: 24 * time.Hour, bootTries: 3}
}

const settingsFile = "syscontainer.conf"

// settingsDirs: a later one wins, and drop-ins win over files.
var settingsDirs = []string{"/usr/share/containers", "/etc/containers", "/run/containers"}

// loadSettings reads all files of syscontainer.conf below root. Every error of
// every file is told.
func loadSettings(root string) (settings, error) {
	s := defaultSettings()
	paths, err := settingsPaths(root)
	if err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, s.load(path))
	}
	return s, errors.Join(errs...)
}

func settingsPaths(root string) (paths []string, err error) {
	dropins := map[string]string{} // the same name in a later directory replaces
	for _, dir := range settingsDirs {
		dir = filepath.Join("/", root, dir)
		if path := filepath.Join(dir, settingsFile); exists(path) {
			paths = []string{path}
		}
		entries, err := os.ReadDir(filepath.Join(dir, settingsFile+".d"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".conf") {
				dropins[e.Name()] = filepath.Join(dir, settingsFile+".d", e.Name())
			}
		}
	}
	names := make([]string, 0, len(dropins))
	for name := range dropins {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		paths = append(paths, dropins[name])
	}
	return paths, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (s *settings) load(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	file, err := ini.LoadSources(ini.LoadOptions{
		IgnoreInlineComment: true, IgnoreContinuation: true, KeyValueDelimiters: "=",
		ChildSectionDelimiter: "\x00", SkipUnrecognizableLines: false,
	}, data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for _, section := range file.Sections() {
		for _, key := range section.Keys() {
			if err := s.set(section.Name(), key.Name(), key.Value()); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: [%s] %s=%s: %w", path, lineOf(data, section.Name(), key.Name()), section.Name(), key.Name(), key.Value(), err))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *settings) set(section, key, value string) (err error) {
	switch section + "." + key {
	case "Pull.Parallel":
		s.parallel, err = strconv.Atoi(value)
		if err != nil || s.parallel < 1 || s.parallel > 64 {
			return errors.New("must be 1 to 64")
		}
		return nil
	case "Pull.RateLimit":
		s.rateLimit, err = layer.ParseSize(value)
		return err
	case "Store.MinFreeSpace":
		s.minFreeSpace, err = layer.ParseSize(value)
		return err
	case "Store.PruneGrace":
		s.pruneGrace, err = parseTime(value)
		return err
	case "Update.BootTries":
		s.bootTries, err = strconv.Atoi(value)
		if err != nil || s.bootTries < 1 || s.bootTries > 100 {
			return errors.New("must be 1 to 100")
		}
		return nil
	case "Update.Metered":
		if value != "yes" && value != "no" && value != "auto" {
			return errors.New("must be yes, no or auto")
		}
		s.metered = strings.TrimSuffix(value, "auto")
		return nil
	case "Network.Subnet": // for render, which reads no other
		if value == "" {
			return nil
		}
		_, err = units.ParseSubnets(value)
		return err
	}
	if section == "Limits" {
		return s.limits.Set(key, value)
	}
	return errors.New("there is no such setting, see syscontainer.conf(5)")
}

// lineOf finds where a key stands: the library does not say.
func lineOf(data []byte, section, key string) int {
	in, found := ini.DefaultSection, 0
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = strings.Trim(line, "[] \t")
		}
		if name, _, ok := strings.Cut(line, "="); ok && in == section && strings.TrimSpace(name) == key {
			found = i + 1
		}
	}
	return found
}

// parseTime reads what people write for a time span: 90s, 30m, 48h, 7d, or 0.
func parseTime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errTime
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errTime
	}
	return d, nil
}

var errTime = errors.New("must be a time such as 90s, 30m, 48h or 7d")

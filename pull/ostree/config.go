package ostree

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gopkg.in/ini.v1"
)

// newConfig is the config of a new repository.
const newConfig = "[core]\nrepo_version=1\nmode=bare\n"

// config is what ostree.repo-config(5) lets an administrator decide.
type config struct {
	fsync          bool
	perObjectFsync bool
	lockTimeout    time.Duration // negative: for ever
	minFreePercent uint64
	minFreeBytes   uint64 // one of the two is 0
	parent         string // absolute path, "" if there is none
	tmpExpiry      time.Duration
}

// refresh is how often something in tmp/ has to be touched to stay.
func (c *config) refresh() time.Duration {
	return min(max(c.tmpExpiry/4, time.Second), 10*time.Minute)
}

// parseConfig reads a repository's config. The file is a GKeyFile, which is
// close to what ini.v1 reads when told to leave values alone; what still
// differs is refused before or after.
func parseConfig(data []byte) (config, error) {
	c := config{fsync: true, lockTimeout: 300 * time.Second, minFreePercent: 3, tmpExpiry: 24 * time.Hour}
	for i, line := range bytes.Split(data, []byte("\n")) {
		line = bytes.TrimLeft(bytes.TrimSuffix(line, []byte("\r")), " \t")
		if bytes.HasPrefix(line, []byte(";")) { // a comment to ini.v1, an error to libostree
			return c, fmt.Errorf("config:%d: %q is neither key, group nor comment", i+1, line)
		}
		if bytes.HasPrefix(line, []byte("mode")) && !bytes.Equal(line, bytes.TrimRight(line, " \t")) {
			return c, fmt.Errorf("config:%d: %q ends in a blank, which is part of the value", i+1, line)
		}
	}
	file, err := ini.LoadSources(ini.LoadOptions{
		IgnoreInlineComment:     true, // "a # b" is a value
		IgnoreContinuation:      true, // so is one that ends in a backslash
		PreserveSurroundedQuote: true,
		KeyValueDelimiters:      "=",
		ChildSectionDelimiter:   "\x00", // [a.b] inherits nothing from [a]
	}, data)
	if err != nil {
		return c, fmt.Errorf("config: %w", err)
	}
	if keys := file.Section(ini.DefaultSection).Keys(); len(keys) > 0 {
		return c, fmt.Errorf("config: key %q stands before the first group", keys[0].Name())
	}
	// Value, not String: the latter expands %(name)s.
	core := map[string]string{}
	for _, key := range file.Section("core").Keys() {
		core[key.Name()] = key.Value()
	}
	if version := core["repo_version"]; version != "1" {
		return c, fmt.Errorf("config: repo_version=%s is not supported, only 1", version)
	}
	if mode, set := core["mode"]; set && mode != "bare" {
		return c, fmt.Errorf("config: mode=%s is not supported, only bare", mode)
	}
	if c.parent = core["parent"]; c.parent != "" && !filepath.IsAbs(c.parent) {
		return c, fmt.Errorf("config: parent=%s: must be an absolute path", c.parent)
	}
	locking, disableXattrs := true, false
	for key, value := range map[string]*bool{
		"fsync": &c.fsync, "per-object-fsync": &c.perObjectFsync, "locking": &locking, "disable-xattrs": &disableXattrs,
	} {
		switch text, set := core[key]; {
		case !set:
		case text == "true", text == "1":
			*value = true
		case text == "false", text == "0":
			*value = false
		default:
			return c, fmt.Errorf("config: %s=%s: must be true or false", key, text)
		}
	}
	if !locking {
		return c, errors.New("config: locking=false is not supported: a prune could remove what is being written")
	}
	if disableXattrs {
		return c, errors.New("config: disable-xattrs=true is not supported: checksums would not match")
	}
	for key, value := range map[string]*time.Duration{"lock-timeout-secs": &c.lockTimeout, "tmp-expiry-secs": &c.tmpExpiry} {
		if text, set := core[key]; set {
			seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
			if err != nil {
				seconds = 0 // as libostree reads it
			}
			*value = time.Duration(seconds) * time.Second
		}
	}
	if text, set := core["min-free-space-percent"]; set {
		if c.minFreePercent, err = strconv.ParseUint(text, 10, 8); err != nil || c.minFreePercent > 99 {
			return c, fmt.Errorf("config: min-free-space-percent=%s: must be 0 to 99", text)
		}
	}
	if text, set := core["min-free-space-size"]; set {
		if c.minFreeBytes, err = parseSize(text); err != nil {
			return c, fmt.Errorf("config: min-free-space-size=%s: %w", text, err)
		}
		c.minFreePercent = 0
	}
	return c, nil
}

func parseSize(text string) (uint64, error) {
	for suffix, shift := range map[string]uint{"MB": 20, "GB": 30, "TB": 40} {
		if digits, ok := strings.CutSuffix(text, suffix); ok {
			n, err := strconv.ParseUint(digits, 10, 64)
			if err == nil && n<<shift>>shift == n {
				return n << shift, nil
			}
		}
	}
	return 0, errors.New("must be digits and MB, GB or TB")
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"syscontainer/units"
)

const (
	defaultPath      = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	notifySocketPath = "/run/notify/notify.sock" // inside
	credentialsPath  = "/run/credentials"        // inside
)

// environment is the layers of the payload's environment, the weakest first.
func environment(c *units.Container, image *imageConfig, h host, hostName string) [][]string {
	layers := [][]string{
		{defaultPath, "container=oci", "HOME=" + home(h.User)},
		hostEnvironment(c, h.Environ),
		assignments(image.Config.Env),
		h.EnvFiles,
		c.Environment,
	}
	if hostName != "" {
		layers[0] = append(layers[0], "HOSTNAME="+hostName)
	}
	var last []string
	if c.Notify {
		last = append(last, "NOTIFY_SOCKET="+notifySocketPath)
	}
	if h.Credentials != "" {
		last = append(last, "CREDENTIALS_DIRECTORY="+credentialsPath)
	}
	return append(layers, append(last, h.Systemd.environment()...))
}

// assignments drops what no environment can hold.
func assignments(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(s string) bool { return strings.IndexByte(s, '=') < 1 })
}

// helpersOwn are variables that systemd sets for this program or that describe the
// machine instead of the container; a * stands for the rest of a name.
var helpersOwn = [...]string{"NOTIFY_SOCKET", "LISTEN_*", "WATCHDOG_*", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
	"MEMORY_PRESSURE_*", "CREDENTIALS_DIRECTORY", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD"}

var proxies = [...]string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"}

// startEnvironment is this service's environment but for what systemd hands to ExecStart=
// alone, see handover: EnvironmentFile= could take it with a *.
func startEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "LISTEN_") || strings.HasPrefix(s, "WATCHDOG_")
	})
}

// hostEnvironment is what of the service's own environment the payload gets.
func hostEnvironment(c *units.Container, environ []string) []string {
	if !c.EnvironmentHost && !c.HTTPProxy {
		return nil
	}
	return slices.DeleteFunc(assignments(environ), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		if !c.EnvironmentHost {
			return !slices.Contains(proxies[:], name)
		}
		return slices.ContainsFunc(helpersOwn[:], func(own string) bool { return matchesName(own, name) })
	})
}

// matchesName compares with a name that may end in *.
func matchesName(pattern, name string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// longestEnvironmentFile bounds a file of EnvironmentFile=; no process can be given more.
const longestEnvironmentFile = 2 << 20

func lookEnvironmentFiles(c *units.Container, h *host) error {
	for _, f := range c.EnvironmentFiles {
		data, err := readHostFile(f.Path, longestEnvironmentFile)
		if f.Optional && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return withHintIf(fmt.Errorf("EnvironmentFile=%s: %w", f.Path, cause(err)), errors.Is(err, os.ErrNotExist),
				"EnvironmentFile=-"+f.Path+" accepts that it is not there")
		}
		env, err := environmentFile(f.Path, data, h.Environ)
		if err != nil {
			return err
		}
		h.EnvFiles = append(h.EnvFiles, env...)
	}
	return nil
}

// environmentFile reads podman's format: KEY=value a line, the value as it stands,
// without quotes or escapes; # begins a comment at the start of a line; KEY alone takes
// the variable from environ, if it is there, and KEY* all that begin so.
func environmentFile(name string, data []byte, environ []string) (env []string, err error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimLeft(strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), " \t")
		if text == "" || text[0] == '#' {
			continue
		}
		bad := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s", name, number, fmt.Sprintf(format, args...))
		}
		key, _, assigned := strings.Cut(text, "=")
		switch {
		case strings.IndexByte(text, 0) >= 0:
			return nil, bad("NUL byte in %q", text)
		case key == "":
			return nil, bad("%q names no variable", text)
		case strings.ContainsAny(key, " \t\v\f"):
			return nil, withHint(bad("variable %q contains white space", key), "the form is KEY=value, without blanks around the =")
		case assigned:
			env = append(env, text)
		default:
			for _, v := range environ {
				if has, _, _ := strings.Cut(v, "="); has != "" && matchesName(key, has) {
					env = append(env, v)
				}
			}
		}
	}
	return env, nil
}

package convert

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"syscontainer/units"
)

const image = "[Container]\nImage=q.io/a\n"

// mustSay looks for a text in messages, or in a unit.
func mustSay(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

func mustNotSay(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("%q is in\n%s", w, text)
		}
	}
}

// Defects that Quadlet has or had, each found by running it. None may be ours.
func TestDefectsOfQuadlet(t *testing.T) {
	t.Run("01 a bad file takes its neighbours along", func(t *testing.T) {
		for what, spoil := range map[string]func(name string) error{
			"unparsable": func(name string) error { return os.WriteFile(name, []byte("[Container\n"), 0o644) },
			"dangling":   func(name string) error { return os.Symlink("/nowhere", name) },
			"directory":  func(name string) error { return os.Mkdir(name, 0o755) },
			"fifo":       func(name string) error { return syscall.Mkfifo(name, 0o644) },
			"itself":     func(name string) error { return os.Symlink(filepath.Base(name), name) },
		} {
			root := t.TempDir()
			etc, usr := root+"/etc/containers/systemd/", root+"/usr/share/containers/systemd/"
			must(t, os.MkdirAll(etc, 0o755))
			must(t, os.MkdirAll(usr, 0o755))
			must(t, spoil(etc+"bad.syscontainer"))
			must(t, os.WriteFile(etc+"good.syscontainer", []byte(image), 0o644))
			must(t, os.WriteFile(usr+"lower.syscontainer", []byte(image), 0o644))
			must(t, os.WriteFile(usr+"bad.syscontainer", []byte(image), 0o644))
			out := treeOf(Convert(units.Load(root, units.Directories()), Options{Root: root, Render: renderPath}))
			mustSay(t, out["good.service"], "--start")
			mustSay(t, out["lower.service"], "--start")
			mustSay(t, out["bad.service"], "--fail")
			mustNotSay(t, what+out["bad.service"], "--start")
		}
	})
	t.Run("02 a broken file of the admin lets the vendor's run", func(t *testing.T) {
		out, _, _ := generate(t, map[string]string{"x.syscontainer": "[Container]\nImage=nope\n", "/usr/share/containers/systemd/x.syscontainer": image})
		mustSay(t, out["x.service"], "--fail", "/etc/containers/systemd/x.syscontainer:2: ")
	})
	t.Run("03 a bad drop-in is left out", func(t *testing.T) {
		for _, text := range []string{"[Container\n", "[Container]\nReadOnly=ture\n", "[Container]\nImage=\xe9\n"} {
			out, _, failed := generate(t, map[string]string{"x.syscontainer": image, "x.syscontainer.d/a.conf": text})
			if mustSay(t, out["x.service"], "--fail", "x.syscontainer.d/a.conf:"); !failed {
				t.Error(text)
			}
		}
	})
	t.Run("04 words of Exec= become commands of the host", func(t *testing.T) {
		out, _, _ := generate(t, map[string]string{"x.syscontainer": image + "Exec=find / -exec echo {} ';' /usr/bin/id ; %% $A\nEntrypoint=a ; b\nReloadCmd=c ; d\n[Service]\nType=oneshot\n"})
		_, service, _ := strings.Cut(out["x.service"], "[Service]")
		mustNotSay(t, service, ";", "find", "$", "%%")
	})
	t.Run("05 an empty word ends the list", func(t *testing.T) {
		words := decoded(t, "Exec=foo \"\" bar\n").Exec
		if strings.Join(words, "|") != "foo||bar" {
			t.Errorf("%q", words)
		}
	})
	t.Run("06 a bad escape drops all arguments", func(t *testing.T) {
		c := decoded(t, "Exec=a \\q \\; b\nExec=last\nEnvironment=A=1\n")
		if strings.Join(c.Exec, "|") != "last" {
			t.Errorf("%q", c.Exec)
		}
		_, said, _ := generate(t, map[string]string{"x.syscontainer": image + "Exec=a\nExec=b\n", "y.syscontainer": image + "Exec=a \"b\n", "z.syscontainer": image + "Environment=A=\\q\n"})
		mustSay(t, said, "x.syscontainer:4: Exec= is set again", "y.syscontainer:3: Exec=: quote \" is not closed", "z.syscontainer:3: Environment=: unknown escape")
	})
	t.Run("07 a typo in a value is the opposite, or a default", func(t *testing.T) {
		for _, line := range []string{"ReadOnly=ture", "NoNewPrivileges=enable", "PidsLimit=many", "Memory=-1", "StopTimeout=5x", "ShmSize=1x", "Notify=maybe", "Ulimit=nofile=many", "RunInit=ja", "HttpProxy=2"} {
			out, said, failed := generate(t, map[string]string{"x.syscontainer": image + line + "\n"})
			key, _, _ := strings.Cut(line, "=")
			if mustSay(t, said, "x.syscontainer:3: "+key+"="); !failed || !strings.Contains(out["x.service"], "--fail") {
				t.Error(line)
			}
		}
	})
	t.Run("08 another run, another order", func(t *testing.T) {
		text := image
		for i := range 30 {
			text += "Environment=A" + strconv.Itoa(i) + "=x\nLabel=l" + strconv.Itoa(i) + "=x\nSysctl=net.x" + strconv.Itoa(i) + "=1\n"
		}
		files := map[string]string{"x.syscontainer": text + "[Install]\nWantedBy=a.target b.target c.target\nAlias=d.service e.service\n"}
		first, _, _ := generate(t, files)
		for range 20 {
			again, _, _ := generate(t, files)
			for name := range first {
				if first[name] != again[name] {
					t.Fatal(name)
				}
			}
		}
	})
	t.Run("09 nothing masks", func(t *testing.T) {
		root := t.TempDir()
		etc, usr := root+"/etc/containers/systemd/", root+"/usr/share/containers/systemd/"
		must(t, os.MkdirAll(etc, 0o755))
		must(t, os.MkdirAll(usr, 0o755))
		must(t, os.Symlink("/dev/null", etc+"null.syscontainer"))
		must(t, os.WriteFile(etc+"empty.syscontainer", nil, 0o644))
		for _, name := range []string{"null", "empty"} {
			must(t, os.WriteFile(usr+name+".syscontainer", []byte(image+"[Install]\nWantedBy=multi-user.target\n"), 0o644))
		}
		p := Convert(units.Load(root, units.Directories()), Options{Root: root, Render: renderPath})
		if out := treeOf(p); len(out) > 0 || saidBy(p) != "" {
			t.Error(out, saidBy(p))
		}
	})
	t.Run("10 names lead out of the directory or hide others", func(t *testing.T) {
		out, said, _ := generate(t, map[string]string{
			"a.syscontainer": image + "ServiceName=../x\n", "b.syscontainer": image + "ServiceName=same\n", "c.syscontainer": image + "ServiceName=same\n",
			"we ird.syscontainer": image, "ssh.syscontainer": image, "/usr/lib/systemd/system/ssh.service": "[Service]\n", "d.syscontainer": image + "ServiceName=dbus\n", "/lib/systemd/system/dbus.service": "[Service]\n",
		})
		for name := range out {
			if !filepath.IsLocal(name) || strings.Contains(name, "/") || name == "ssh.service" || name == "dbus.service" || strings.Contains(name, " ") {
				t.Error(name)
			}
		}
		mustSay(t, out["same.service"], "--fail", "b.syscontainer:3: ", "c.syscontainer:3: ")
		mustSay(t, said, "a.syscontainer:3: ServiceName=", "ssh.syscontainer: no service is made of it: /usr/lib/systemd/system/ssh.service", "d.syscontainer: no service is made of it: /lib/systemd/system/dbus.service", `"we ird" is no unit name`)
	})
	t.Run("11 Alias=../../.. is a link and no error", func(t *testing.T) {
		out, said, failed := generate(t, map[string]string{"x.syscontainer": image + "[Install]\nAlias=../../..\nAlias=../y.service\nWantedBy=../../z\n"})
		if mustSay(t, said, "x.syscontainer:4: Alias=", "x.syscontainer:5: Alias=", "x.syscontainer:6: WantedBy="); !failed || len(out) != 1 {
			t.Error(out)
		}
	})
	t.Run("12 a directory is hidden for its name", func(t *testing.T) {
		out, _, _ := generate(t, map[string]string{"users-apps/a.syscontainer": image, "users/b.syscontainer": image, ".hidden/c.syscontainer": image})
		if len(out) != 3 {
			t.Error(out)
		}
	})
	t.Run("13 an instance loses a letter", func(t *testing.T) {
		out, _, _ := generate(t, map[string]string{"foo@.syscontainer": image, "vol@.volume": "[Volume]\n",
			"x.syscontainer": "[Unit]\nAfter=foo@one.syscontainer vol@one.volume\n" + image + "Network=foo@one.syscontainer\n"})
		mustSay(t, out["x.service"], "\nAfter=foo@one.service vol-volume@one.service\n", "\nNetwork=foo@one.syscontainer\n", "\nBindsTo=foo@one.service\n")
	})
	t.Run("14 the unit that failed disappears", func(t *testing.T) {
		out, _, _ := generate(t, map[string]string{"x.syscontainer": "[Unit]\nDescription=mine\n[Container]\nImage=nope\n[Install]\nWantedBy=multi-user.target\n"})
		mustSay(t, out["x.service"], "Description=mine", "Error=/etc/containers/systemd/x.syscontainer:4: Image=", "ExecStart="+renderPath+" --fail")
		if out["multi-user.target.wants/x.service"] != "-> ../x.service" {
			t.Error(out)
		}
	})
	t.Run("15 another syntax than systemd's", func(t *testing.T) {
		// The whole table is the lexer's test; here, that what is passed on keeps its meaning.
		out, said, _ := generate(t, map[string]string{"x.syscontainer": "\ufeff[Unit]\r\nDescription=a \\\r\n  b\r\n" + image + "[Service]\nEnvironment=A=1 \\\n\nRestart=no\nEnvironment=\"B=\u00a0x\\\\\"\nnonsense\n=x\nNice=1\\\\\nUMask=0\n"})
		mustSay(t, out["x.service"], "\nDescription=a    b\n", "\nEnvironment=A=1\nRestart=no\n", "\nEnvironment=\"B=\u00a0x\\\\\"\n", "\nNice=1\\\\ \nUMask=0\n")
		mustSay(t, said, `"nonsense" has no =`, "no key before the =")
		_, said, failed := generate(t, map[string]string{"x.syscontainer": image + "[Service]\nEnvironment=A=caf\xe9\n", "y.syscontainer": image + "X-Long=" + strings.Repeat("x", 1<<21) + "\n"})
		if mustSay(t, said, "x.syscontainer:4: not valid UTF-8", "y.syscontainer:3: the line is longer than 1 MiB"); !failed {
			t.Error(said)
		}
	})
	t.Run("16 units times directories", func(t *testing.T) {
		took := func(n int) time.Duration {
			root := t.TempDir()
			for i := range n {
				dir := root + "/etc/containers/systemd/dir-" + strconv.Itoa(i)
				must(t, os.MkdirAll(dir, 0o755))
				must(t, os.WriteFile(dir+"/a-b-c-d-"+strconv.Itoa(i)+".syscontainer", []byte(image), 0o644))
			}
			start := time.Now()
			if p := Convert(units.Load(root, units.Directories()), Options{Root: root, Render: renderPath}); len(p.Services) != n {
				t.Fatal(len(p.Services))
			}
			return time.Since(start)
		}
		// Ten times as many take ten times as long, not a hundred times; a machine that does other things is allowed for.
		if few, many := took(100), took(1000); many > 60*few+100*time.Millisecond {
			t.Errorf("100 take %v, 1000 %v", few, many)
		}
	})
	t.Run("17 the machine's state is read", func(t *testing.T) {
		files := map[string]string{"x.syscontainer": image + "AddDevice=-/dev/fuse\nAddDevice=/dev/not-there\nUser=nobody-knows\nVolume=/not/there:/x\nEnvironmentFile=/not/there\nTimezone=local\nSeccompProfile=/not/there\n"}
		out, said, failed := generate(t, files)
		if mustSay(t, out["x.service"], "\nAddDevice=-/dev/fuse\nAddDevice=/dev/not-there\n"); failed {
			t.Error(said)
		}
	})
	t.Run("18 nobody can take network-online away", func(t *testing.T) {
		out, _, _ := generate(t, map[string]string{"x.syscontainer": image})
		mustNotSay(t, out["x.service"], "network", "After=", "Wants=")
	})
}

// decoded is what render would read of a generated service.
func decoded(t *testing.T, lines string) *units.Container {
	t.Helper()
	out, said, _ := generate(t, map[string]string{"x.syscontainer": image + lines})
	c, err := units.ReadGenerated(strings.NewReader(out["x.service"]), "x.service", nil)
	if err != nil {
		t.Fatal(err, said)
	}
	return c
}

// Nothing is quadratic in what is wrong, or in what refers to what: a machine with many
// units boots as soon as one with few.
func TestManyReferences(t *testing.T) {
	files := map[string]string{"db.syscontainer": image + strings.Repeat("Volume=/srv/x:/x\n", 2000)}
	for i := range 2000 {
		name := "unit-with-a-long-name-" + strconv.Itoa(i)
		files[name+".syscontainer"] = "[Unit]\nAfter=missing-" + strconv.Itoa(i) + ".syscontainer unit-with-a-long-name-" + strconv.Itoa(i+1) + ".syscontainer\n" +
			image + "Volume=db.syscontainer/x/y:/y\nContainerName=c-" + strconv.Itoa(i) + "\n[Install]\nAlias=same.service\nWantedBy=db.syscontainer\n"
	}
	start := time.Now()
	out, _, p := generatePlan(t, files)
	if took := time.Since(start); took > 10*time.Second { // half a second, mostly for writing the files
		t.Error("took ", took)
	}
	if mustSay(t, out["unit-with-a-long-name-0.service"], "\nVolume=/srv/x/y:/y\n", "\nAfter=missing-0.service unit-with-a-long-name-1.service\n"); len(p.Services) != 2001 {
		t.Error(len(p.Services))
	}
}

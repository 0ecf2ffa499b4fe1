package atomic

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/units"
)

func translateFor(t *testing.T, template string, set ...string) ([]ServiceLine, error) {
	t.Helper()
	values := Place{Name: "web", Directory: Bundle("web"), Runtime: "/usr/bin/runc"}.Values(set, new(Manifest))
	return Translate([]byte(template), values)
}

// shown is a translation as "LINE [SECTION] KEY=VALUE", or the reason in parentheses.
func shown(lines []ServiceLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%d [%s] ", l.Line, l.Section)
		if l.Why != "" {
			fmt.Fprintf(&b, "%s (%s)\n", l.Written, l.Why)
		} else {
			fmt.Fprintf(&b, "%s=%s\n", l.Key, l.Value)
		}
	}
	return b.String()
}

func TestTranslate(t *testing.T) {
	const started = "\nExecStart=$EXEC_START\n"
	const start = "2 [Service] ExecStart=$EXEC_START (the service starts the container)\n"
	for _, c := range []struct{ name, template, want string }{
		{"whole", `[Unit]
Description=The $NAME of $IMAGE
After=network.target

[Service]
Type=notify
NotifyAccess=all
ExecStartPre=${EXEC_STARTPRE}
ExecStartPre=$DESTDIR/rootfs/usr/bin/prepare --state $$HOME/$NAME
ExecStart=$EXEC_START
ExecStop=-$EXEC_STOP
ExecStopPost=${EXEC_STOPPOST}
PIDFile=$PIDFILE
Restart=on-failure
WorkingDirectory=$DESTDIR
RuntimeDirectory=${NAME}
MemoryMax=$MEMORY

[Install]
WantedBy=multi-user.target
`, `2 [Unit] Description=The web of q.io/web
3 [Unit] After=network.target
6 [Container] Notify=yes
7 [Service] NotifyAccess=all (systemd is told the main process)
8 [Service] ExecStartPre=${EXEC_STARTPRE} (the service sees to it)
9 [Service] ExecStartPre=/run/syscontainer/web/image/rootfs/usr/bin/prepare --state $HOME/web
10 [Service] ExecStart=$EXEC_START (the service starts the container)
11 [Service] ExecStop=-$EXEC_STOP (the service sees to it)
12 [Service] ExecStopPost=${EXEC_STOPPOST} (the service sees to it)
13 [Service] PIDFile=$PIDFILE (systemd is told the main process)
14 [Service] Restart=on-failure
15 [Service] WorkingDirectory=$DESTDIR (the runtime knows its bundle)
16 [Service] RuntimeDirectory=web
17 [Service] MemoryMax=64M
20 [Install] WantedBy=multi-user.target
`},
		{"types that say nothing", "[Service]" + started + "Type=simple\nType=forking\nKillMode=process\nGuessMainPID=no\n",
			start + "3 [Service] Type=simple (a later line counts)\n4 [Service] Type=forking (the service tells systemd when the container runs)\n" +
				"5 [Service] KillMode=process (the service has its own)\n6 [Service] GuessMainPID=no (systemd is told the main process)\n"},
		{"notify-reload", "[Service]" + started + "Type=notify-reload\n", start + "3 [Container] ReloadSignal=SIGHUP\n3 [Container] Notify=yes\n"},
		{"oneshot", "[Service]\nExecStart=/bin/before\nExecStart=$EXEC_START\nExecStart=/bin/after $$X\nType=oneshot\nRemainAfterExit=yes\n",
			"2 [Service] ExecStartPre=/bin/before\n3 [Service] ExecStart=$EXEC_START (the service starts the container)\n4 [Service] ExecStartPost=/bin/after $X\n" +
				"5 [Service] Type=oneshot\n6 [Service] RemainAfterExit=yes\n"},
		{"oneshot that leaves the container alone", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/before\nExecStart=${EXEC_START}\nExecStopPost=${EXEC_STOPPOST}\nPIDFile=${PIDFILE}\n",
			"2 [Service] Type=oneshot (the service watches the container)\n3 [Service] RemainAfterExit=yes (the service watches the container)\n" +
				"4 [Service] ExecStartPre=/bin/before\n5 [Service] ExecStart=${EXEC_START} (the service starts the container)\n" +
				"6 [Service] ExecStopPost=${EXEC_STOPPOST} (the service sees to it)\n7 [Service] PIDFile=${PIDFILE} (systemd is told the main process)\n"},
		{"RemainAfterExit alone", "[Service]" + started + "RemainAfterExit=yes\nExecStopPost=$EXEC_STOPPOST\nPIDFile=$PIDFILE\n",
			start + "3 [Service] RemainAfterExit=yes\n4 [Service] ExecStopPost=$EXEC_STOPPOST (the service sees to it)\n5 [Service] PIDFile=$PIDFILE (systemd is told the main process)\n"},
		{"commands of its own", "[Service]" + started + "ExecStartPost=/bin/a\nExecStop=/bin/b %n\nExecStopPost=-/bin/c\nExecReload=/bin/kill -HUP $$MAINPID\n",
			start + "3 [Service] ExecStartPost=/bin/a\n4 [Service] ExecStop=/bin/b %n\n5 [Service] ExecStopPost=-/bin/c\n6 [Service] ExecReload=/bin/kill -HUP $MAINPID\n"},
		{"a command around the runtime's", "[Service]\nExecStart=/bin/sh -c '$EXEC_START'\nExecStop=/bin/sh -c \"echo $EXEC_STOP\"\n",
			"2 [Service] ExecStart=/bin/sh -c '$EXEC_START' (the runtime is not started by a command of the unit)\n" +
				"3 [Service] ExecStop=/bin/sh -c \"echo $EXEC_STOP\" (the runtime is not started by a command of the unit)\n"},
		{"what is in the image comes late", "[Unit]\nConditionPathExists=!$DESTDIR/rootfs/x\nAssertPathExists=/etc/x\n[Service]\nExecStart=$EXEC_START\nEnvironmentFile=$DESTDIR/rootfs/env\n" +
			"EnvironmentFile=-/etc/env\nWorkingDirectory=$DESTDIR/rootfs/srv\nWorkingDirectory=/srv\n",
			"2 [Unit] ConditionPathExists=!$DESTDIR/rootfs/x (it is asked before the image is in its place)\n3 [Unit] AssertPathExists=/etc/x\n" +
				"5 [Service] ExecStart=$EXEC_START (the service starts the container)\n6 [Service] EnvironmentFile=-/run/syscontainer/web/image/rootfs/env\n" +
				"7 [Service] EnvironmentFile=-/etc/env\n8 [Service] WorkingDirectory=-/run/syscontainer/web/image/rootfs/srv\n9 [Service] WorkingDirectory=/srv\n"},
		{"sections nobody reads", "[Service]" + started + "[Limits]\nMemoryMax=1G\n[Container]\nPrivileged=yes\n[X-Container]\nImage=x\n",
			start + "4 [Limits] MemoryMax=1G (systemd ignores the section [Limits])\n6 [Container] Privileged=yes (systemd ignores the section [Container])\n" +
				"8 [X-Container] Image=x (systemd ignores the section [X-Container])\n"},
		{"a value with lines", "[Service]" + started + "$LINES\nLimitNOFILE=5\n",
			start + "3 [Service] MemoryMax=1G\n3 [Container] $LINES (systemd ignores the section [Container])\n" +
				"4 [Container] LimitNOFILE=5 (systemd ignores the section [Container])\n"},
		{"joined lines", "[Service]" + started + "[Unit]\nAfter=a.service \\\n# a comment\n  $NAME.target\nWants=b\n",
			start + "4 [Unit] After=a.service    web.target\n7 [Unit] Wants=b\n"},
		{"line ends", "[Service]\r\nExecStart=$EXEC_START\r\nNice=1\rNice=2\x00Nice=3\n",
			start + "3 [Service] Nice=1\n4 [Service] Nice=2\n5 [Service] Nice=3\n"},
		{"nothing is a key", "[Service]" + started + "we ird=1\nNice=\x1b[31m\n",
			start + "3 [Service] we ird=1 (systemd knows no such key)\n4 [Service] Nice=\x1b[31m (there is a control character in it)\n"},
		{"nothing starts", "[Unit]\nDescription=x\n", "2 [Unit] Description=x\n"},
	} {
		lines, err := translateFor(t, strings.ReplaceAll(c.template, "$IMAGE", "q.io/web"), "MEMORY=64M", "LINES=MemoryMax=1G\n[Container]\nPrivileged=yes")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := shown(lines); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestTranslateErrors(t *testing.T) {
	for _, c := range []struct{ template, want string }{
		{"[Service]\nType=simple\nExecStart=$DESTDIR/rootfs/usr/bin/agent\n", "service.template:3: ExecStart= starts a program of the host, and no container"},
		{"[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=/bin/false\n", "service.template:4: ExecStart= starts"},
		{"[Service]\nExecStart=$EXEC_START\nMemoryMax=$A\nNice=${B}$A\n", "The template file 'service.template' still contains an unreplaced value for: ''A'', ''B''"},
		{"[Service]\nExecStart=$EXEC_START\n  Nice=$5\n", "service.template: Invalid placeholder in string: line 3, col 8"},
		{"[Unit]\n\n[Service\nExecStart=$EXEC_START\n", "service.template:3: section header"},
		{"[Unit]\nDescription=caf\xe9\n", "service.template:2: not valid UTF-8"},
	} {
		lines, err := translateFor(t, c.template)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v and %q, want %s", c.template, err, shown(lines), c.want)
		}
	}
	_, err := translateFor(t, "[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=/bin/false\n")
	if problems, is := errors.AsType[units.Problems](err); !is || len(problems) != 2 {
		t.Errorf("%v: want both lines", err)
	}
}

// Every line that is kept is read again as it was meant, in its section, and none of [Container] but those made here.
func FuzzTranslate(f *testing.F) {
	f.Add("[Service]\nExecStart=$EXEC_START\nNice=$V\n", "1\n[Container]\nImage=x")
	f.Add("[Unit]\nDescription=a\\\n b\\\\\n[Service]\nType=notify\n$V", "Type=oneshot")
	f.Fuzz(func(t *testing.T, template, value string) {
		lines, err := translateFor(t, template, "V="+value)
		if err != nil {
			return
		}
		for _, l := range lines {
			if l.Why != "" {
				continue
			}
			if l.Section == "Container" && l.Key != "Notify" && l.Key != "ReloadSignal" || strings.ContainsAny(l.Value, "\n\r\x00\x1a") {
				t.Fatalf("%+v", l)
			}
			if l.Line < 1 || l.Line > strings.Count(template, "\n")+strings.Count(template, "\r")+strings.Count(template, "\x00")+1 {
				t.Fatalf("%+v: the template has no such line", l)
			}
			read, _, refused := units.Parse("x", "["+l.Section+"]\n"+l.Key+"="+l.Value+" \n")
			if refused != nil || len(read) != 1 || read[0].Key != l.Key || read[0].Value != l.Value {
				t.Fatalf("%+v is read as %+v, %v", l, read, refused)
			}
		}
	})
}

// The public images of old, where they are at hand.
func TestTranslatePublicImages(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/atomic-images/*/exports/service.template")
	if len(files) == 0 {
		t.Skip("no images of Project Atomic at hand")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := translateFor(t, string(text))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		kept := map[string]string{}
		for _, l := range lines {
			if l.Why == "" {
				kept[l.Section+"."+l.Key] = l.Value
			}
		}
		for key, want := range map[string]string{"Service.Restart": "on-failure", "Install.WantedBy": "multi-user.target", "Service.ExecStart": "", "Service.ExecStop": "",
			"Service.WorkingDirectory": "", "Service.Type": ""} {
			if kept[key] != want {
				t.Errorf("%s: %s=%q, want %q", file, key, kept[key], want)
			}
		}
		notify := strings.Contains(string(text), "Type=notify")
		if (kept["Container.Notify"] == "yes") != notify {
			t.Errorf("%s: Notify=%s", file, kept["Container.Notify"])
		}
	}
}

package units

import (
	"strings"
	"testing"
)

func TestParseImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for in, want := range map[string]string{
		"quay.io/coreos/etcd:v3.5.15":    "quay.io/coreos/etcd:v3.5.15",
		"docker://quay.io/coreos/etcd":   "quay.io/coreos/etcd:latest",
		"docker.io/busybox":              "docker.io/library/busybox:latest",
		"index.docker.io/busybox:1":      "docker.io/library/busybox:1",
		"docker.io/a/b":                  "docker.io/a/b:latest",
		"127.0.0.1:5000/hello:1":         "127.0.0.1:5000/hello:1",
		"localhost/a__b/c-----d.e:T_1.2": "localhost/a__b/c-----d.e:T_1.2",
		"q.io/a@" + digest:               "q.io/a@" + digest,
		"q.io/a:1@" + digest:             "q.io/a@" + digest,
		"oci:/srv/images/web":            "oci:/srv/images/web",
		"oci:/srv//images/./web:1.0":     "oci:/srv/images/web:1.0",
		"oci-archive:/srv/web.tar:a/b:c": "oci-archive:/srv/web.tar:a/b:c",
		"docker-archive:/srv/web.tar":    "docker-archive:/srv/web.tar",
		"docker-archive:/w.tar:q.io/a:1": "docker-archive:/w.tar:q.io/a:1",
		"dir:/srv/web/":                  "dir:/srv/web",
	} {
		if got, err := ParseImage(in); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", in, got, err, want)
		} else if again, err := ParseImage(got); err != nil || again != got {
			t.Errorf("%s is not stable: %s %v", got, again, err)
		}
	}
	for in, hint := range map[string]string{
		"busybox": "docker.io/library/busybox", "busybox:1": "docker.io/library/busybox:1", "user/app": "docker.io/user/app",
		"": "", "Not A Reference!": "", "q.io/A": "q.io/a", "q.io/": "", "q.io/a:": "", "q.io/a:-x": "", "q.io/a@sha256:12": "",
		"q.io/a@md5:" + strings.Repeat("0", 32): "", "q.io/a//b": "", "q.io/a..b": "", "q.io/a___b": "", "q.io/_a": "", "q.io/a-": "",
		"-q.io/a": "", "q.io:x/a": "", "q.io:/a": "", "[::1/x": "", "[::1]:5000/x": "write a host name", "oci:web": "oci:/srv", "oci:/web:": "", "dir:/a:b": "", "oci:/": "",
		"docker-daemon:a": "", "q.io/../a": "", "q.io/a\nb": "", "q.io/é": "", "q.io/" + strings.Repeat("a", 255): "",
		"oci:/a\x01": "", "q.io/a:1:2": "", "http://q.io/a": "",
	} {
		got, err := ParseImage(in)
		if err == nil {
			t.Errorf("%q gave %s", in, got)
		} else if h := err.(*hinted).hint; !strings.Contains(h, hint) {
			t.Errorf("%q: hint %q, want %q", in, h, hint)
		}
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add("quay.io/coreos/etcd:v3.5.15@sha256:" + strings.Repeat("0", 64))
	f.Add("oci:/srv/images:1")
	f.Add("docker://localhost:5000/a__b")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseImage(s)
		if err != nil {
			return
		}
		if again, err := ParseImage(got); err != nil || again != got || strings.ContainsAny(got, "\n\x00") {
			t.Fatalf("%q: %q, again %q %v", s, got, again, err)
		}
	})
}

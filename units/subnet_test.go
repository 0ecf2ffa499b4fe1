package units

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSubnets(t *testing.T) {
	for text, want := range map[string]string{
		"10.90.0.0/16":              "10.90.0.0/16",
		"10.90.0.0/16 fd00:90::/64": "10.90.0.0/16 fd00:90::/64",
		"fd00::/8":                  "fd00::/8",
		"10.0.0.4/30":               "10.0.0.4/30",
		"":                          "\"\" names no subnet\nhint: for example 10.90.0.0/16",
		"10.90.0.0":                 "\"10.90.0.0\" is no subnet that a bridge can have\nhint: for example 10.90.0.0/16 or fd00:90::/64",
		"10.90.0.0/31":              "\"10.90.0.0/31\" is no subnet that a bridge can have\nhint: for example 10.90.0.0/16 or fd00:90::/64",
		"10.90.0.1/16":              `"10.90.0.1/16" is the address of one machine, and not of a subnet`,
		"fd00::1/64":                `"fd00::1/64" is the address of one machine, and not of a subnet`,
		"10.0.0.0/8 10.90.0.0/16":   "\"10.0.0.0/8 10.90.0.0/16\" has two subnets of one kind\nhint: write one of IPv4 and one of IPv6",
	} {
		subnets, err := ParseSubnets(text)
		got := ""
		for _, n := range subnets {
			got += " " + n.String()
		}
		if err != nil {
			got = " " + (&Problem{Msg: err.Error(), Hint: Hint(err)}).Error()
		}
		if got != " "+want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Every address of a subnet has one number, and no other address has any.
func TestAddressesOfASubnet(t *testing.T) {
	subnets, err := ParseSubnets("10.1.2.240/28")
	if err != nil {
		t.Fatal(err)
	}
	n := subnets[0]
	if n.Hosts() != 14 || n.At(1) != "10.1.2.241" || n.At(14) != "10.1.2.254" {
		t.Error(n.Hosts(), n.At(1), n.At(14))
	}
	for number := uint32(1); number <= n.Hosts(); number++ {
		if n.Number(n.At(number)) != number {
			t.Error(number, n.At(number), n.Number(n.At(number)))
		}
	}
	for _, other := range []string{"10.1.2.240", "10.1.2.255", "10.1.2.239", "10.1.3.241", "11.1.2.241", "fd00::1", "", "x"} {
		if n.Number(other) != 0 {
			t.Error(other, "is", n.Number(other))
		}
	}
	subnets, err = ParseSubnets("fd00:90::/64")
	if err != nil {
		t.Fatal(err)
	}
	if n = subnets[0]; n.Hosts() != 1<<32-1 || n.At(1<<32-1) != "fd00:90::ffff:ffff" || n.Number("fd00:90::ffff:ffff") != 1<<32-1 ||
		n.Number("fd00:90::1:0:0") != 0 || n.Number("fd00:91::1") != 0 {
		t.Error(n.Hosts(), n.At(1<<32-1))
	}
}

// Setting and loadSettings of the operator's command read the same files.
func TestSetting(t *testing.T) {
	root := t.TempDir()
	says := func(want string) {
		t.Helper()
		value, at, err := Setting(root, "Network", "Subnet")
		if err != nil {
			value = err.Error()
		} else if at != nil {
			value += " " + at.File[len(root):]
		}
		if value != want {
			t.Errorf("%q, want %q", value, want)
		}
	}
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	says("")
	write("usr/share/containers/syscontainer.conf", "[Network]\nSubnet=1\n")
	says("1 /usr/share/containers/syscontainer.conf")
	write("etc/containers/syscontainer.conf", "[Pull]\nSubnet=3\n")
	says("") // the file replaces the vendor's
	write("etc/containers/syscontainer.conf.d/20-x.conf", "[Network]\nSubnet=4\n")
	write("run/containers/syscontainer.conf.d/10-x.conf", "[Network]\nSubnet=5\n")
	write("run/containers/syscontainer.conf.d/readme", "[Network]\nSubnet=6\n")
	says("4 /etc/containers/syscontainer.conf.d/20-x.conf")
	write("run/containers/syscontainer.conf.d/20-x.conf", "# gone\n")
	says("5 /run/containers/syscontainer.conf.d/10-x.conf")
	write("run/containers/syscontainer.conf.d/30-x.conf", "[Network\n")
	if _, _, err := Setting(root, "Network", "Subnet"); err == nil || !strings.Contains(err.Error(), "30-x.conf:1: ") {
		t.Error(err)
	}
}

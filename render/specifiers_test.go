package main

import (
	"os"
	"path/filepath"
	"testing"

	"syscontainer/units"
)

// Every specifier that units leaves to the start has a value here, or says why not.
func TestMachineSpecifiers(t *testing.T) {
	for _, s := range []byte(units.HostSpecifiers) {
		value, err := machineSpecifier(s)
		t.Logf("%%%c: %q, %v", s, value, err)
		if err != nil && s != 'm' {
			t.Errorf("%%%c: %v", s, err)
		}
	}
	if value, err := machineSpecifier('z'); err == nil {
		t.Errorf("%%z: %q", value)
	}
}

func TestReleaseField(t *testing.T) {
	file := filepath.Join(t.TempDir(), "os-release")
	text := "# x\nNAME='It is'\\''s'\nID=debian\nVERSION_ID=\"12\"\nPRETTY=\"a \\\"b\\\" \\$c \\d\"\nTWICE=1\nTWICE=2\nEMPTY=\n X=indented\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"ID": "debian", "VERSION_ID": "12", "NAME": "It is's", "PRETTY": `a "b" $c \d`, "TWICE": "2", "EMPTY": "", "MISSING": "", "I": ""} {
		if got := releaseField(field, "/no/such", file); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

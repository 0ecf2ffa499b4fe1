package units

import "testing"

func TestSets(t *testing.T) {
	c, errs, _ := read(t, "web", "PID=private\nReadOnly=yes\nReadOnly=\nMask=/a\nMask=\nMask=/b\nUser=\nAddCapability=KILL\nAddCapability=\n")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for name, want := range map[string]bool{"Image": true, "PID": true, "Mask": true, "ReadOnly": false, "User": false, "AddCapability": false, "Export": false, "No": false} {
		if got := c.Sets(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !c.Sets("Export", "PID") || c.Sets() {
		t.Error("of several, one is enough")
	}
}

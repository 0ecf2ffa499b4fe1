package atomic

import (
	"regexp"
	"testing"
)

func TestUUID(t *testing.T) {
	const machine = "0123456789abcdef0123456789abcdef"
	one := UUID(machine+"\n", "web")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(one) {
		t.Errorf("%q is no UUID of version 4", one)
	}
	if again := UUID(machine, "web"); again != one {
		t.Errorf("%s, then %s", one, again)
	}
	if other := UUID(machine, "web2"); other == one {
		t.Errorf("web and web2 both have %s", one)
	}
	if other := UUID("f"+machine[1:], "web"); other == one {
		t.Errorf("two machines both have %s", one)
	}
}

func TestThisMachine(t *testing.T) {
	m := ThisMachine()
	if len(m.Capabilities) < 30 || m.Capabilities[0] != "CAP_CHOWN" || m.Capabilities[21] != "CAP_SYS_ADMIN" {
		t.Errorf("capabilities: %q", m.Capabilities)
	}
}

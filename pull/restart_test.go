package main

import (
	"slices"
	"testing"
)

// What needs others comes first: it is stopped before them, and started after them.
func TestSortLastFirst(t *testing.T) {
	after := map[string][]string{
		"web": {"db.service", "sysinit.target"}, "db": {"net.service"}, "log": nil, "net": {"network.target"},
	}
	if got := sortLastFirst([]string{"db", "log", "net", "web"}, after); !slices.Equal(got, []string{"web", "db", "log", "net"}) {
		t.Errorf("%q", got)
	}
	circle := map[string][]string{"a": {"b.service"}, "b": {"a.service"}}
	if got := sortLastFirst([]string{"a", "b"}, circle); len(got) != 2 {
		t.Errorf("of a circle: %q", got)
	}
}

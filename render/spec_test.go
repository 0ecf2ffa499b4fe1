package main

import "testing"

import "os"

// need skips a test whose tool is absent, or fails it where all must be there.
func need(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

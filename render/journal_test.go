package main

import "testing"

// A line of a message is no field, whatever it looks like.
func TestJournalEntry(t *testing.T) {
	const message = "bad\nMESSAGE_ID=evil"
	got := string(journalEntry([]string{"PRIORITY=3", "MESSAGE=" + message, "A=b=c", "EMPTY="}))
	want := "PRIORITY=3\nMESSAGE\n" + string([]byte{byte(len(message)), 0, 0, 0, 0, 0, 0, 0}) + message + "\nA=b=c\nEMPTY=\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package units

import (
	"testing"
	"time"
	_ "time/tzdata" // not every machine has zones
)

func TestWindow(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	const layout = "2006-01-02 15:04:05 -0700"
	for _, c := range []struct {
		window, at string
		open       bool
		next       string
	}{
		{"02:00-04:00", "2026-06-10 01:59:59 +0200", false, "2026-06-10 02:00:00 +0200"},
		{"02:00-04:00", "2026-06-10 02:00:00 +0200", true, "2026-06-11 02:00:00 +0200"},
		{"02:00-04:00", "2026-06-10 03:59:59 +0200", true, "2026-06-11 02:00:00 +0200"},
		{"02:00-04:00", "2026-06-10 04:00:00 +0200", false, "2026-06-11 02:00:00 +0200"},
		{"02:00-04:00", "2026-06-10 01:00:00 +0000", true, "2026-06-11 02:00:00 +0200"}, // another zone's clock
		{"00:00-24:00", "2026-06-10 00:00:00 +0200", true, "2026-06-11 00:00:00 +0200"},
		{"00:00-24:00", "2026-06-10 23:59:59 +0200", true, "2026-06-11 00:00:00 +0200"},
		// Over midnight: the day is that of its beginning. 2026-06-12 is a Friday.
		{"Fri 22:00-06:00", "2026-06-12 05:00:00 +0200", false, "2026-06-12 22:00:00 +0200"},
		{"Fri 22:00-06:00", "2026-06-12 22:00:00 +0200", true, "2026-06-19 22:00:00 +0200"},
		{"Fri 22:00-06:00", "2026-06-13 05:59:59 +0200", true, "2026-06-19 22:00:00 +0200"},
		{"Fri 22:00-06:00", "2026-06-13 22:00:00 +0200", false, "2026-06-19 22:00:00 +0200"},
		{"Friday..Sunday,Wed 00:00-24:00", "2026-06-11 12:00:00 +0200", false, "2026-06-12 00:00:00 +0200"},
		{"22:00-24:00", "2026-12-31 23:59:59 +0100", true, "2027-01-01 22:00:00 +0100"},
		{"22:00-01:00", "2027-01-01 00:30:00 +0100", true, "2027-01-01 22:00:00 +0100"},
		// The clock goes from 02:00 to 03:00 on 2026-03-29: what lies in between opens at that moment, for its time.
		{"02:30-02:45", "2026-03-29 01:59:59 +0100", false, "2026-03-29 03:00:00 +0200"},
		{"02:30-02:45", "2026-03-29 03:00:00 +0200", true, "2026-03-30 02:30:00 +0200"},
		{"02:30-02:45", "2026-03-29 03:15:00 +0200", false, "2026-03-30 02:30:00 +0200"},
		{"02:30-03:30", "2026-03-29 03:29:59 +0200", true, "2026-03-30 02:30:00 +0200"},
		{"02:30-03:30", "2026-03-29 03:30:00 +0200", false, "2026-03-30 02:30:00 +0200"},
		{"01:30-02:30", "2026-03-29 01:59:59 +0100", true, "2026-03-30 01:30:00 +0200"},
		{"01:30-02:30", "2026-03-29 03:00:00 +0200", false, "2026-03-30 01:30:00 +0200"},
		// It goes from 03:00 back to 02:00 on 2026-10-25: the first time counts, and what begins before is not cut in two.
		{"02:30-02:45", "2026-10-25 02:30:00 +0200", true, "2026-10-26 02:30:00 +0100"},
		{"02:30-02:45", "2026-10-25 02:30:00 +0100", false, "2026-10-26 02:30:00 +0100"},
		{"02:30-03:30", "2026-10-25 02:10:00 +0100", true, "2026-10-26 02:30:00 +0100"},
		{"02:30-03:30", "2026-10-25 03:29:59 +0100", true, "2026-10-26 02:30:00 +0100"},
		{"01:30-02:30", "2026-10-25 02:29:59 +0200", true, "2026-10-26 01:30:00 +0100"},
		{"01:30-02:30", "2026-10-25 02:29:59 +0100", false, "2026-10-26 01:30:00 +0100"},
	} {
		windows, _, err := windowForm(nil, c.window)
		must(t, err)
		at, err := time.Parse(layout, c.at)
		must(t, err)
		at = at.In(berlin)
		if got := windows[0].Open(at); got != c.open {
			t.Errorf("%s at %s: %v", c.window, c.at, got)
		}
		if got := windows[0].Next(at).Format(layout); got != c.next {
			t.Errorf("%s after %s: next at %s, want %s", c.window, c.at, got, c.next)
		}
	}
}

// In any zone, at any minute of a year: a window of each day is open on each, and no
// longer than it says, but for the hour that a clock is put back.
func TestWindowInAnyZone(t *testing.T) {
	for _, zone := range []string{"UTC", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Kolkata"} {
		location, err := time.LoadLocation(zone)
		must(t, err)
		for _, w := range []Window{{allDays, 0, 45}, {allDays, 90, 150}, {allDays, 23 * 60, 30}, {allDays, 150, 165}} {
			minutes := (w.To - w.From + 24*60) % (24 * 60)
			at := time.Date(2026, 1, 1, 12, 0, 0, 0, location)
			for range 364 {
				next := w.Next(at)
				open := 0
				for w.Open(next.Add(time.Duration(open) * time.Minute)) {
					open++
				}
				if w.Open(next.Add(-time.Second)) || open < min(minutes, 15) || open > minutes+60 || next.Sub(at) > 25*time.Hour {
					t.Fatalf("%s %+v: from %s for %d minutes", zone, w, next, open)
				}
				at = time.Date(next.Year(), next.Month(), next.Day(), 12, 0, 0, 0, location)
			}
		}
	}
}

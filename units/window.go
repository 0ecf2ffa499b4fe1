package units

import (
	"strings"
	"time"
)

// Window is a part of each of some days, in local time.
type Window struct {
	Days     uint8 // bit 0 is Sunday, as time.Weekday; the day on which it begins
	From, To int   // minutes of the day, To up to 24:00; To before From is on the next day
}

const allDays = 1<<7 - 1

var dayNames = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// windowForm reads "[WEEKDAYS ]HH:MM-HH:MM", with weekdays as in systemd.time(7).
func windowForm(_ *scope, s string) ([]Window, []error, error) {
	bad := func(words ...string) ([]Window, []error, error) {
		return nil, nil, wrong("for example 02:00-04:00, or Sat,Sun 22:00-06:00, or Mon..Fri 12:30-13:00", words...)
	}
	fields := strings.FieldsFunc(unquote(s), func(r rune) bool { return r == ' ' || r == '\t' })
	w := Window{Days: allDays}
	switch len(fields) {
	case 1:
	case 2:
		if w.Days = weekdays(fields[0]); w.Days == 0 {
			return bad(quote(fields[0]), " are no weekdays")
		}
	default:
		return bad(quote(s), " is no window")
	}
	times := fields[len(fields)-1]
	from, to, found := strings.Cut(times, "-")
	ok, okTo := false, false
	w.From, ok = minuteOfDay(from)
	w.To, okTo = minuteOfDay(to)
	switch {
	case !found || !ok || !okTo || w.From == 24*60:
		return bad(quote(times), " is no window")
	case w.From == w.To:
		return nil, nil, wrong("write 00:00-24:00 for a whole day", quote(times), " ends where it begins")
	}
	return []Window{w}, nil, nil
}

// minuteOfDay reads HH:MM, up to 24:00.
func minuteOfDay(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' || !isDigit(s[0]) || !isDigit(s[1]) || !isDigit(s[3]) || !isDigit(s[4]) {
		return 0, false
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	return h*60 + m, m < 60 && (h < 24 || h == 24 && m == 0)
}

// weekdays reads "Mon,Wed..Fri"; 0: not understood. A range may go over the week's end.
func weekdays(s string) (days uint8) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "..")
		from, ok := weekday(first)
		to, okTo := from, true
		if isRange {
			to, okTo = weekday(last)
		}
		if !ok || !okTo {
			return 0
		}
		for day := from; ; day = (day + 1) % 7 {
			if days |= 1 << day; day == to {
				break
			}
		}
	}
	return days
}

// weekday takes the short and the long name, in any case, as systemd does.
func weekday(s string) (int, bool) {
	for day, name := range dayNames {
		if strings.EqualFold(s, name) || strings.EqualFold(s, time.Weekday(day).String()) {
			return day, true
		}
	}
	return 0, false
}

// Length is how long the window is, on days that have 24 hours.
func (w Window) Length() time.Duration {
	minutes := w.To - w.From
	if minutes < 0 {
		minutes += 24 * 60
	}
	return time.Duration(minutes) * time.Minute
}

// Open tells whether a moment is in the window, by the clock of its time zone.
func (w Window) Open(t time.Time) bool {
	for _, back := range [...]int{0, 1} { // it may have begun the day before
		begin, end, ok := w.on(t.Year(), t.Month(), t.Day()-back, t.Location())
		if ok && !t.Before(begin) && t.Before(end) {
			return true
		}
	}
	return false
}

// Next is when the window opens for the first time after t.
func (w Window) Next(t time.Time) time.Time {
	for ahead := range 9 {
		if begin, _, ok := w.on(t.Year(), t.Month(), t.Day()+ahead, t.Location()); ok && begin.After(t) {
			return begin
		}
	}
	return t // never: each week has such a day
}

// on is the window that begins on a day, if one does. Times that the clock skips when
// it is put forward are the moment at which it is; a window that lies in them
// altogether is as long as ever, for one may be all that a week has.
func (w Window) on(year int, month time.Month, day int, zone *time.Location) (begin, end time.Time, ok bool) {
	if weekday := time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Weekday(); w.Days&(1<<weekday) == 0 {
		return begin, end, false
	}
	begin = moment(year, month, day, w.From, zone)
	last := day
	if w.To < w.From {
		last++
	}
	if end = moment(year, month, last, w.To, zone); !end.After(begin) {
		end = begin.Add(w.Length())
	}
	return begin, end, true
}

// moment is when the clock shows a minute of a day: the first time, if it does twice.
func moment(year int, month time.Month, day, minute int, zone *time.Location) time.Time {
	if minute == 24*60 {
		day, minute = day+1, 0
	}
	t := time.Date(year, month, day, 0, minute, 0, 0, zone)
	since, until := t.ZoneBounds()
	switch shown := t.Hour()*60 + t.Minute(); {
	case shown != minute && (shown-minute+24*60)%(24*60) < 12*60: // skipped, and t is after the jump
		return since
	case shown != minute:
		return until
	}
	if earlier := since.Add(-time.Nanosecond); !since.IsZero() { // perhaps shown before the clock was put back, too
		_, before := earlier.Zone()
		_, now := t.Zone()
		if first := t.Add(time.Duration(now-before) * time.Second); before > now && first.Before(since) {
			return first
		}
	}
	return t
}

package main

import "github.com/coreos/go-systemd/v22/journal"

// What machines look for in the journal, and journalctl -x explains: the texts are in
// units/system/syscontainer.catalog.
const (
	eventFetched    = "8840f319358f4afc956cf4d0f0a0d5aa" // the new image of a container is in the store
	eventSwitched   = "eac87f9928cf4ca48216929049124d7c" // the next start takes it
	eventHealthy    = "87e6332d875b4c28bdc0793d4813ae9a" // it is good
	eventRolledBack = "0b1a1f20182a4a0b8289be5527296bb6" // the old one is in force again
	eventNotUpdated = "a901922ea03a447599812ec1cf6fdc5b" // an update failed
)

const (
	priorityError   = journal.PriErr
	priorityWarning = journal.PriWarning
	priorityInfo    = journal.PriInfo
)

// event is a message about one container.
type event struct {
	id       string
	priority journal.Priority
	name     string // of the service, without suffix
	image    string // reference
	digest   string // the new one, 64 digits; "": not known
	old      string // the old one
	message  string
}

// tell logs an event. Where there is no journal nobody is told: the program speaks for itself.
func (e event) tell(root string) {
	if root != "/" {
		return
	}
	fields := map[string]string{
		"MESSAGE_ID":          e.id,
		"SYSLOG_IDENTIFIER":   "syscontainer",
		"OBJECT_SYSTEMD_UNIT": e.name + ".service", // by which root's messages count as a unit's
		"SYSCONTAINER_NAME":   e.name,
	}
	for _, f := range [][2]string{{"SYSCONTAINER_IMAGE", e.image}, {"SYSCONTAINER_DIGEST", prefixed(e.digest)}, {"SYSCONTAINER_OLD_DIGEST", prefixed(e.old)}} {
		if f[1] != "" {
			fields[f[0]] = f[1]
		}
	}
	journal.Send(e.name+": "+e.message, e.priority, fields)
}

func prefixed(digest string) string {
	if digest == "" {
		return ""
	}
	return "sha256:" + digest
}

package store

import (
	"errors"
	"strings"
)

// A container that "syscontainer run" asked for has a caller: a program that listens at
// CallerSocket in a directory of its own below /run/syscontainer, where no unit's bundle
// can be, until the container has ended. render, which the service executes, tells it what
// happens. Messages are packets (SOCK_SEQPACKET); only root gets into the directory.
const (
	CallerSocket  = "socket"
	ConsoleSocket = "console" // where the runtime sends the terminal that it made
	CallerPrefix  = "+"       // of the directory's name: no unit's has it

	// CallerAttach asks for the payload's streams, and is answered by CallerReady with
	// three descriptors; or, once the terminal has arrived, with none.
	CallerAttach = "attach"
	CallerReady  = "ready"

	// CallerStarted says that the payload runs: signals can be sent to it.
	CallerStarted = "started"

	callerFailed = "failed\n"
	callerEnded  = "ended\n"

	// LongestCallerMessage is the longest that is sent.
	LongestCallerMessage = 32 << 10
)

// FailedMessage says why there is no payload.
func FailedMessage(text string) string {
	if most := LongestCallerMessage - len(callerFailed); len(text) > most {
		text = text[:most]
	}
	return callerFailed + text
}

// End is how a service ended, in systemd's words (systemd.exec(5)).
type End struct {
	Result string // $SERVICE_RESULT, "success"
	Code   string // $EXIT_CODE, "exited" or "killed"; "": there was no main process
	Status string // $EXIT_STATUS, "7" or "TERM"
}

func (e End) Message() string {
	return callerEnded + e.Result + "\n" + e.Code + "\n" + e.Status
}

// ReadCallerMessage reads what is neither CallerAttach nor CallerStarted: failure is not empty, or the service
// has ended.
func ReadCallerMessage(message string) (failure string, end End, err error) {
	if text, ok := strings.CutPrefix(message, callerFailed); ok && text != "" {
		return text, end, nil
	}
	if text, ok := strings.CutPrefix(message, callerEnded); ok {
		if words := strings.Split(text, "\n"); len(words) == 3 {
			return "", End{words[0], words[1], words[2]}, nil
		}
	}
	return "", end, errors.New("a message that nobody knows")
}

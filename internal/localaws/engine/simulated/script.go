package simulated

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Script says how the containers of an image behave. It is asked at every pull and at every start, from any goroutine, so
// that it can change its mind.
type Script func(image string) Behaviour

// Behaviour is how a container behaves. The zero value is a server that is healthy at once and ends at once on SIGTERM.
type Behaviour struct {
	PullTime   time.Duration
	PullError  error // wraps engine.ErrImageNotFound or engine.ErrPull
	StartTime  time.Duration
	StartError error // wraps engine.ErrStart

	ReadyAfter   time.Duration // after the start: until then Exec gives 1
	NeverHealthy bool          // Exec gives 1 for ever
	ExecTime     time.Duration // how long a command takes

	Exits     bool // by itself, ExitAfter its start
	ExitAfter time.Duration
	ExitCode  int
	OOMKilled bool

	IgnoresSIGTERM bool
	StopTime       time.Duration // from SIGTERM to the end
	StopCode       *int          // on SIGTERM; nil: 143, as a process that does not handle it

	Log string // written at the start
}

// Healthy says that every image is a healthy server.
func Healthy(string) Behaviour { return Behaviour{} }

// OutOfMemory is a container that the kernel kills after d for its memory.
func OutOfMemory(d time.Duration) Behaviour {
	return Behaviour{Exits: true, ExitAfter: d, ExitCode: killedBy("SIGKILL"), OOMKilled: true}
}

// Exit is a container that exits with a code after d.
func Exit(code int, d time.Duration) Behaviour {
	return Behaviour{Exits: true, ExitAfter: d, ExitCode: code}
}

// CannotStart is a container whose program is for another architecture.
func CannotStart() Behaviour {
	return Behaviour{StartError: fmt.Errorf("%w: exec /app: exec format error", engine.ErrStart)}
}

// Missing is an image that the registry does not have.
func Missing() Behaviour { return Behaviour{PullError: engine.ErrImageNotFound} }

// CannotPull is an image that exists and cannot be fetched.
func CannotPull() Behaviour {
	return Behaviour{PullError: fmt.Errorf("%w: connection reset by peer", engine.ErrPull)}
}

// ByName is the script that reads a behaviour from the last part of an image's name:
//
//	exit-CODE, exit-CODE-after-DURATION, unhealthy, ready-after-DURATION, oom, missing, cannot-pull, cannot-start,
//	ignores-sigterm
//
// Every other image is a healthy server. DURATION is as time.ParseDuration reads it, without signs and dots.
func ByName(image string) Behaviour {
	name, _, _ := strings.Cut(image, "@")
	name = name[strings.LastIndexByte(name, '/')+1:]
	name, _, _ = strings.Cut(name, ":")
	switch name {
	case "unhealthy":
		return Behaviour{NeverHealthy: true}
	case "oom":
		return OutOfMemory(0)
	case "missing":
		return Missing()
	case "cannot-pull":
		return CannotPull()
	case "cannot-start":
		return CannotStart()
	case "ignores-sigterm":
		return Behaviour{IgnoresSIGTERM: true}
	}
	if rest, ok := strings.CutPrefix(name, "ready-after-"); ok {
		if d, err := time.ParseDuration(rest); err == nil {
			return Behaviour{ReadyAfter: d}
		}
	}
	if rest, ok := strings.CutPrefix(name, "exit-"); ok {
		return exitByName(rest)
	}
	return Behaviour{}
}

// exitByName reads CODE or CODE-after-DURATION; anything else is the name of a healthy server.
func exitByName(text string) Behaviour {
	code, after, delayed := strings.Cut(text, "-after-")
	n, err := strconv.ParseUint(code, 10, 8)
	if err != nil {
		return Behaviour{}
	}
	var d time.Duration
	if delayed {
		if d, err = time.ParseDuration(after); err != nil {
			return Behaviour{}
		}
	}
	return Exit(int(n), d)
}

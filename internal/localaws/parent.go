package localaws

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
)

// readyVariable names the environment variable by which Up tells the server that it starts which file descriptor is
// the pipe to say on that it is ready, or why not.
const readyVariable = "MEDUSA_DEPLOY_READY_FD"

// word is what a server says on the pipe, once.
type word struct {
	Error string `json:"error,omitempty"` // empty: ready
}

// parent is the Up that started this process and waits for a word; nil when none does.
type parent struct{ pipe *os.File }

// inheritedParent finds the pipe. Programs that this process starts get neither the variable nor the pipe.
func inheritedParent() *parent {
	text, ok := os.LookupEnv(readyVariable)
	if !ok {
		return nil
	}
	_ = os.Unsetenv(readyVariable) // its name is a valid one
	fd, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil
	}
	return &parent{inherited(uintptr(fd))}
}

// tell says how the start went. Only the first word counts.
func (p *parent) tell(failed error) {
	if p == nil || p.pipe == nil {
		return
	}
	var w word
	if failed != nil {
		w.Error = failed.Error()
	}
	_ = json.NewEncoder(p.pipe).Encode(w) // a parent that went away needs no word
	_ = p.pipe.Close()
	p.pipe = nil
}

// hear waits for the word of a server that was started; errSilent when it ended without one.
func hear(pipe *os.File) error {
	var w word
	if err := json.NewDecoder(pipe).Decode(&w); err != nil {
		return errSilent
	}
	if w.Error != "" {
		return errors.New(w.Error)
	}
	return nil
}

// errSilent says that a server ended before it was ready and without a word.
var errSilent = errors.New("local AWS ended before it was ready")

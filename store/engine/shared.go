package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// shareFile is where an engine says how it is reached, beside its data and, like it, only for the user who runs it: whoever can read it could
// open the data itself as well.
const shareFile = "engine.json"

// share is what the file holds.
type share struct {
	Addr  string `json:"addr"`
	Token string `json:"token"`
}

// Shared finds the engine that another process runs on a data directory: its host:port and its token. ok is false where none runs, or where it does
// not say; then the directory can be opened, or the error of opening it says why not.
func Shared(dir string) (addr, token string, ok bool) {
	lock, err := os.OpenFile(filepath.Join(dir, "engine.lock"), os.O_RDWR, 0)
	if err != nil {
		return "", "", false
	}
	defer lock.Close()
	if free, err := tryLock(lock); err != nil || free {
		return "", "", false // Nobody has it: what the file says is of an engine that has ended.
	}
	text, err := os.ReadFile(filepath.Join(dir, shareFile))
	var s share
	if err != nil || json.Unmarshal(text, &s) != nil || s.Addr == "" || s.Token == "" {
		return "", "", false
	}
	return s.Addr, s.Token, true
}

// Kept reports whether an engine has ever kept data in a directory.
func Kept(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "data"))
	return err == nil
}

// tell writes the file, whole or not at all. That it cannot be written keeps nothing from working but Shared.
func tell(dir string, s share) {
	text, err := json.Marshal(s)
	if err != nil {
		return
	}
	f, err := os.CreateTemp(dir, shareFile+"-*") // Of mode 0600.
	if err != nil {
		return
	}
	_, err = f.Write(append(text, '\n'))
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), filepath.Join(dir, shareFile)) != nil {
		_ = os.Remove(f.Name())
	}
}

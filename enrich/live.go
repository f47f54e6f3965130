package enrich

import "sync/atomic"

// Live holds the tables in force. Tables may be called by any goroutine at any time; Reload by one at a time.
type Live struct {
	config  Config
	read    func(path string) ([]byte, error)
	current atomic.Pointer[Tables]
	swapped atomic.Int64
	refused atomic.Int64
}

// NewLive loads the tables for the first time. With problems there is nothing to fall back on, so there is no Live.
func NewLive(c Config, read func(path string) ([]byte, error)) (*Live, []Problem) {
	t, problems := Load(&c, read)
	if len(problems) > 0 {
		return nil, problems
	}
	l := &Live{config: c, read: read}
	l.current.Store(t)
	return l, nil
}

// Tables gives the tables in force. A batch takes them once and keeps them to its end.
func (l *Live) Tables() *Tables { return l.current.Load() }

// Reload reads all files again and puts them in force if their content changed. With any problem the old tables stay.
func (l *Live) Reload() (changed bool, problems []Problem) {
	t, problems := Load(&l.config, l.read)
	if len(problems) > 0 {
		l.refused.Add(1)
		return false, problems
	}
	if t.version == l.current.Load().version {
		return false, nil
	}
	l.current.Store(t)
	l.swapped.Add(1)
	return true, nil
}

// Reloads counts the readings that put new tables in force and those that were refused, since the start.
func (l *Live) Reloads() (swapped, refused int64) { return l.swapped.Load(), l.refused.Load() }

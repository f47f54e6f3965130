package store

import (
	chain "container/list"
	"sync"

	"github.com/tocsin-siem/tocsin/incident"
)

// recentBytes bounds what recent holds, by the length of the documents.
const recentBytes = 16 << 20

// recent are the incidents of the changes that were recorded or read last. A change never changes and neither does what it made of its incident, so
// that a change's place says for good which it was. Finding a document in its table costs as much as reading its neighbours, which are many; and
// whoever follows the log asks for what has just been recorded: each endpoint, each feed. It is safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	at    map[ChangeCursor]*chain.Element
	order chain.List // Of *recentChange, the one used last in front.
	bytes int
}

type recentChange struct {
	at       ChangeCursor
	incident *incident.Incident
	bytes    int
}

func newRecent() *recent { return &recent{at: map[ChangeCursor]*chain.Element{}} }

// get gives the incident of a change; nil where it is not held. It must not be changed.
func (r *recent) get(at ChangeCursor, key revisionKey) *incident.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at[at]
	if e == nil || (revisionKey{e.Value.(*recentChange).incident.ID, e.Value.(*recentChange).incident.Revision}) != key {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(*recentChange).incident
}

// put holds the incident of a change, whose document has so many bytes.
func (r *recent) put(at ChangeCursor, in *incident.Incident, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.at[at]; e != nil {
		r.drop(e)
	}
	if bytes > recentBytes/8 {
		return
	}
	r.at[at] = r.order.PushFront(&recentChange{at, in, bytes})
	for r.bytes += bytes; r.bytes > recentBytes; {
		r.drop(r.order.Back())
	}
}

// drop forgets a change; r.mu is held.
func (r *recent) drop(e *chain.Element) {
	c := r.order.Remove(e).(*recentChange)
	delete(r.at, c.at)
	r.bytes -= c.bytes
}

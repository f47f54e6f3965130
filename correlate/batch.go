package correlate

import "github.com/tocsin-siem/tocsin/event"

// Sort fills b.Sorted with the indexes of b.Events by (time, id).
func Sort(b *event.Batch) { b.Sort() }

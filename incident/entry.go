package incident

import "github.com/tocsin-siem/tocsin/event"

// Entry is one batch in the log with everything its consequences follow from. Findings and incidents are a pure fold of entries in order
// of their batch ids.
type Entry struct {
	// Batch is the batch. An entry read back from the log has no events and no rejects: recovery folds hits and never matches again.
	Batch   *event.Batch
	Hits    []event.Hit  // In the order in which they were matched.
	Notes   []event.Note // What changed, in the order of the events.
	Actions []Action     // Analysts' acts, in the order in which they are folded.
	Rules   string       // Content hash of the rule set that matched.
	Tables  string       // Version of the lookup tables that were read.
}

// Outcome is what follows from an entry: the result of the fold.
type Outcome struct {
	Findings []Finding
	Changes  []Change
}

// Tail is the end of the log: where a restarted process goes on.
type Tail struct {
	Batch    event.BatchID  // The last batch; zero while the log is empty.
	Epoch    uint64         // The newest epoch that any process has begun, with or without a batch: the next process takes the one after it.
	Recorded event.BatchID  // The last batch whose findings and changes have certainly been recorded.
	Received int64          // When the last batch was received, microseconds, our clock.
	Ends     []event.End    // The greatest end of every partition, by (source, partition): the filter against redelivery.
	Marks    []event.Mark   // The last batch's.
	Carry    []event.Record // The last batch's: they come again.
	Rules    string         // The last batch's.
	Tables   string         // The last batch's.
}

// Checkpoint is state after a batch: a shortcut and never the truth.
type Checkpoint struct {
	// Name says whose state it is: "" that of the worker that does everything, whose batches are those of the log; others, such as hits/3, that
	// of a partition or a role, which orders its own checkpoints by Batch in its own way.
	Name  string
	Batch event.BatchID
	Data  []byte // The owner's own form, with its own version.
}

// Package store keeps everything in ClickHouse, through clickhouse-go/v2: the log of batches with their events, what followed from it, and the state of
// deliveries. It is the same code and the same schema for the embedded engine (store/engine, spoken to over HTTP on loopback), a server and a
// cluster. It knows of the rest of the project only event and incident, and satisfies the interfaces that its users declare.
//
// # What makes a batch exist
//
// Append writes a batch's rows to several tables and then one row, the marker, to the table batches. Replay and Tail see marked batches only. A
// process that dies in between leaves rows behind; the next process removes them when it claims its epoch, so that a record that is
// fetched again is not there twice. Until then a search may show them. A row that was written twice all the same is replaced by its id when
// ClickHouse merges, and Events shows it once before that.
//
// A small batch is one insert into the table accrued, with a row for each table that it has rows for, its marker and what follows from it included. It
// is moved to these tables together with other batches within seconds (delta.go). Reading through the DB that appended waits for that; Tail and Replay
// read both places; the claim of the next process moves what a dead one left.
//
// # One writer
//
// Each writing process has an epoch of its own and claims it before it folds or writes anything, in the table epochs, together with the end of the log as it had
// read it. A process looks for newer claims before each marker and stops with ErrFenced when it finds one; should it be overtaken just
// after it looked, its batch is void, because it lies behind the end that the newer claim names. On a cluster all of this needs reads that see
// the newest write: name one replica in clickhouse.addr.
//
// # Durability
//
// Every table is created with fsync_after_insert, so an acknowledged insert survives a power loss. A block that is sent again because the
// answer to it was lost carries the same deduplication token and is not inserted twice. Transient errors are retried for as long as the context
// lives; Health says what is being retried, and whether the disk is full.
//
// # Blocks
//
// Rows go out as Native blocks that are built here, column by column and without a second copy, through the client's InsertFormat. That exists over
// HTTP only: with protocol native the same blocks are decoded by the client's own decoder and appended row by row, which is right and slower.
package store

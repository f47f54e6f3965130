package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v5"
)

// Fault is what keeps the store from working at the moment. It is being retried.
type Fault struct {
	What     string // What is being attempted, such as "append batch 3/17".
	Since    time.Time
	DiskFull bool // The server has no room left: free some, or shorten clickhouse.retention.
	Err      error
}

// Error implements error.
func (f *Fault) Error() string {
	if f.DiskFull {
		return fmt.Sprintf("%s fails since %s: the disk of the database is full; free space or shorten clickhouse.retention: %v", f.What, f.Since.UTC().Format(time.RFC3339), f.Err)
	}
	return fmt.Sprintf("%s fails since %s: %v", f.What, f.Since.UTC().Format(time.RFC3339), f.Err)
}

// Unwrap gives the server's error.
func (f *Fault) Unwrap() error { return f.Err }

// Health is nil, or the *Fault that is being retried.
func (db *DB) Health() error {
	if f := db.fault.Load(); f != nil {
		return f
	}
	return nil
}

// Codes of ClickHouse's errors (its ErrorCodes.cpp).
const (
	codeNotEnoughSpace = 243
	codeCannotWrite    = 75
)

// permanentCodes are the errors that the same statement gives again however often it is sent: they are about our schema, our statement or the
// size of our data. All other codes, such as memory, too many parts, a lost replica or a server that was made read-only (164), may pass.
var permanentCodes = map[int32]bool{
	6:   true, // CANNOT_PARSE_TEXT
	10:  true, // NOT_FOUND_COLUMN_IN_BLOCK
	16:  true, // NO_SUCH_COLUMN_IN_TABLE
	20:  true, // NUMBER_OF_COLUMNS_DOESNT_MATCH
	27:  true, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	33:  true, // CANNOT_READ_ALL_DATA
	36:  true, // BAD_ARGUMENTS
	38:  true, // CANNOT_PARSE_DATE
	43:  true, // ILLEGAL_TYPE_OF_ARGUMENT
	44:  true, // ILLEGAL_COLUMN
	46:  true, // UNKNOWN_FUNCTION
	47:  true, // UNKNOWN_IDENTIFIER
	48:  true, // NOT_IMPLEMENTED
	50:  true, // UNKNOWN_TYPE
	53:  true, // TYPE_MISMATCH
	60:  true, // UNKNOWN_TABLE
	62:  true, // SYNTAX_ERROR
	70:  true, // CANNOT_CONVERT_TYPE
	73:  true, // UNKNOWN_FORMAT
	81:  true, // UNKNOWN_DATABASE
	115: true, // UNKNOWN_SETTING
	117: true, // INCORRECT_DATA
	131: true, // TOO_LARGE_STRING_SIZE
	290: true, // LIMIT_EXCEEDED
	349: true, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	386: true, // NO_COMMON_TYPE
}

// refusalCodes are about our rights. Until the server has taken an insert they are a mistake in the configuration, which is told at once; after
// that somebody has changed something on the server, which may be put right as it was.
var refusalCodes = map[int32]bool{
	192: true, // UNKNOWN_USER
	497: true, // ACCESS_DENIED
	516: true, // AUTHENTICATION_FAILED
}

// isPermanent reports whether trying again is useless; trusted says that the server has taken an insert of ours.
func isPermanent(err error, trusted bool) bool {
	if errors.Is(err, errBlock) {
		return true
	}
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return permanentCodes[e.Code] || refusalCodes[e.Code] && !trusted
	}
	return false
}

func isDiskFull(err error) bool {
	e, ok := errors.AsType[*clickhouse.Exception](err)
	return ok && (e.Code == codeNotEnoughSpace || e.Code == codeCannotWrite)
}

// retry runs op until it succeeds, fails for good or ctx ends. It logs when trouble begins and when it ends, and Health tells of it between.
func (db *DB) retry(ctx context.Context, what string, op func() error) error {
	var began time.Time
	var attempts int
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 100 * time.Millisecond
	pause.MaxInterval = 15 * time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := op()
		if err != nil && isPermanent(err, db.trusted.Load()) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		attempts++
		db.metrics.retries.Add(ctx, 1)
		if began.IsZero() {
			began = db.now()
			db.log.WarnContext(ctx, "clickhouse does not take a statement, trying again", "what", what, "err", err)
		}
		db.fault.Store(&Fault{What: what, Since: began, DiskFull: isDiskFull(err), Err: err})
	}))
	if !began.IsZero() {
		db.fault.Store(nil)
		if err == nil {
			db.log.InfoContext(ctx, "clickhouse takes statements again", "what", what, "attempts", attempts+1, "after", db.now().Sub(began))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

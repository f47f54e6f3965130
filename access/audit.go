package access

// Entry says who did something, or tried to and was refused.
type Entry struct {
	ID     [16]byte // Random; zero where it has not been written.
	At     int64    // Microseconds, our clock.
	Who    string
	Via    string // How we know: loopback, local, oidc, token:<id>; empty for nobody.
	Action string // Such as sign-in, or the address's pattern.
	Target string
	Detail []byte // JSON, or empty.
	From   string // Address of the client, without port.
	OK     bool
}

// EntryFilter says which entries are wanted; its zero value is all, the latest first.
type EntryFilter struct {
	Who, Via, Action, Target string // Exactly these; empty for all.
	From, To                 int64  // Microseconds, from inclusive, to exclusive; 0 for no bound.
	Refused                  bool   // Only what was refused or failed.
	AfterAt                  int64  // Go on behind the entry of this time and id; 0 for the first.
	AfterID                  [16]byte
	Limit                    int // 0 for no limit.
}

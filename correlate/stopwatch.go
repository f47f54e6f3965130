package correlate

// What matching and folding take is counted per rule, for whoever pays for it. The clock is given (Settings.Stopwatch), and nothing depends on
// it but the times in Stats. Reading it costs about as much as asking a condition, so that one event in timedEvents is timed while matching, and
// one batch in timedBatches while folding if it has many hits; each stands for the others.
const (
	timedEvents  = 64
	timedBatches = 16
	fewHits      = 1024 // A batch with fewer hits than this is always timed.
)

// stopwatch gives out the time that passes between its readings. The zero value gives none.
type stopwatch struct {
	clock  func() int64
	on     bool
	weight int64 // For how many each lap stands.
	seen   uint64
	cost   int64 // Of one reading.
	last   int64
}

// begin starts the watch for the next one in every, and stops it for the others.
func (s *stopwatch) begin(every uint64) {
	if s.clock == nil {
		return
	}
	s.seen++
	if s.on = s.seen%every == 0; !s.on {
		return
	}
	first := s.clock()
	s.last, s.weight = s.clock(), int64(every)
	s.cost = s.last - first
}

// lap is what has passed since the last reading, for as many as it stands for; 0 while the watch does not run.
func (s *stopwatch) lap() int64 {
	if !s.on {
		return 0
	}
	now := s.clock()
	took := max(0, now-s.last-s.cost) * s.weight
	s.last = now
	return took
}

// begin times the fold of a batch with so many hits, or does not.
func (f *fold) begin(hits int) {
	every := uint64(1)
	if hits >= fewHits {
		every = timedBatches
	}
	f.watch.begin(every)
}

// spent gives the time since the last reading to a rule; nil: to none.
func (f *fold) spent(r *ruleState) {
	if !f.watch.on {
		return
	}
	if took := f.watch.lap(); r != nil {
		r.stats.FoldTime += took
	}
}

// now is the time as the engine is told it; 0 if it is not.
func (e *Engine) now() int64 {
	if e.settings.Stopwatch == nil {
		return 0
	}
	return e.settings.Stopwatch()
}

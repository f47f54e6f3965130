package correlate

// glanced is what most want to know of a written hit: its time from the epoch, its step, and how long it is.
type glanced struct {
	time int64
	step int
	size int
}

// glance reads as much of the first hit of b; ok is false for damage. It is nextHit for those that are in a hurry.
func (s *packer) glance(b []byte) (h glanced, ok bool) {
	if len(b) < 4 || b[0]|b[1] >= 0x80 {
		return s.glanceLong(b)
	}
	h.size = 1 + int(b[0])
	if h.size > len(b) {
		return h, false
	}
	v, shift := uint64(0), uint(0)
	for i := 3; ; i++ {
		if i >= h.size || shift > 56 {
			return s.glanceLong(b)
		}
		v |= uint64(b[i]&0x7f) << shift
		if shift += 7; b[i] < 0x80 {
			break
		}
	}
	h.time = int64(v>>1) ^ -int64(v&1)
	h.step = s.stepOf(int(b[1]), b[2])
	return h, h.step >= 0
}

func (s *packer) glanceLong(b []byte) (h glanced, ok bool) {
	x, _, ok := nextHit(b)
	if !ok {
		return h, false
	}
	h = glanced{time: x.time, step: s.step(&x), size: len(x.all)}
	return h, h.step >= 0
}

// stepOf is the step of a hit with this template and these flags; −1 for damage.
func (s *packer) stepOf(id int, flag uint8) int {
	if id == 0 {
		return int(flag)
	}
	if id > len(s.templates.all) {
		return -1
	}
	return int(s.templates.all[id-1].step)
}

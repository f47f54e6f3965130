package relay

// SealAnnouncement puts a body behind a head as an announcement has it.
func SealAnnouncement(body []byte) []byte {
	b, _ := seal(nil, announcementMagic, announcementVersion, func(b []byte) ([]byte, error) { return append(b, body...), nil })
	return b
}

// SealBytes is how long a head is.
const SealBytes = sealBytes

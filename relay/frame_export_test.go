package relay

// FrameBody is what a sealed frame holds.
func FrameBody(b []byte) []byte {
	body, _ := unseal(b, frameMagic, frameVersion)
	return body
}

// SealedFrame seals a body, whatever it is.
func SealedFrame(body []byte) []byte {
	b, _ := seal(nil, frameMagic, frameVersion, func(b []byte) ([]byte, error) { return append(b, body...), nil })
	return b
}

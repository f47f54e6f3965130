package relay

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"
)

// What the roles announce and keep is sealed: magic (4 bytes), version (2), length of the body (8), CRC-64 (ECMA) of the body (8), body.
// Numbers are little-endian.
const sealBytes = 4 + 2 + 8 + 8

var crcTable = crc64.MakeTable(crc64.ECMA)

// seal appends a body to b behind its head. write appends the body.
func seal(b []byte, magic string, version uint16, write func([]byte) ([]byte, error)) ([]byte, error) {
	at := len(b)
	b, err := write(append(append(b, magic...), make([]byte, sealBytes-len(magic))...))
	if err != nil {
		return b[:at], err
	}
	head, body := b[at:at+sealBytes], b[at+sealBytes:]
	binary.LittleEndian.PutUint16(head[4:], version)
	binary.LittleEndian.PutUint64(head[6:], uint64(len(body)))
	binary.LittleEndian.PutUint64(head[14:], crc64.Checksum(body, crcTable))
	return b, nil
}

// unseal gives the body. The error wraps ErrDamaged.
func unseal(b []byte, magic string, version uint16) ([]byte, error) {
	if len(b) < sealBytes || string(b[:4]) != magic {
		return nil, fmt.Errorf("%w: the first bytes are not %q", ErrDamaged, magic)
	}
	body := b[sealBytes:]
	if n := binary.LittleEndian.Uint64(b[6:]); n != uint64(len(body)) {
		return nil, fmt.Errorf("%w: there should be %d bytes and there are %d", ErrDamaged, n, len(body))
	}
	if crc64.Checksum(body, crcTable) != binary.LittleEndian.Uint64(b[14:]) {
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != version {
		return nil, fmt.Errorf("%w: it has version %d and this one reads %d", ErrDamaged, v, version)
	}
	return body, nil
}

// putSection appends what write appends, behind its length.
func putSection(b []byte, write func([]byte) ([]byte, error)) ([]byte, error) {
	at := len(b)
	b, err := write(append(b, make([]byte, 8)...))
	if err != nil {
		return b[:at], err
	}
	binary.LittleEndian.PutUint64(b[at:], uint64(len(b)-at-8))
	return b, nil
}

// cutSection gives the first section of b and the rest.
func cutSection(b []byte) (first, rest []byte, err error) {
	if len(b) < 8 || binary.LittleEndian.Uint64(b) > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("%w: a section is longer than the rest", ErrDamaged)
	}
	n := binary.LittleEndian.Uint64(b)
	return b[8 : 8+n], b[8+n:], nil
}

package dc09

// crcTables holds the tables of slicing-by-8: entry [k][b] is the CRC of byte
// b followed by k zero bytes. It is filled once and never written again.
var crcTables = makeCRCTables()

func makeCRCTables() (t [8][256]uint16) {
	const reversedPolynomial = 0xA001 // x^16 + x^15 + x^2 + 1, bits reversed
	for b := range 256 {
		c := uint16(b)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ reversedPolynomial
			} else {
				c >>= 1
			}
		}
		t[0][b] = c
	}
	for k := 1; k < 8; k++ {
		for b := range 256 {
			c := t[k-1][b]
			t[k][b] = c>>8 ^ t[0][byte(c)]
		}
	}
	return t
}

// Checksum returns the CRC-16/ARC of b (polynomial 0x8005 reflected, initial
// value 0, no final exclusive-or), as DC-09 clause 5.5.1.2 asks for.
func Checksum(b []byte) uint16 { return checksum(b) }

// checksum takes eight bytes a step: one table look-up per byte as in the
// plain method, but without each waiting for the one before.
func checksum[T ~string | ~[]byte](b T) uint16 {
	t := &crcTables
	var c uint16
	for len(b) >= 8 {
		c = t[7][b[0]^byte(c)] ^ t[6][b[1]^byte(c>>8)] ^
			t[5][b[2]] ^ t[4][b[3]] ^ t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
		b = b[8:]
	}
	for i := range len(b) {
		c = c>>8 ^ t[0][byte(c)^b[i]]
	}
	return c
}

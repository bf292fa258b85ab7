package dc09_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bluelamp/bluelamp/protocol/dc09"
)

// A receiver's loop: from a connection to replies. The acknowledgement goes
// out only once the signals are safe.
func Example() {
	connection := strings.NewReader("noise" +
		"\nEDA70039\"SIA-DCS\"0013L0#AAA[#AAA|Nri0/RP0000]_09:19:30,02-20-2023\r" +
		"\n76D80055\"*NULL\"0000R0L0#AAAB[B4BC8B40D0E6D959D6BEA78E88CC0B2155741A3C44FBB96D476A3E557CAD64D9\r")
	key, err := dc09.NewKey([]byte("AAAAAAAAAAAAAAAA")) // looked up by frame.Account
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	scanner := dc09.NewScanner(connection, 0)
	for {
		raw, err := scanner.Next()
		if bad := new(dc09.BadBytes); errors.As(err, &bad) {
			fmt.Printf("quarantine %q: %v\n", bad.Bytes, bad.Reason)
			continue
		} else if err == io.EOF {
			return
		} else if err != nil {
			fmt.Println(err)
			return
		}

		frame, err := dc09.Parse(raw)
		if err == nil {
			err = frame.Decrypt(key)
		}
		var signals []dc09.Signal
		if err == nil {
			signals, err = frame.Signals()
		}
		for _, s := range signals {
			fmt.Printf("account %s: %s (%s)\n", s.Account, s.Meaning, s.Category) // and onto disk
		}
		reply, reason := dc09.ReplyFor(&frame, err, now, dc09.Rules{})
		out, err := dc09.AppendReply(nil, &frame, reply, key, now, nil)
		fmt.Printf("%q %v %v\n", out, reason, err)
	}
	// Output:
	// quarantine "noise": dc09: bytes outside a frame
	// account AAA: Automatic test (test)
	// "\nC2670011\"ACK\"0013L0#AAA[]\r" <nil> <nil>
	// "\n1F1C0025\"NAK\"0000R0L0A0[]_03:04:05,01-02-2026\r" dc09: time stamp not acceptable: sender's clock is 48152h39m13s behind, at most 40s <nil>
}

// A panel's side: a frame from text, encoded, and the reply read.
func ExampleParseSpec() {
	frame, err := dc09.ParseSpec("SIA-DCS|#1234|Nri1/BA003")
	if err != nil {
		fmt.Println(err)
		return
	}
	frame.Sequence = 42
	wire, err := dc09.Encode(nil, &frame, nil, nil)
	fmt.Printf("%q %v\n", wire, err)
	// Output:
	// "\n12900026\"SIA-DCS\"0042L0#1234[#1234|Nri1/BA003]\r" <nil>
}

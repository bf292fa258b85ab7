package dc09

import (
	"errors"
	"fmt"
	"sync"

	"github.com/bluelamp/bluelamp/internal/sense/registry"
	codec "github.com/bluelamp/bluelamp/protocol/dc09"
)

// The receiver's own reasons, in the codec's terms.
var (
	errAccount = fmt.Errorf("%w: the account is not in the registry", codec.ErrUnable)
	errPlain   = fmt.Errorf("%w: the account has a key, and the frame is not encrypted", codec.ErrUnable)
	errReply   = errors.New("a reply, which nobody asked for")
)

// verdict is what the rules say about a frame.
type verdict struct {
	frame   codec.Frame
	key     *codec.Key // that opened the frame
	found   registry.Found
	signals []codec.Signal
	reply   codec.Reply
	reason  error // for anything but an ACK
}

// judge reads a frame and decides on the reply. signals is space to use again.
func (r *Receiver) judge(raw []byte, signals []codec.Signal) verdict {
	f, err := codec.Parse(raw)
	v := verdict{frame: f, signals: signals[:0]}
	if err == nil && !f.Token.IsReply() {
		err = r.open(&v)
	}
	if err == nil {
		v.signals, err = codec.AppendSignals(signals[:0], &v.frame)
	}
	v.reply, v.reason = codec.ReplyFor(&v.frame, err, r.intake.Now(), r.cfg.Rules)
	if v.reply == codec.ReplyNone && v.frame.Token.IsReply() {
		v.reason = errReply
	}
	return v
}

// open finds the frame's account and decrypts the frame. An account with a key
// must encrypt: anybody can write a plain frame.
func (r *Receiver) open(v *verdict) error {
	f := &v.frame
	found, ok := r.registry.Account(f.Account)
	if !ok {
		return fmt.Errorf("%w: %q", errAccount, f.Account)
	}
	v.found = found
	secret := found.Account.Key
	switch {
	case !f.Encrypted && len(secret) == 0:
		return nil
	case !f.Encrypted:
		return fmt.Errorf("%w: account %s", errPlain, f.Account)
	case len(secret) == 0:
		return fmt.Errorf("%w: account %s has no key in the registry", codec.ErrKey, f.Account)
	}
	key, err := codec.NewKey(secret)
	if err != nil {
		return fmt.Errorf("%w: the key of account %s: %w", codec.ErrKey, f.Account, err)
	}
	v.key = key
	return f.Decrypt(key)
}

// refusal is how a reason is grouped, and what to do about it.
type refusal struct {
	is     error
	class  string
	advice string
}

var refusals = []refusal{ // the particular before the general
	{errAccount, "unknown account", "put the account into the registry, or find out who sends this"},
	{errPlain, "not encrypted", "set the panel to encrypt, or find out who speaks in its name"},
	{errReply, "reply", "find out who sends replies to the receiver's port"},
	{codec.ErrCRC, "checksum", "check the line; a panel sends again"},
	{codec.ErrLength, "length", "check the line; a panel sends again"},
	{codec.ErrFrame, "not a frame", "find out who speaks something else to the receiver's port"},
	{codec.ErrKey, "key", "compare the key in the panel with the registry's"},
	{codec.ErrTime, "time stamp", "set the panel's clock, or the format of its time stamp"},
	{codec.ErrSyntax, "syntax", "check the panel's DC-09 settings"},
	{codec.ErrContent, "content", "check the panel's reporting format"},
	{codec.ErrUnable, "unable", "set the panel to report in SIA-DCS or ADM-CID"},
	{codec.ErrGarbage, "garbage", "find out who speaks something else to the receiver's port"},
	{codec.ErrOversize, "oversize", "find out who sends frames over the limit"},
	{codec.ErrTruncated, "truncated", "check the line; a panel sends again"},
}

func refusalOf(err error) refusal {
	for _, r := range refusals {
		if errors.Is(err, r.is) {
			return r
		}
	}
	return refusal{class: "other", advice: "see the receiver's log"}
}

// clocks counts, by account, the frames in a row whose clock was off.
type clocks struct {
	mu  sync.Mutex
	off map[string]int
}

const maxClocks = 1 << 16 // accounts with a wrong clock; beyond it none is added

// wrong notes that an account's clock is off, and returns how often in a row.
func (c *clocks) wrong(account string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.off[account] + 1
	if n > 1 || len(c.off) < maxClocks {
		c.off[account] = n
	}
	return n
}

// right notes that an account's clock is right.
func (c *clocks) right(account string) {
	c.mu.Lock()
	delete(c.off, account)
	c.mu.Unlock()
}

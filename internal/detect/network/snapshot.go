package network

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// ErrSnapshot says that saved state cannot be put back; begin anew, and read the
// log again from Config.Longest before the checkpoint.
var ErrSnapshot = errors.New("network detector: saved state is damaged or of another version")

const (
	scanVersion     = 1         // of a Scan's state, which alone was once a Detector's
	detectorVersion = 2         // of a Detector's
	maxState        = 512 << 20 // bytes, unpacked
)

// snapshot is all of a Scan's state but its configuration.
type snapshot struct {
	Order              order
	Heard              time.Time
	Sources            []*source // the one longest silent first
	Targets            []*target
	Answered, AnswOld  map[door]struct{}
	Called, CalledOld  map[pair]struct{}
	Seen, Late         uint64
	Hurried, Told, Out uint64
}

// MarshalBinary saves the state. The configuration is not part of it.
func (s *Scan) MarshalBinary() ([]byte, error) {
	snap := snapshot{
		Order: s.order, Heard: s.heard,
		Answered: s.answered.Young, AnswOld: s.answered.Old, Called: s.called.Young, CalledOld: s.called.Old,
		Seen: s.stats.Seen, Late: s.stats.Late, Hurried: s.stats.Hurried, Told: s.stats.Findings, Out: s.stats.Evicted,
	}
	for o := range s.sources.all() {
		snap.Sources = append(snap.Sources, o)
	}
	for t := range s.targets.all() {
		snap.Targets = append(snap.Targets, t)
	}
	return pack(scanVersion, &snap)
}

// pack encodes a state with its version and a checksum.
func pack(version byte, state any) ([]byte, error) {
	var body bytes.Buffer
	// Level 1: hosts and ports repeat so much that more effort gains little.
	zip, err := flate.NewWriter(&body, flate.BestSpeed)
	if err == nil {
		err = errors.Join(gob.NewEncoder(zip).Encode(state), zip.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("saving the network detector's state: %w", err)
	}
	head := []byte{version}
	head = binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(body.Bytes()))
	return append(head, body.Bytes()...), nil
}

// unpack decodes what pack encoded.
func unpack(b []byte, version byte, state any) error {
	if len(b) < 5 || b[0] != version || crc32.ChecksumIEEE(b[5:]) != binary.BigEndian.Uint32(b[1:5]) {
		return ErrSnapshot
	}
	if err := gob.NewDecoder(io.LimitReader(flate.NewReader(bytes.NewReader(b[5:])), maxState)).Decode(state); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return nil
}

// UnmarshalBinary puts a saved state back into a Scan of the same configuration.
// It returns an error wrapping ErrSnapshot, and changes nothing, when b is not
// such a state.
func (s *Scan) UnmarshalBinary(b []byte) error {
	var snap snapshot
	if err := unpack(b, scanVersion, &snap); err != nil {
		return err
	}
	fresh := New(s.cfg)
	fresh.order, fresh.heard = snap.Order, snap.Heard
	fresh.stats = Stats{Seen: snap.Seen, Late: snap.Late, Hurried: snap.Hurried, Findings: snap.Told, Evicted: snap.Out}
	restore(fresh.answered.Young, snap.Answered)
	restore(fresh.answered.Old, snap.AnswOld)
	restore(fresh.called.Young, snap.Called)
	restore(fresh.called.Old, snap.CalledOld)
	for _, o := range snap.Sources {
		o.repair()
		fresh.sources.put(o.Addr, o)
		fresh.doors += len(o.Doors)
		fresh.held += o.holds()
	}
	for _, t := range snap.Targets {
		t.repair()
		fresh.targets.put(t.Addr, t)
		fresh.held += len(t.Tries) + t.Finding.holds()
	}
	*s = *fresh
	return nil
}

func restore[K comparable](into, from map[K]struct{}) {
	for k := range from {
		into[k] = struct{}{}
	}
}

func (g *growing) holds() int {
	if g == nil {
		return 0
	}
	return len(g.Refs)
}

func (o *source) holds() int {
	n := len(o.Tries) + o.Vertical.holds() + o.Horizontal.holds()
	for _, g := range o.Guesses {
		n += len(g.Tries) + g.Finding.holds()
	}
	return n
}

// repair makes the maps that gob leaves nil when they were empty.
func (o *source) repair() {
	o.Doors, o.Ports, o.Hosts = made(o.Doors), made(o.Ports), made(o.Hosts)
}

func (t *target) repair() {
	t.Sources, t.Ports, t.Answered = made(t.Sources), made(t.Ports), made(t.Answered)
}

func made[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return m
}

// detectorState is all of a Detector's state.
type detectorState struct {
	Scan   []byte
	Order  order // of the matches
	Heard  time.Time
	Open   []*match // the one longest silent first
	Counts MatchStats
}

// MarshalBinary saves the state. The configuration is not part of it.
func (d *Detector) MarshalBinary() ([]byte, error) {
	scan, err := d.scan.MarshalBinary()
	if err != nil {
		return nil, err
	}
	m := d.matches
	state := detectorState{Scan: scan, Order: m.order, Heard: m.heard, Counts: m.stats}
	for g := range m.open.all() {
		state.Open = append(state.Open, g)
	}
	return pack(detectorVersion, &state)
}

// UnmarshalBinary puts a saved state back into a Detector of the same
// configuration; see Scan.UnmarshalBinary. It also takes the state of a Scan.
func (d *Detector) UnmarshalBinary(b []byte) error {
	if len(b) > 0 && b[0] == scanVersion {
		return d.scan.UnmarshalBinary(b)
	}
	var state detectorState
	if err := unpack(b, detectorVersion, &state); err != nil {
		return err
	}
	if err := d.scan.UnmarshalBinary(state.Scan); err != nil {
		return err
	}
	m := newMatches(d.matches.cfg)
	m.order, m.heard, m.stats = state.Order, state.Heard, state.Counts
	for _, g := range state.Open {
		m.open.put(g.Key, g)
		m.held += len(g.Growing.Refs)
	}
	d.matches = m
	return nil
}

package street

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/seal"
)

// Bounds of the hotlist.
const (
	maxWanted      = 100_000
	maxWantedText  = 200
	longestWanted  = 366 * 24 * time.Hour
	reloadEvery    = 5 * time.Second
	hotlistKey     = "hotlist" // in bus.Snapshots
	hotlistUse     = "hotlist of number plates"
	maxHotlistSize = 256 << 20 // bytes, unpacked
	maxComplaints  = 20        // bad entries that are named
)

// ErrWanted: an entry cannot be put on the hotlist; the text says why.
var ErrWanted = errors.New("not put on the hotlist")

// Wanted is a number plate that the force looks for.
type Wanted struct {
	Plate      string    `json:"plate"`      // as normalised
	List       string    `json:"list"`       // "stolen", "missing person" ...
	Reason     string    `json:"reason"`     // why, in words: it is shown with every hit
	Authoriser string    `json:"authoriser"` // who answers for it
	Added      time.Time `json:"added"`
	AddedBy    string    `json:"added_by"`
	Expires    time.Time `json:"expires"`
}

// check completes an entry, or says what is wrong with it.
func (w *Wanted) check(now time.Time) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrWanted, fmt.Sprintf(format, args...))
	}
	plate, err := normalPlate(w.Plate)
	if err != nil {
		return bad("%v", err)
	}
	w.Plate = plate
	for name, v := range map[string]*string{"list": &w.List, "reason": &w.Reason, "authoriser": &w.Authoriser} {
		if *v = strings.TrimSpace(*v); *v == "" || len(*v) > maxWantedText {
			return bad("the %s must have 1 to %d bytes", name, maxWantedText)
		}
	}
	switch {
	case !w.Expires.After(now):
		return bad("it expires %s, which is not in the future", w.Expires.Format(time.RFC3339))
	case w.Expires.Sub(now) > longestWanted:
		return bad("it expires %s: at most 366 days ahead, so that somebody looks at it again", w.Expires.Format(time.DateOnly))
	}
	return nil
}

// CheckWanted reports what is wrong with entries, the first of them by number.
//
// Errors: ErrWanted.
func CheckWanted(now time.Time, ws ...Wanted) error { return checkAll(now, slices.Clone(ws)) }

// checkAll completes entries, or says what is wrong with the first few.
func checkAll(now time.Time, ws []Wanted) error {
	var wrong []error
	for i := range ws {
		if err := ws[i].check(now); err != nil {
			wrong = append(wrong, fmt.Errorf("entry %d: %w", i+1, err))
		}
		if len(wrong) == maxComplaints {
			break
		}
	}
	return errors.Join(wrong...)
}

// Hotlist is the number plates that the force looks for. It lies on the log,
// sealed; a process that follows it ([Hotlist.Run]) sees what another changes
// within seconds. Its methods may be called from several goroutines.
type Hotlist struct {
	log    *bus.Log
	sealer *seal.Sealer
	now    func() time.Time
	logger *slog.Logger

	changing sync.Mutex // from reading to writing
	mu       sync.RWMutex
	sealed   []byte // as it was read last
	wanted   map[string]Wanted
}

// OpenHotlist reads the hotlist from the log.
func OpenHotlist(ctx context.Context, log *bus.Log, sealer *seal.Sealer, now func() time.Time, logger *slog.Logger) (*Hotlist, error) {
	h := &Hotlist{log: log, sealer: sealer, now: now, logger: logger, wanted: map[string]Wanted{}}
	if err := h.reload(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// Run keeps the hotlist up to date with what other processes change, until the
// context ends; it returns nil then.
func (h *Hotlist) Run(ctx context.Context) error {
	t := time.NewTicker(reloadEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := h.reload(ctx); err != nil && ctx.Err() == nil {
			h.logger.Error("the hotlist of number plates is as it was: what was changed since is not known", "err", err)
		}
	}
}

// Find returns the entry of a normalised plate that has not expired.
func (h *Hotlist) Find(plate string) (Wanted, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	w, ok := h.wanted[plate]
	return w, ok && w.Expires.After(h.now())
}

// All returns the entries that have not expired, by plate.
func (h *Hotlist) All() []Wanted {
	h.mu.RLock()
	defer h.mu.RUnlock()
	now := h.now()
	out := make([]Wanted, 0, len(h.wanted))
	for _, w := range h.wanted {
		if w.Expires.After(now) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b Wanted) int { return strings.Compare(a.Plate, b.Plate) })
	return out
}

// Put adds entries, or replaces those of the same plate. All are checked before
// any is put; what has expired goes.
//
// Errors: ErrWanted.
func (h *Hotlist) Put(ctx context.Context, by string, ws ...Wanted) error {
	now := h.now()
	ws = slices.Clone(ws)
	if err := checkAll(now, ws); err != nil {
		return err
	}
	for i := range ws {
		ws[i].Added, ws[i].AddedBy = now, by
	}
	return h.change(ctx, func(wanted map[string]Wanted) error {
		for _, w := range ws {
			wanted[w.Plate] = w
		}
		if len(wanted) > maxWanted {
			return fmt.Errorf("%w: it would have %d entries, at most %d", ErrWanted, len(wanted), maxWanted)
		}
		return nil
	})
}

// Remove takes plates off the list, and returns how many were on it.
//
// Errors: ErrWanted, for what is no plate.
func (h *Hotlist) Remove(ctx context.Context, plates ...string) (n int, err error) {
	for i, p := range plates {
		if plates[i], err = normalPlate(p); err != nil {
			return 0, fmt.Errorf("%w: entry %d: %w", ErrWanted, i+1, err)
		}
	}
	err = h.change(ctx, func(wanted map[string]Wanted) error {
		n = 0
		for _, p := range plates {
			if _, ok := wanted[p]; ok {
				delete(wanted, p)
				n++
			}
		}
		return nil
	})
	return n, err
}

// change reads the newest list, changes it, and writes it.
func (h *Hotlist) change(ctx context.Context, fn func(map[string]Wanted) error) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if err := h.reload(ctx); err != nil {
		return err
	}
	now := h.now()
	wanted := map[string]Wanted{}
	h.mu.RLock()
	for p, w := range h.wanted {
		if w.Expires.After(now) {
			wanted[p] = w
		}
	}
	h.mu.RUnlock()
	if err := fn(wanted); err != nil {
		return err
	}
	packed, err := packHotlist(wanted)
	if err != nil {
		return fmt.Errorf("packing the hotlist: %w", err)
	}
	sealed := []byte(h.sealer.Seal(hotlistUse, packed))
	if err := h.log.Put(ctx, bus.Snapshots, hotlistKey, sealed); err != nil {
		return fmt.Errorf("writing the hotlist: %w", err)
	}
	h.take(sealed, wanted)
	return nil
}

func (h *Hotlist) take(sealed []byte, wanted map[string]Wanted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sealed, h.wanted = sealed, wanted
}

// reload reads the list from the log, if it has changed.
func (h *Hotlist) reload(ctx context.Context) error {
	sealed, err := h.log.Value(ctx, bus.Snapshots, hotlistKey)
	if errors.Is(err, bus.ErrNotFound) {
		return nil // nobody was put on it yet
	}
	if err != nil {
		return fmt.Errorf("reading the hotlist: %w", err)
	}
	h.mu.RLock()
	same := bytes.Equal(sealed, h.sealed)
	h.mu.RUnlock()
	if same {
		return nil
	}
	packed, err := h.sealer.Open(hotlistUse, string(sealed))
	if err != nil {
		return fmt.Errorf("opening the hotlist: %w", err)
	}
	wanted, err := unpackHotlist(packed)
	if err != nil {
		return fmt.Errorf("reading the hotlist: %w", err)
	}
	h.take(sealed, wanted)
	return nil
}

func packHotlist(wanted map[string]Wanted) ([]byte, error) {
	var b bytes.Buffer
	zip, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	err = errors.Join(json.NewEncoder(zip).Encode(wanted), zip.Close())
	return b.Bytes(), err
}

func unpackHotlist(packed []byte) (map[string]Wanted, error) {
	wanted := map[string]Wanted{}
	zip := flate.NewReader(bytes.NewReader(packed))
	err := json.NewDecoder(io.LimitReader(zip, maxHotlistSize)).Decode(&wanted)
	return wanted, errors.Join(err, zip.Close())
}

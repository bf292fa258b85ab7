package bus

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/bluelamp/bluelamp/internal/event"
)

// Frames of classes that expire are sealed (AES-256-GCM) with a key that serves
// one class of one stream for one window of time. Windows have the same bounds
// for every process. When a window has expired, its frames are purged and its
// keys overwritten on disk: what the server's files still hold of the frames
// until it compacts them can be read by nobody. Overwriting the frames
// themselves would cost the rewriting of up to 8 MiB for each.
//
// This hides nothing from whoever holds the data directory before the keys are
// destroyed, since they lie in it.

// Window returns how long a window of a class lasts. What is sealed in one
// window expires at once, when the first of it may not be kept any longer.
//
// Errors: ErrClass, for the class that does not expire too.
func Window(class string) (time.Duration, error) {
	d := event.Retention(class).Duration()
	switch {
	case d <= 0:
		return 0, fmt.Errorf("%w: %q", ErrClass, class)
	case d <= time.Hour:
		return 5 * time.Minute, nil
	case d <= 24*time.Hour:
		return 30 * time.Minute, nil
	case d <= 7*24*time.Hour:
		return time.Hour, nil
	case d <= 31*24*time.Hour:
		return 6 * time.Hour, nil
	default:
		return 24 * time.Hour, nil
	}
}

// frameKey seals frames. Its id begins with the end of its window, so that a
// list of ids says what has expired.
type frameKey struct {
	Class string    `json:"class"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Key   []byte    `json:"key"`

	id     string
	stream Stream
	aead   cipher.AEAD
}

// keyring remembers the keys that were used.
type keyring struct {
	mu   sync.Mutex
	byID map[string]*frameKey // nil: destroyed
}

// errSealed: the frame's key was destroyed, or the frame is not what was sealed.
var errSealed = errors.New("the frame cannot be opened")

func keySubject(s Stream, class, id string) string {
	return keys.Prefix + "." + s.Name + "." + class + "." + id
}

// windowEnd reads the end of a key's window from its id.
func windowEnd(id string) (time.Time, bool) {
	end, _, _ := strings.Cut(id, "-")
	sec, err := strconv.ParseInt(end, 10, 64)
	return time.Unix(sec, 0).UTC(), err == nil
}

func (k *frameKey) prepare(s Stream, id string) error {
	k.id, k.stream = id, s
	block, err := aes.NewCipher(k.Key)
	if err != nil {
		return fmt.Errorf("key %s of stream %s: %w", id, s.Name, err)
	}
	k.aead, err = cipher.NewGCMWithRandomNonce(block)
	return err
}

// makeKey makes the key for the window that holds a time. It is on disk when
// makeKey returns: a frame must never outlive the memory of its key.
func (l *Log) makeKey(ctx context.Context, s Stream, class string, at time.Time) (*frameKey, error) {
	window, err := Window(class)
	if err != nil {
		return nil, err
	}
	k := &frameKey{Class: class, From: at.UTC().Truncate(window), Key: make([]byte, 32)}
	k.Until = k.From.Add(window)
	if _, err := rand.Read(k.Key); err != nil {
		return nil, err
	}
	if err := k.prepare(s, strconv.FormatInt(k.Until.Unix(), 10)+"-"+nuid.Next()); err != nil {
		return nil, err
	}
	data, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	if _, err := l.send(ctx, keys, &nats.Msg{Subject: keySubject(s, class, k.id), Data: data}); err != nil {
		return nil, fmt.Errorf("storing the key of frames of class %s: %w", class, err)
	}
	l.keys.put(k.id, k)
	return k, nil
}

func (r *keyring) put(id string, k *frameKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]*frameKey{}
	}
	r.byID[id] = k
}

func (r *keyring) get(id string) (k *frameKey, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, known = r.byID[id]
	return k, known
}

// key returns a key.
//
// Errors: errSealed, when it was destroyed.
func (l *Log) key(ctx context.Context, s Stream, class, id string) (*frameKey, error) {
	k, known := l.keys.get(id)
	if known && k == nil {
		return nil, fmt.Errorf("%w: its key was destroyed", errSealed)
	}
	if k != nil {
		return k, nil
	}
	st, err := l.js.Stream(ctx, keys.Name)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	m, err := st.GetLastMsgForSubject(ctx, keySubject(s, class, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		l.keys.put(id, nil)
		return nil, fmt.Errorf("%w: its key was destroyed", errSealed)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	k = &frameKey{}
	if err := json.Unmarshal(m.Data, k); err != nil {
		return nil, fmt.Errorf("%w: key %s cannot be read: %w", errSealed, id, err)
	}
	if err := k.prepare(s, id); err != nil {
		return nil, fmt.Errorf("%w: %w", errSealed, err)
	}
	l.keys.put(id, k)
	return k, nil
}

// bound ties a sealed frame to its place.
func (k *frameKey) bound() []byte { return []byte(k.stream.sealed(k.Class, k.id)) }

// seal appends the sealed frame to dst.
func (k *frameKey) seal(dst, frame []byte) []byte { return k.aead.Seal(dst, nil, frame, k.bound()) }

// unseal returns the frame that a message holds. Which class it has, the subject
// says.
//
// Errors: errSealed; ErrNotFound, where the subject holds no frames.
func (l *Log) unseal(ctx context.Context, s Stream, subject string, data []byte) (frame []byte, class string, err error) {
	if s.Keyed {
		return data, "", nil
	}
	class, id, ok := s.sealedBy(subject)
	if !ok {
		return nil, "", fmt.Errorf("%w: %s", ErrNotFound, subject)
	}
	if id == "" {
		return data, "", nil
	}
	k, err := l.key(ctx, s, class, id)
	if err != nil {
		return nil, class, err
	}
	frame, err = k.aead.Open(nil, nil, data, k.bound())
	if err != nil {
		return nil, class, fmt.Errorf("%w: it was changed after it was written", errSealed)
	}
	return frame, class, nil
}

// classKeys lists the keys of a class whose windows ended at a time or before.
func (l *Log) classKeys(ctx context.Context, s Stream, class string, until time.Time) ([]string, error) {
	subjects, err := l.subjects(ctx, keys, keySubject(s, class, "*"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, sub := range subjects {
		id := sub[strings.LastIndexByte(sub, '.')+1:]
		if end, ok := windowEnd(id); ok && !end.After(until) {
			out = append(out, id)
		}
	}
	return out, nil
}

// destroyKey overwrites a key on disk.
func (l *Log) destroyKey(ctx context.Context, s Stream, class, id string) error {
	if err := l.shred(ctx, keys, keySubject(s, class, id)); err != nil {
		return fmt.Errorf("destroying key %s of stream %s: %w", id, s.Name, err)
	}
	l.keys.put(id, nil)
	return nil
}

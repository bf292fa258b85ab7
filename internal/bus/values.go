package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Put stores the value of a key in a keyed stream, on disk when it returns nil.
func (l *Log) Put(ctx context.Context, s Stream, key string, value []byte) error {
	if err := l.disk.err(); err != nil {
		return err
	}
	if len(value) > MaxMessage {
		return fmt.Errorf("%w: the value of %s has %d bytes", ErrTooLarge, key, len(value))
	}
	if _, err := l.js.Publish(ctx, s.Prefix+"."+key, value, jetstream.WithExpectStream(s.Name)); err != nil {
		return fmt.Errorf("storing %s in stream %s: %w", key, s.Name, diskError(err))
	}
	return nil
}

// Value returns the newest value of a key in a keyed stream.
//
// Errors: ErrNotFound.
func (l *Log) Value(ctx context.Context, s Stream, key string) ([]byte, error) {
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return nil, fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	m, err := st.GetLastMsgForSubject(ctx, s.Prefix+"."+key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w: %s in %s", ErrNotFound, key, s.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s in stream %s: %w", key, s.Name, err)
	}
	return m.Data, nil
}

// EachValue calls fn with the keys of a keyed stream and their values.
func (l *Log) EachValue(ctx context.Context, s Stream, fn func(key string, value []byte) error) error {
	subjects, err := l.subjects(ctx, s, s.Prefix+".>")
	if err != nil {
		return err
	}
	st, err := l.js.Stream(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", s.Name, err)
	}
	for _, sub := range subjects {
		m, err := st.GetLastMsgForSubject(ctx, sub)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err == nil {
			err = fn(strings.TrimPrefix(sub, s.Prefix+"."), m.Data)
		}
		if err != nil {
			return fmt.Errorf("reading %s in stream %s: %w", sub, s.Name, err)
		}
	}
	return nil
}

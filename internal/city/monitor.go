package city

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// How the network monitor keeps its log.
const (
	logName     = "conn.log"
	rotateEvery = 6 * time.Hour // of the town's time
	keepRotated = 3
	flushEvery  = 200 * time.Millisecond // real time
	flushBytes  = 64 << 10
)

// monitor writes conn.log as Zeek does, renaming it now and then.
type monitor struct {
	dir     string
	file    *os.File
	buf     []byte
	flushed time.Time
	turn    time.Time // when to rotate, town's time
	rotated []string
}

// playNetwork writes each connection when its time has come.
func (t *Town) playNetwork(ctx context.Context, cfg Config, from time.Time) (err error) {
	m := &monitor{dir: cfg.ZeekDir, turn: from.Truncate(rotateEvery).Add(rotateEvery)}
	if err := m.open(); err != nil {
		return err
	}
	defer func() {
		if e := m.close(); err == nil || ctx.Err() != nil && e != nil {
			err = e
		}
	}()
	for f := range t.Traffic(from, cfg.Scenario) {
		if f.End().After(cfg.Clock.Now()) {
			if err := m.waitAndFlush(ctx, cfg, f.End()); err != nil {
				return err
			}
		}
		if f.End().After(m.turn) {
			if err := m.rotate(); err != nil {
				return err
			}
		}
		m.buf = f.AppendJSON(m.buf)
		cfg.Progress.Flows.Add(1)
		if len(m.buf) >= flushBytes || time.Since(m.flushed) > flushEvery {
			if err := m.flush(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// waitAndFlush sleeps until the time has come; what was written is on the disk
// before a long sleep.
func (m *monitor) waitAndFlush(ctx context.Context, cfg Config, at time.Time) error {
	if cfg.Clock.Real(at.Sub(cfg.Clock.Now())) > flushEvery {
		if err := m.flush(); err != nil {
			return err
		}
	}
	return sleepUntil(ctx, cfg.Clock, at)
}

// open makes the directory and opens the log to append: the server may still be
// reading what an earlier run left.
func (m *monitor) open() error {
	if err := os.MkdirAll(m.dir, 0o750); err != nil {
		return fmt.Errorf("making the network monitor's folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(m.dir, logName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the network monitor's log: %w", err)
	}
	m.file = file
	return nil
}

func (m *monitor) flush() error {
	m.flushed = time.Now()
	if len(m.buf) == 0 {
		return nil
	}
	_, err := m.file.Write(m.buf)
	m.buf = m.buf[:0]
	if err != nil {
		return fmt.Errorf("writing the network monitor's log: %w", err)
	}
	return nil
}

// rotate renames the log after the hour it reached to, begins a new one, and
// removes the oldest of this run.
func (m *monitor) rotate() error {
	if err := m.close(); err != nil {
		return err
	}
	name := filepath.Join(m.dir, "conn."+m.turn.Format("2006-01-02-15-04-05")+".log")
	if err := os.Rename(filepath.Join(m.dir, logName), name); err != nil {
		return fmt.Errorf("rotating the network monitor's log: %w", err)
	}
	m.turn = m.turn.Add(rotateEvery)
	m.rotated = append(m.rotated, name)
	if len(m.rotated) > keepRotated {
		if err := os.Remove(m.rotated[0]); err != nil {
			return fmt.Errorf("removing an old log of the network monitor: %w", err)
		}
		m.rotated = m.rotated[1:]
	}
	return m.open()
}

func (m *monitor) close() error {
	err := m.flush()
	if e := m.file.Close(); err == nil && e != nil {
		err = fmt.Errorf("closing the network monitor's log: %w", e)
	}
	return err
}

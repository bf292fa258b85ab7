package bus

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

const diskInterval = 250 * time.Millisecond

// lockDir takes the data directory for this process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	return f, nil
}

// diskGuard watches the free space of the disk that holds the log. JetStream
// shuts itself down when a write meets a full disk; the guard refuses appends
// before that, and allows them again when there is space.
type diskGuard struct {
	dir     string
	reserve int64
	logger  *slog.Logger
	met     *metrics
	full    atomic.Bool
	stop    chan struct{}
	done    chan struct{}
}

func guardDisk(dir string, reserve int64, logger *slog.Logger, met *metrics) (*diskGuard, error) {
	g := &diskGuard{dir: dir, reserve: reserve, logger: logger, met: met, stop: make(chan struct{}), done: make(chan struct{})}
	if err := g.check(); err != nil {
		return nil, err
	}
	go g.watch()
	return g, nil
}

func (g *diskGuard) watch() {
	defer close(g.done)
	t := time.NewTicker(diskInterval)
	defer t.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-t.C:
			if err := g.check(); err != nil {
				g.logger.Error("the disk's free space cannot be read", "err", err)
			}
		}
	}
}

func (g *diskGuard) check() error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(g.dir, &st); err != nil {
		return fmt.Errorf("reading the free space of %s: %w", g.dir, err)
	}
	free := int64(st.Bavail) * st.Bsize
	g.met.diskFree.Set(float64(free))
	full := free < g.reserve
	if g.full.Swap(full) != full {
		if full {
			g.logger.Error("the disk is full: nothing more is accepted until space is freed",
				"dir", g.dir, "free_bytes", free, "reserve_bytes", g.reserve)
		} else {
			g.logger.Info("the disk has space again: accepting", "dir", g.dir, "free_bytes", free)
		}
	}
	return nil
}

// look reads the free space now, and reports a full disk.
func (g *diskGuard) look() error {
	if g == nil {
		return nil
	}
	if err := g.check(); err != nil {
		return err
	}
	return g.err()
}

func (g *diskGuard) err() error {
	if g != nil && g.full.Load() {
		return fmt.Errorf("%w (less than %d MiB free in %s)", ErrFull, g.reserve>>20, g.dir)
	}
	return nil
}

func (g *diskGuard) close() {
	close(g.stop)
	<-g.done
}

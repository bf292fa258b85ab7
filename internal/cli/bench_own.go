package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/sense/registry"
)

// benchLog opens a log for a measurement in a directory of its own below where.
// done closes it and takes the directory away.
func benchLog(e *env, where string) (log *bus.Log, dir string, metrics *prometheus.Registry, done func() error, err error) {
	if dir, err = os.MkdirTemp(where, "bluelamp-bench-*"); err != nil {
		return nil, "", nil, nil, fmt.Errorf("making a directory for the measurement: %w", err)
	}
	metrics = prometheus.NewRegistry()
	log, err = bus.Open(e.ctx, bus.Config{Dir: dir, Reserve: e.root.Config.Reserve << 20, Logger: e.quiet(), Metrics: metrics})
	if err != nil {
		return nil, "", nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return log, dir, metrics, func() error {
		log.Close()
		return os.RemoveAll(dir)
	}, nil
}

// benchDevice is a device without practical limits, which sends messages of size
// bytes.
func benchDevice(id, secret string, size int) registry.Device {
	return registry.Device{
		ID: id, Name: id, Kind: "bench", Limits: registry.Limits{Messages: 1e6, Burst: 1e6, Bytes: max(size, registry.DefaultBytes)},
		Credentials: []registry.Credential{registry.NewCredential(secret, time.Now(), nil)},
	}
}

package mqttclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Hold opens cfg.Clients connections that say nothing but that they are there,
// calls ready, and keeps them until the context ends. It returns an error when
// one could not be opened, or has been closed by the gateway.
func Hold(ctx context.Context, cfg BenchConfig, ready func()) error {
	if len(cfg.Devices) == 0 {
		return errors.New("no device to connect for: name one that is enrolled")
	}
	const keepAlive = 5 * time.Minute
	clients := make([]*Client, 0, cfg.Clients)
	defer func() {
		for _, c := range clients {
			_ = c.Drop()
		}
	}()
	for i := range cfg.Clients {
		login := cfg.Devices[i%len(cfg.Devices)]
		c, err := Dial(ctx, Options{
			Addr: cfg.Addr, Version: max(cfg.Version, 4), ID: "idle-" + strconv.Itoa(i), User: login.ID, Password: login.Secret,
			Clean: true, KeepAlive: keepAlive,
		})
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, cfg.Clients, err)
		}
		clients = append(clients, c)
	}
	ready()
	every := time.NewTicker(keepAlive / 2)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		for i, c := range clients {
			if err := c.Ping(); err != nil {
				return fmt.Errorf("connection %d: %w", i+1, err)
			}
			if _, err := c.Get(); err != nil {
				return fmt.Errorf("connection %d: %w", i+1, err)
			}
		}
	}
}

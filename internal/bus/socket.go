package bus

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const socketName = "log.sock"

// doorway lets other processes of the same user reach the embedded server: a
// Unix socket in the data directory, joined to in-process connections.
type doorway struct {
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// openDoorway opens the socket. Where it cannot (a path that is too long, a
// file system without sockets) the server works without it, and says so.
func openDoorway(dir string, srv *server.Server, logger *slog.Logger) *doorway {
	path := filepath.Join(dir, socketName)
	_ = os.Remove(path) // left by a killed process: the lock says that it is gone
	ln, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		logger.Warn("the log has no local socket: commands that read it will need the server stopped", "err", err)
		return nil
	}
	d := &doorway{ln: ln, conns: map[net.Conn]bool{}}
	d.wg.Add(1)
	go d.accept(srv)
	return d
}

func (d *doorway) accept(srv *server.Server) {
	defer d.wg.Done()
	for {
		out, err := d.ln.Accept()
		if err != nil {
			return
		}
		in, err := srv.InProcessConn()
		if err != nil {
			_ = out.Close()
			continue
		}
		if !d.track(out, in) {
			return // closed between taking the connection and noting it
		}
		for _, p := range [][2]net.Conn{{in, out}, {out, in}} {
			d.wg.Add(1)
			go func() {
				defer d.wg.Done()
				_, _ = io.Copy(p[0], p[1])
				d.drop(out, in)
			}()
		}
	}
}

// track notes connections, or closes them when the doorway is closed already.
func (d *doorway) track(cs ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range cs {
		if d.closed {
			_ = c.Close()
		} else {
			d.conns[c] = true
		}
	}
	return !d.closed
}

func (d *doorway) drop(cs ...net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range cs {
		_ = c.Close()
		delete(d.conns, c)
	}
}

func (d *doorway) close() {
	_ = d.ln.Close()
	d.mu.Lock()
	d.closed = true
	for c := range d.conns {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.wg.Wait()
}

type socketDialer string

func (s socketDialer) Dial(_, _ string) (net.Conn, error) { return net.Dial("unix", string(s)) }

// dialSocket connects to the log of the process that owns dir.
func dialSocket(dir string) (*nats.Conn, error) {
	nc, err := nats.Connect("nats://local", nats.SetCustomDialer(socketDialer(filepath.Join(dir, socketName))), nats.Name("bluelamp attached"))
	if err != nil {
		return nil, fmt.Errorf("%w, and its log cannot be reached (%w): stop it, or run this as the same user", ErrInUse, err)
	}
	return nc, nil
}

// listenOn makes the embedded server accept clients at addr.
func listenOn(opts *server.Options, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("log listen address %q: want host:port: %w", addr, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("log listen address %q: want a port number: %w", addr, err)
	}
	opts.DontListen, opts.Host, opts.Port = false, host, int(n)
	if n == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

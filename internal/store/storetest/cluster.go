package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

const (
	binaries     = "/usr/lib/postgresql/*/bin"
	startTimeout = 30 * time.Second
)

// theCluster is the one server of this process, started at its first use.
var theCluster = sync.OnceValues(startCluster)

// cluster is a running PostgreSQL server.
type cluster struct {
	dir   string // its Unix socket's directory
	admin *sql.DB
	alive io.Closer // the pipe whose end tells the server that we are gone
	n     atomic.Int64
}

// keeper runs the server until its standard input ends, which happens when this
// process ends however it ends, and leaves nothing behind.
const keeper = `
trap '' INT TERM
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 \
	-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=32MB </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$2"
`

func startCluster() (*cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bluelamp-pg")
	if err != nil {
		return nil, err
	}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, fmt.Errorf("giving %s to the server's user: %w", dir, err)
		}
	}
	attr := &syscall.SysProcAttr{Credential: who, Setpgid: true}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "bluelamp", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	c, err := serve(bin, dir, attr)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

func serve(bin, dir string, attr *syscall.SysProcAttr) (*cluster, error) {
	logFile := filepath.Join(dir, "server.log")
	out, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper", bin, dir)
	cmd.SysProcAttr, cmd.Dir, cmd.Stdout, cmd.Stderr = attr, dir, out, out
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	admin, err := sql.Open("pgx", databaseURL(dir, "postgres"))
	if err != nil {
		return nil, errors.Join(err, alive.Close(), cmd.Wait())
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if err = admin.PingContext(ctx); err == nil {
			return &cluster{dir: dir, admin: admin, alive: alive}, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			said, _ := os.ReadFile(logFile)
			return nil, errors.Join(fmt.Errorf("PostgreSQL did not start: %w: %s", err, said), alive.Close(), cmd.Wait())
		}
	}
}

func findBinaries() (string, error) {
	found, err := filepath.Glob(filepath.Join(binaries, "initdb"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("initdb is not in %s: install the package postgresql", binaries)
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged finds a user for the server, which refuses to run as root; nil if
// this process is not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU == nil && errG == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is no user postgres or nobody to run the server")
}

func databaseURL(dir, name string) string {
	return "postgres://bluelamp@/" + name + "?host=" + dir
}

// database makes an empty database for one test.
func (c *cluster) database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", c.n.Add(1))
	if _, err := c.admin.Exec("CREATE DATABASE " + name); err != nil {
		tb.Fatalf("making database %s: %v", name, err)
	}
	tb.Cleanup(func() {
		if _, err := c.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("dropping database %s: %v", name, err)
		}
	})
	return databaseURL(c.dir, name)
}

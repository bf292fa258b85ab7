package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Files in the data directory.
const (
	KeyFile         = "audit.key"         // signs checkpoints; readable by the server's user only
	PublicFile      = "audit.pub"         // checks them: print it and keep it elsewhere
	CheckpointsFile = "audit.checkpoints" // all checkpoints, oldest first
)

const timeLine = "time " // our extension line

// tornReach is more than the bytes of two checkpoints.
const tornReach = 4096

// ErrCheckpoint: a text is not a checkpoint of this log, or its signature is not
// by this log's key.
var ErrCheckpoint = errors.New("not a checkpoint signed by this log's key")

// OriginPrefix begins the first line of every checkpoint of an audit log.
const OriginPrefix = "bluelamp/audit/"

// Checkpoint is a signed statement: at Time the log had Size entries, and the
// tree over them this Root.
type Checkpoint struct {
	Size int64
	Root tlog.Hash
	Time time.Time
	Text string // as signed, in the format of c2sp.org/tlog-checkpoint
}

func sign(s note.Signer, size int64, root tlog.Hash, at time.Time) (Checkpoint, error) {
	at = at.UTC().Truncate(time.Second)
	text := fmt.Sprintf("%s\n%d\n%s\n%s%s\n", s.Name(), size, base64.StdEncoding.EncodeToString(root[:]), timeLine, at.Format(time.RFC3339))
	msg, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return Checkpoint{Size: size, Root: root, Time: at, Text: string(msg)}, nil
}

// ParseCheckpoint reads a checkpoint and checks its signature with a public key
// as in [PublicFile].
//
// Errors: ErrCheckpoint.
func ParseCheckpoint(text []byte, key string) (Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the audit log's public key: %w", err)
	}
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != v.Name() {
		return Checkpoint{}, fmt.Errorf("%w: it is of another log", ErrCheckpoint)
	}
	c := Checkpoint{Text: string(text)}
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return Checkpoint{}, fmt.Errorf("%w: its size is %q", ErrCheckpoint, lines[1])
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: its root is %q", ErrCheckpoint, lines[2])
	}
	for _, l := range lines[3:] {
		if at, ok := strings.CutPrefix(l, timeLine); ok {
			if c.Time, err = time.Parse(time.RFC3339, at); err != nil {
				return Checkpoint{}, fmt.Errorf("%w: its time is %q", ErrCheckpoint, at)
			}
		}
	}
	return c, nil
}

// SplitCheckpoints cuts a file of checkpoints, as [CheckpointsFile] is, into
// checkpoints. rest is what follows the last whole one.
func SplitCheckpoints(file []byte) (texts [][]byte, rest []byte) {
	for {
		_, after, ok := bytes.Cut(file, []byte("\n\n"))
		if !ok {
			return texts, file
		}
		_, next, ok := bytes.Cut(after, []byte("\n\n"))
		if !ok {
			return texts, file
		}
		end := len(file) - len(next) - 1
		texts = append(texts, file[:end])
		file = next
	}
}

// saveCheckpoint adds a checkpoint to the file.
func saveCheckpoint(dir string, c Checkpoint) error {
	f, err := os.OpenFile(filepath.Join(dir, CheckpointsFile), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	err = dropTorn(f)
	if err == nil {
		_, err = f.WriteString(c.Text + "\n")
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("saving a checkpoint: %w", err)
	}
	return nil
}

// dropTorn removes what a crash left half written of the last checkpoint.
func dropTorn(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	from := max(0, fi.Size()-tornReach)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, tornReach))
	if err != nil {
		return err
	}
	// A whole checkpoint ends with its signature's line and an empty one.
	keep := 0
	for i := 0; i < len(tail); {
		end := bytes.Index(tail[i:], []byte("\n\n"))
		if end < 0 {
			break
		}
		line := tail[i : i+end]
		if last := bytes.LastIndexByte(line, '\n'); bytes.HasPrefix(line[last+1:], []byte("\u2014 ")) {
			keep = i + end + 2
		}
		i += end + 2
	}
	if keep == len(tail) || keep == 0 && from > 0 {
		return nil
	}
	return f.Truncate(from + int64(keep))
}

// loadKey reads the signing key of a data directory, and makes it at first use.
func loadKey(dir string) (note.Signer, string, error) {
	private, err := os.ReadFile(filepath.Join(dir, KeyFile)) //nolint:gosec // the data directory is ours
	if errors.Is(err, fs.ErrNotExist) {
		if _, had := os.Stat(filepath.Join(dir, CheckpointsFile)); had == nil {
			return nil, "", fmt.Errorf("there is no %s in %s, and checkpoints were signed with it: restore it from your own safe copy", KeyFile, dir)
		}
		private, err = makeKey(dir)
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading the audit log's key: %w", err)
	}
	s, err := note.NewSigner(strings.TrimSpace(string(private)))
	if err != nil {
		return nil, "", fmt.Errorf("reading the audit log's key in %s: %w: restore it from a safe copy", KeyFile, err)
	}
	public, err := PublicKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		// A restored directory may have the private key alone; it implies the other.
		public, err = publicOf(string(private), s.Name())
		if err == nil {
			err = writeFile(filepath.Join(dir, PublicFile), public+"\n", 0o644)
		}
	}
	return s, public, err
}

// publicOf returns the public key of a private one, both in the form of
// golang.org/x/mod/sumdb/note.
func publicOf(private, name string) (string, error) {
	_, encoded, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(private), "PRIVATE+KEY+"+name+"+"), "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", fmt.Errorf("reading the audit log's key in %s: it is not an Ed25519 key: restore it from a safe copy", KeyFile)
	}
	return note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
}

func makeKey(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	private, public, err := note.GenerateKey(rand.Reader, OriginPrefix+hex.EncodeToString(id[:]))
	if err != nil {
		return nil, err
	}
	// The public key first: without it a private key that is there is of no use.
	if err := writeFile(filepath.Join(dir, PublicFile), public+"\n", 0o644); err != nil {
		return nil, err
	}
	return []byte(private), writeFile(filepath.Join(dir, KeyFile), private+"\n", 0o600)
}

func writeFile(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode) //nolint:gosec // the data directory is ours
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// PublicKey returns the key that checks the checkpoints of a data directory.
func PublicKey(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, PublicFile)) //nolint:gosec // the data directory is ours
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s holds no %s: a server makes it when it first starts there; after restoring a backup, put your safe copy of the old one there: %w", dir, PublicFile, err)
	}
	if err != nil {
		return "", fmt.Errorf("reading the audit log's public key: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

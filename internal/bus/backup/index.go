package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Names within a backup.
const (
	indexName = "index.json"
	lockName  = "LOCK"
)

// maxIndex bounds an index that is read, in bytes.
const maxIndex = 256 << 20

// Errors of backups.
var (
	// ErrNoBackup: the directory holds no backup.
	ErrNoBackup = errors.New("holds no backup")
	// ErrInUse: another process works on the backup.
	ErrInUse = errors.New("another process works on this backup: try again when it is done")
	// ErrDamaged: a file of the backup is not what the index says.
	ErrDamaged = errors.New("the backup is damaged")
)

// Segment is a file of records of one stream and class.
type Segment struct {
	File    string    `json:"file"` // within the backup
	Stream  string    `json:"stream"`
	Class   string    `json:"class,omitempty"`
	First   uint64    `json:"first"` // positions
	Last    uint64    `json:"last"`
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"`
	Records int       `json:"records"`
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"`
}

// Values is a file of a keyed stream's values.
type Values struct {
	File   string `json:"file"`
	Stream string `json:"stream"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Tombstone is what the index keeps of a segment that was erased, or from which
// records were erased.
type Tombstone struct {
	File    string    `json:"file"`
	Stream  string    `json:"stream"`
	Class   string    `json:"class,omitempty"`
	Time    time.Time `json:"time"`
	Records int       `json:"records"` // erased
}

// Reach is how far a stream has been copied.
type Reach struct {
	Copied uint64 `json:"copied"` // position
	End    uint64 `json:"end"`    // number of the last frame that was given
}

// Index is the table of contents.
type Index struct {
	Version    int              `json:"version"`
	Created    time.Time        `json:"created"`
	Updated    time.Time        `json:"updated"`
	Streams    map[string]Reach `json:"streams"`
	Applied    uint64           `json:"applied"` // position in the ledger of erasures
	Segments   []Segment        `json:"segments"`
	Values     []Values         `json:"values"`
	Tombstones []Tombstone      `json:"tombstones,omitempty"`
}

// lock takes the backup for this process.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the backup: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
	}
	return f, nil
}

// ReadIndex reads the index of a backup.
//
// Errors: ErrNoBackup, ErrDamaged.
func ReadIndex(dir string) (*Index, error) {
	f, err := os.Open(filepath.Join(dir, indexName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s %w", dir, ErrNoBackup)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the backup's index: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxIndex))
	if err != nil {
		return nil, fmt.Errorf("reading the backup's index: %w", err)
	}
	x, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name(), err)
	}
	return x, nil
}

func parseIndex(data []byte) (*Index, error) {
	x := &Index{}
	if err := json.Unmarshal(data, x); err != nil {
		return nil, err
	}
	if x.Version != 1 {
		return nil, fmt.Errorf("version %d is not known: use the program that made the backup", x.Version)
	}
	var files []string
	for _, s := range x.Segments {
		files = append(files, s.File)
	}
	for _, v := range x.Values {
		files = append(files, v.File)
	}
	for _, f := range files {
		if !filepath.IsLocal(f) {
			return nil, fmt.Errorf("file %.100q lies outside the backup", f)
		}
	}
	if x.Streams == nil {
		x.Streams = map[string]Reach{}
	}
	return x, nil
}

// write puts the index in place at once.
func (x *Index) write(dir string) error {
	data, err := json.MarshalIndent(x, "", " ")
	if err == nil {
		err = replace(filepath.Join(dir, indexName), func(w io.Writer) error {
			_, err := w.Write(append(data, '\n'))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("writing the backup's index: %w", err)
	}
	return nil
}

// replace writes a file beside its place and moves it there when it is on disk.
func replace(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// checksum returns a file's size and SHA-256.
func checksum(name string) (int64, string, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

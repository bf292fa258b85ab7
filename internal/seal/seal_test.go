package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/bluelamp/bluelamp/internal/seal"
)

func TestSealedValueOpensOnlyForItsUseAndKey(t *testing.T) {
	dir := t.TempDir()
	s, err := seal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.Seal("account key", []byte("secret"))
	again, err := seal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("account key", sealed); err != nil || string(got) != "secret" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := again.Open("password", sealed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("opening for another use: %v, want ErrOpen", err)
	}
	other, err := seal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open("account key", sealed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("opening with another key: %v, want ErrOpen", err)
	}
	if _, err := s.Open("account key", "not base64!"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("opening rubbish: %v, want ErrOpen", err)
	}
	fi, err := os.Stat(filepath.Join(dir, seal.KeyFile))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key file mode = %v, %v", fi.Mode(), err)
	}
}

func TestShortKeyIsRefusedWithAdvice(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, seal.KeyFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(dir); err == nil {
		t.Error("a short key was accepted")
	}
}

func TestKeysOfUsesDiffer(t *testing.T) {
	s, err := seal.New(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	other, err := seal.New(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	a := s.Key("a")
	if len(a) != 32 || !bytes.Equal(a, s.Key("a")) || bytes.Equal(a, s.Key("b")) || bytes.Equal(a, other.Key("a")) {
		t.Error("a use has one key, and no other use or sealer has it")
	}
}

package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tiny is a package of the right shape with a library of a few bytes.
func tiny(t *testing.T, member string, library []byte) (packed []byte, pkg libraryPackage) {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	members := tar.NewWriter(zipped)
	for name, text := range map[string][]byte{"package/package.json": []byte("{}"), member: library} {
		if err := members.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := members.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(members.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	packageSum, librarySum := sha512.Sum512(out.Bytes()), sha256.Sum256(library)
	return out.Bytes(), libraryPackage{
		name: "lib", packed: int64(out.Len()), integrity: "sha512-" + base64.StdEncoding.EncodeToString(packageSum[:]),
		member: "package/libchdb.so", size: int64(len(library)), sha256: hex.EncodeToString(librarySum[:]),
	}
}

// serving is a fetcher whose package file is packed, with a count of fetches.
func serving(dir string, pkg libraryPackage, packed []byte) (fetcher, *atomic.Int32) {
	fetches := new(atomic.Int32)
	return fetcher{pkg: pkg, dir: dir, pack: func(_ context.Context, _, _, into string) (string, error) {
		fetches.Add(1)
		path := filepath.Join(into, "lib.tgz")
		return path, os.WriteFile(path, packed, 0o600)
	}}, fetches
}

func TestAFetchedLibraryIsVerifiedUnpackedAndKept(t *testing.T) {
	packed, pkg := tiny(t, "package/libchdb.so", []byte("the library"))
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, fetches := serving(dir, pkg, packed)
	phases := map[string]int64{}
	f.progress = func(p Progress) { phases[p.Phase] = p.Done }
	for range 2 {
		path, err := f.locate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "the library" {
			t.Fatalf("library %q, %v", text, err)
		}
	}
	if got := fetches.Load(); got != 1 {
		t.Errorf("%d fetches, want 1", got)
	}
	if phases["verify"] != pkg.packed || phases["unpack"] != pkg.size {
		t.Errorf("progress ended at %v, want verify %d and unpack %d", phases, pkg.packed, pkg.size)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "fetch-*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAPackageThatIsNotThePinnedOneIsRefused(t *testing.T) {
	packed, pkg := tiny(t, "package/libchdb.so", []byte("the library"))
	otherMember, noLibrary := tiny(t, "package/other.so", []byte("the library"))
	noLibrary.member = "package/libchdb.so"
	wrongLibrary, otherSum, longer := pkg, pkg, pkg
	wrongLibrary.sha256 = strings.Repeat("0", 64)
	otherSum.integrity = "sha512-AAAA"
	longer.size--
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 1
	for name, tc := range map[string]struct {
		pkg    libraryPackage
		packed []byte
		want   string
	}{
		"one bit":               {pkg, flipped, "thrown away"},
		"cut short":             {pkg, packed[:len(packed)-1], "bytes"},
		"too long":              {pkg, append(bytes.Clone(packed), 0), "longer"},
		"another checksum":      {otherSum, packed, "thrown away"},
		"another library in it": {wrongLibrary, packed, "thrown away"},
		"a longer library":      {longer, packed, "longer"},
		"no library in it":      {noLibrary, otherMember, "has no package/libchdb.so"},
	} {
		dir := t.TempDir()
		f, _ := serving(dir, tc.pkg, tc.packed)
		_, err := f.locate(t.Context())
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, tc.want)
		}
		left, _ := os.ReadDir(dir)
		for _, entry := range left {
			if entry.Name() != "fetch.lock" {
				t.Errorf("%s: left behind: %s", name, entry.Name())
			}
		}
	}
}

func TestADamagedLibraryIsFetchedAgainAndAMissingMarkerIsNot(t *testing.T) {
	packed, pkg := tiny(t, "package/libchdb.so", []byte("the library"))
	f, fetches := serving(t.TempDir(), pkg, packed)
	path, err := f.locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(markerPath(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.locate(t.Context()); err != nil || fetches.Load() != 1 {
		t.Errorf("without its marker: %v, %d fetches, want 1", err, fetches.Load())
	}
	// Same size, other bytes, other time: what a careless copy over it leaves.
	if err := errors.Join(os.WriteFile(path, []byte("THE LIBRARY"), 0o700), os.Chtimes(path, time.Time{}, time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.locate(t.Context()); err != nil || fetches.Load() != 2 {
		t.Errorf("damaged: %v, %d fetches, want 2", err, fetches.Load())
	}
	if text, _ := os.ReadFile(path); string(text) != "the library" {
		t.Errorf("library %q after the second fetch", text)
	}
}

func TestProcessesThatFetchAtOnceFetchOnce(t *testing.T) {
	packed, pkg := tiny(t, "package/libchdb.so", []byte("the library"))
	f, fetches := serving(t.TempDir(), pkg, packed)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := f.locate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := fetches.Load(); got != 1 {
		t.Errorf("%d fetches, want 1", got)
	}
}

func TestAMissingLibrarySaysWhatToDo(t *testing.T) {
	t.Setenv(LibraryEnv, "")
	t.Setenv("PATH", t.TempDir()) // no npm
	cfg := DefaultConfig(t.TempDir())
	cfg.CacheDir = t.TempDir()
	_, err := Locate(t.Context(), cfg)
	if err == nil {
		t.Fatal("a library was found in an empty directory")
	}
	wants := []string{"engine.library", LibraryEnv, "clickhouse.addr"}
	if _, pinned := packageFor(runtime.GOOS, runtime.GOARCH); pinned {
		wants = append(wants, "npm client, which is not installed")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestAnNpmFailureIsReportedByItsCodeOnly(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho 'npm error code E404' >&2\necho 'npm error 404 GET https://somewhere.example/' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	_, err := npmPack(t.Context(), "lib", "1.0.0", t.TempDir())
	if err == nil || !strings.HasSuffix(err.Error(), "failed with E404") || strings.Contains(err.Error(), "somewhere") {
		t.Errorf("got %v", err)
	}
}

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// libraryPackage is one platform's package with its pinned sizes and checksums.
type libraryPackage struct {
	os, arch  string
	name      string // as npm knows it
	packed    int64  // bytes of the package file
	integrity string // npm's dist.integrity of the package file
	member    string // the library inside the package
	size      int64  // bytes of the library
	sha256    string // of the library, hexadecimal
}

// libraryPackages holds only what was measured: a platform that is not here has no fetch, but runs with a library that
// its user names.
var libraryPackages = []libraryPackage{{
	os: "linux", arch: "amd64",
	name:      "@chdb/lib-linux-x64-gnu",
	packed:    166572008,
	integrity: "sha512-fPrLmRt5Moor9yGz4mazbrNje4t7X9KB2mTGkXFWRxRBs2iKy8yh6jx11xsa0Qr3iDFMU/yHqd+bVdYJXu3QaQ==",
	member:    "package/libchdb.so",
	size:      559044752,
	sha256:    "4330da79405733f7572f27c1442f46c03a08301f00859dce0368645731b1e1dc",
}}

// Progress tells how far the fetching of the library is.
type Progress struct {
	// Phase is "wait" (another process is fetching), "fetch", "verify" or "unpack".
	Phase string
	// Done and Total are bytes; during "fetch" Done stays 0, since npm does not say.
	Done, Total int64
}

// fetchWait is how long one process waits for another one's fetch.
const fetchWait = 15 * time.Minute

// Locate finds the engine library: cfg.LibraryPath, then the environment variable [LibraryEnv], then the cache
// directory; else it fetches the pinned package with the npm client, verifies its checksums and keeps it in the cache
// directory. Several processes may call it at once. The error says what to do where none can be had.
func Locate(ctx context.Context, cfg Config) (string, error) {
	cfg = cfg.withDefaults()
	if cfg.LibraryPath != "" {
		return namedLibrary("engine.library", cfg.LibraryPath)
	}
	if path := os.Getenv(LibraryEnv); path != "" {
		return namedLibrary(LibraryEnv, path)
	}
	pkg, ok := packageFor(runtime.GOOS, runtime.GOARCH)
	if !ok {
		return "", unavailable(fmt.Errorf("no library is pinned for %s/%s", runtime.GOOS, runtime.GOARCH))
	}
	if cfg.CacheDir == "" {
		return "", unavailable(errors.New("there is no user cache directory (neither XDG_CACHE_HOME nor HOME is set)"))
	}
	f := fetcher{pkg: pkg, dir: filepath.Join(cfg.CacheDir, LibraryVersion), progress: cfg.Progress, pack: npmPack}
	path, err := f.locate(ctx)
	if err != nil {
		return "", unavailable(err)
	}
	return path, nil
}

func packageFor(goos, goarch string) (libraryPackage, bool) {
	for _, pkg := range libraryPackages {
		if pkg.os == goos && pkg.arch == goarch {
			return pkg, true
		}
	}
	return libraryPackage{}, false
}

// namedLibrary trusts the user: a library named on purpose may be of another version.
func namedLibrary(by, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("embedded engine: %s names %s: %w; give the path of libchdb.so, or leave %s out to have it fetched", by, path, err, by)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("embedded engine: %s names %s, which is not a file: give the path of libchdb.so itself", by, path)
	}
	return filepath.Abs(path)
}

func unavailable(cause error) error {
	return fmt.Errorf("embedded engine: libchdb %s is not on this machine and could not be fetched: %w. "+
		"Either put libchdb.so on this machine and name its path in engine.library (or in %s), "+
		"or set clickhouse.addr to use a ClickHouse server instead", LibraryVersion, cause, LibraryEnv)
}

// verified is the marker beside a library whose checksum was once right. It saves hashing half a gigabyte at each
// start; a library that was touched since is hashed again.
type verified struct {
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256"`
	Modified time.Time `json:"modified"`
}

func markerPath(library string) string { return library + ".verified" }

func isVerified(library string, pkg libraryPackage) bool {
	info, err := os.Stat(library)
	if err != nil || info.Size() != pkg.size {
		return false
	}
	text, err := os.ReadFile(markerPath(library))
	if err != nil {
		return false
	}
	var v verified
	if json.Unmarshal(text, &v) != nil {
		return false
	}
	return v.Size == pkg.size && v.SHA256 == pkg.sha256 && v.Modified.Equal(info.ModTime())
}

func markVerified(library string, pkg libraryPackage) error {
	info, err := os.Stat(library)
	if err != nil {
		return err
	}
	text, err := json.Marshal(verified{Size: pkg.size, SHA256: pkg.sha256, Modified: info.ModTime()})
	if err != nil {
		return err
	}
	return os.WriteFile(markerPath(library), text, 0o600)
}

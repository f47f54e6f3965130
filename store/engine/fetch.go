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
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// fetcher brings one package's library into dir.
type fetcher struct {
	pkg      libraryPackage
	dir      string
	progress func(Progress)
	// pack puts the package file into a directory and returns its path.
	pack func(ctx context.Context, name, version, into string) (string, error)
}

// locate returns the verified library in dir and fetches it first where it is missing or damaged.
func (f fetcher) locate(ctx context.Context) (string, error) {
	library := filepath.Join(f.dir, filepath.Base(f.pkg.member))
	if isVerified(library, f.pkg) {
		return library, nil
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return "", err
	}
	f.report("wait", 0, f.pkg.packed)
	lock, err := lockFile(ctx, filepath.Join(f.dir, "fetch.lock"), fetchWait)
	if err != nil {
		return "", fmt.Errorf("wait for another process's fetch into %s: %w", f.dir, err)
	}
	defer lock.Close()
	if isVerified(library, f.pkg) || f.verifyInPlace(library) {
		return library, nil
	}
	return library, f.fetch(ctx, library)
}

// verifyInPlace accepts a library that is right but has lost its marker: put there by hand, or by a process that was
// killed between the two writes.
func (f fetcher) verifyInPlace(library string) bool {
	file, err := os.Open(library)
	if err != nil {
		return false
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() != f.pkg.size {
		return false
	}
	sum := sha256.New()
	if _, err := f.copy(sum, file, "verify", f.pkg.size); err != nil {
		return false
	}
	return hex.EncodeToString(sum.Sum(nil)) == f.pkg.sha256 && markVerified(library, f.pkg) == nil
}

func (f fetcher) fetch(ctx context.Context, library string) error {
	work, err := os.MkdirTemp(f.dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	f.report("fetch", 0, f.pkg.packed)
	packed, err := f.pack(ctx, f.pkg.name, LibraryVersion, work)
	if err != nil {
		return err
	}
	if err := f.verifyPackage(packed); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.unpack(packed, work, library)
}

// verifyPackage compares the package file with the pinned checksum before anything of it is read.
func (f fetcher) verifyPackage(packed string) error {
	file, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha512.New()
	if _, err := f.copy(sum, file, "verify", f.pkg.packed); err != nil {
		return fmt.Errorf("package %s: %w", f.pkg.name, err)
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != f.pkg.integrity {
		return fmt.Errorf("the fetched package %s %s is not the pinned one and was thrown away: checksum %s, want %s", f.pkg.name, LibraryVersion, got, f.pkg.integrity)
	}
	return nil
}

// unpack writes the one wanted member beside its place and renames it there when its checksum is right.
func (f fetcher) unpack(packed, work, library string) error {
	file, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("package %s: %w", f.pkg.name, err)
	}
	members := tar.NewReader(unzipped)
	for {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("package %s has no %s", f.pkg.name, f.pkg.member)
		}
		if err != nil {
			return fmt.Errorf("package %s: %w", f.pkg.name, err)
		}
		if header.Name == f.pkg.member && header.Typeflag == tar.TypeReg {
			return f.place(members, filepath.Join(work, "library"), library)
		}
	}
}

func (f fetcher) place(from io.Reader, temporary, library string) error {
	out, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	defer out.Close()
	var sum hash.Hash = sha256.New()
	if _, err := f.copy(io.MultiWriter(out, sum), from, "unpack", f.pkg.size); err != nil {
		return fmt.Errorf("unpack %s: %w", f.pkg.member, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.pkg.sha256 {
		return fmt.Errorf("the library in package %s is not the pinned one and was thrown away: checksum %s, want %s", f.pkg.name, got, f.pkg.sha256)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, library); err != nil {
		return err
	}
	return markVerified(library, f.pkg)
}

// progressStep is how many bytes lie between two reports.
const progressStep = 8 << 20

// copy copies exactly total bytes and reports them; a shorter or longer source is an error.
func (f fetcher) copy(to io.Writer, from io.Reader, phase string, total int64) (int64, error) {
	var done int64
	f.report(phase, 0, total)
	for done < total {
		n, err := io.CopyN(to, from, min(progressStep, total-done))
		done += n
		f.report(phase, done, total)
		if err != nil {
			return done, fmt.Errorf("%d of %d bytes: %w", done, total, err)
		}
	}
	if n, _ := io.CopyN(io.Discard, from, 1); n > 0 {
		return done, fmt.Errorf("longer than the pinned %d bytes", total)
	}
	return done, nil
}

func (f fetcher) report(phase string, done, total int64) {
	if f.progress != nil {
		f.progress(Progress{Phase: phase, Done: done, Total: total})
	}
}

var npmErrorCode = regexp.MustCompile(`npm (?:error|ERR!) code ([A-Z0-9_]+)`)

// npmPack fetches a package with the npm client and its user's settings. Of npm's output only the error code is
// passed on: the rest names places that belong to the user's set-up.
func npmPack(ctx context.Context, name, version, into string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("fetching needs the npm client, which is not installed")
	}
	cmd := exec.CommandContext(ctx, npm, "pack", name+"@"+version, "--ignore-scripts", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--pack-destination", into)
	cmd.Dir = into
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if code := npmErrorCode.FindStringSubmatch(stderr.String()); code != nil {
			return "", fmt.Errorf("npm pack %s@%s failed with %s", name, version, code[1])
		}
		return "", fmt.Errorf("npm pack %s@%s: %w", name, version, err)
	}
	entries, err := os.ReadDir(into)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".tgz") {
			return filepath.Join(into, entry.Name()), nil
		}
	}
	return "", fmt.Errorf("npm pack %s@%s left no package file", name, version)
}

// Package broker runs a real Apache Kafka for tests: one node, broker and controller in one process, on loopback. It is put together from Kafka's
// published Maven artifacts as pom.xml pins them; `make kafka` fetches them once into the user's cache folder.
//
// Tests that use it run where TOCSIN_INTEGRATION=1 (`make integration`) or CI=true is in the environment and are skipped elsewhere. Where Java or
// Maven is missing they are skipped too, except with CI=true, where that is a failure.
package broker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed pom.xml
var pom []byte

// needsJava is the oldest Java that Kafka 4 runs on.
const needsJava = 17

// Missing says that a program the integration tests need is not on this machine.
type Missing struct {
	Program string
	Fix     string
}

func (m *Missing) Error() string {
	return fmt.Sprintf("%s is missing on this machine: %s", m.Program, m.Fix)
}

var kafkaVersion = regexp.MustCompile(`<kafka\.version>([0-9.]+)</kafka\.version>`)

// Version is the version of Apache Kafka that the tests run.
func Version() string { return string(kafkaVersion.FindSubmatch(pom)[1]) }

// folder is where the jars are kept: of this version, and of this very pom.xml, so that a changed one is fetched anew.
func folder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder for Kafka's jars: %w; set HOME or XDG_CACHE_HOME", err)
	}
	sum := sha256.Sum256(pom)
	return filepath.Join(cache, "tocsin", "kafka-"+Version()+"-"+hex.EncodeToString(sum[:4])), nil
}

// Fetch returns the folder with Kafka's jars and fetches them with Maven first where it does not exist. The folder appears whole or not at all,
// so that several may call this at once. The error is a [*Missing] where a program is not there. say is told of the progress, line by line.
func Fetch(ctx context.Context, say func(line string)) (jars string, err error) {
	jars, err = folder()
	if err != nil {
		return "", err
	}
	if exists(jars) {
		return jars, nil
	}
	if _, err := findJava(ctx); err != nil {
		return "", err
	}
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return "", &Missing{"Maven (mvn)", "install it (Debian, Ubuntu: apt-get install maven; macOS: brew install maven) and run `make kafka` again"}
	}
	if err := os.MkdirAll(filepath.Dir(jars), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(jars), "kafka-fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	say("fetching Apache Kafka " + Version() + " and what it needs with Maven, about 60 MB, into " + jars)
	if err := copyJars(ctx, maven, work, say); err != nil {
		return "", fmt.Errorf("fetch Apache Kafka %s: %w", Version(), err)
	}
	if err := os.Rename(filepath.Join(work, "jars"), jars); err != nil && !exists(jars) {
		return "", fmt.Errorf("keep Apache Kafka's jars: %w", err)
	}
	return jars, nil
}

// copyJars has Maven put the jars into work/jars. Maven's own cache is in work as well: it bears no two processes at once.
func copyJars(ctx context.Context, maven, work string, say func(string)) error {
	project := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(project, pom, 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, maven, "-B", "--strict-checksums", "-f", project, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(work, "jars"), "-Dmaven.repo.local="+filepath.Join(work, "repository"))
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		_ = in.Close()
	}()
	problems := mavenProgress(out, say)
	if err := <-ended; err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(problems, "\n"))
	}
	if !exists(filepath.Join(work, "jars", "kafka_2.13-"+Version()+".jar")) {
		return errors.New("maven has ended well, but Kafka's jar is not there")
	}
	return nil
}

var downloaded = regexp.MustCompile(`Downloaded from .*/([^/ ]+\.jar) \(([^)]+) at `)

// mavenProgress tells of each jar that has come and returns the lines in which Maven says what is wrong.
func mavenProgress(out io.Reader, say func(string)) (problems []string) {
	count := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "[ERROR]") {
			problems = append(problems, lines.Text())
		}
		if m := downloaded.FindStringSubmatch(lines.Text()); m != nil {
			count++
			say(fmt.Sprintf("%3d  %s (%s)", count, m[1], m[2]))
		}
	}
	_, _ = io.Copy(io.Discard, out) // A line longer than the scanner bears must not block Maven.
	return problems
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var javaMajor = regexp.MustCompile(`version "([0-9]+)`)

// findJava returns the java program of JAVA_HOME or PATH.
func findJava(ctx context.Context) (string, error) {
	const fix = "install Java 17 or newer (Debian, Ubuntu: apt-get install default-jdk-headless; macOS: brew install openjdk) or set JAVA_HOME"
	java, err := exec.LookPath(javaProgram("java"))
	if err != nil {
		return "", &Missing{"Java (java)", fix}
	}
	said, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return "", &Missing{"a Java that runs (" + java + " -version: " + string(bytes.TrimSpace(said)) + ")", fix}
	}
	m := javaMajor.FindSubmatch(said)
	if m == nil {
		return "", &Missing{"a Java that tells its version (" + java + ")", fix}
	}
	if major, _ := strconv.Atoi(string(m[1])); major < needsJava {
		return "", &Missing{fmt.Sprintf("Java %d (%s is version %d)", needsJava, java, major), fix}
	}
	return java, nil
}

// javaProgram is name in JAVA_HOME's folder of programs where that is set, else name, to be looked up in PATH.
func javaProgram(name string) string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", name)
	}
	return name
}

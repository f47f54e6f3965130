package broker

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Settings are what a test may want otherwise.
type Settings struct {
	Heap       string            // Of the broker's JVM, as in -Xmx; default 256m.
	Properties map[string]string // Server properties, over those of this package.
	Secure     bool              // Open a second way in, with TLS and SASL; see [Broker.Secure].

	// Lasting leaves the broker Kafka's own intervals and numbers of threads, for measurements. Without it, it notices and cleans up in fractions of
	// a second, and looks after its files all the time.
	Lasting bool
}

// ports are where the broker listens, on 127.0.0.1.
type ports struct{ clients, controller, secure int }

// serverProperties is server.properties: one node that is broker and controller, which, unless it is a lasting one, starts, notices and cleans up
// in fractions of a second where Kafka's own defaults take many.
func (s Settings) serverProperties(folder string, at ports) string {
	clients := "127.0.0.1:" + strconv.Itoa(at.clients)
	controller := "127.0.0.1:" + strconv.Itoa(at.controller)
	properties := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        "1",
		"listeners":                      "PLAINTEXT://" + clients + ",CONTROLLER://" + controller,
		"advertised.listeners":           "PLAINTEXT://" + clients,
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "PLAINTEXT",
		"controller.quorum.voters":       "1@" + controller,
		"log.dirs":                       filepath.Join(folder, "data"),
		"auto.create.topics.enable":      "false",

		// A single node holds every copy there is.
		"default.replication.factor":                       "1",
		"min.insync.replicas":                              "1",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "2",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "2",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",

		"group.initial.rebalance.delay.ms": "0",
		"group.min.session.timeout.ms":     "1000",

		// Records stay whatever their time is; a topic that is to lose some says so itself.
		"log.retention.ms": "-1",
	}
	if !s.Lasting {
		maps.Copy(properties, hasty)
	}
	if s.Secure {
		secureProperties(properties, folder, at)
	}
	maps.Copy(properties, s.Properties)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", key, properties[key])
	}
	return text.String()
}

// hasty is what a broker of a test does otherwise than one in production.
var hasty = map[string]string{
	"num.network.threads": "2",
	"num.io.threads":      "2",
	"background.threads":  "2",

	// After kill -9 the controller takes the broker back when the session of the dead one is over. On a busy machine it must not give up one that lives.
	"broker.session.timeout.ms":    "4000",
	"broker.heartbeat.interval.ms": "200",

	// Topics with small segments are to be cleaned while a test looks on.
	"log.initial.task.delay.ms":                                   "200",
	"log.retention.check.interval.ms":                             "500",
	"log.segment.delete.delay.ms":                                 "100",
	"log.cleaner.backoff.ms":                                      "200",
	"log.cleaner.dedupe.buffer.size":                              "8388608",
	"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}

// logSettings keep the JVM's log to what explains a failure. It goes to standard error: the test producer's
// answers are on standard output.
const logSettings = `rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.target=SYSTEM_ERR
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss,SSS} %p %c{1}: %m%n
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
`

// write puts the files that the broker is started with into folder.
func (s Settings) write(folder string, at ports) error {
	if s.Secure {
		if err := writeCertificates(folder); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "server.properties"), []byte(s.serverProperties(folder, at)), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "log4j2.properties"), []byte(logSettings), 0o600)
}

// java is the command line that runs a Java class of Kafka's with the settings in folder. The second compiler is left out: a broker that lives for minutes
// spends more on it than it gives back.
func java(program, jars, folder, heap string, arguments ...string) []string {
	return append([]string{
		program, "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + filepath.Join(folder, "log4j2.properties"), "-cp", filepath.Join(jars, "*"),
	}, arguments...)
}

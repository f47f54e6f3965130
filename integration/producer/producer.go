// Package producer holds the source of the test producer, a single-file Java program on the official Kafka client: what it writes was not
// encoded by any code of ours or of our Kafka library. Package broker runs it.
package producer

import _ "embed"

// Source is Produce.java; its comment has the command line and the protocol.
//
//go:embed Produce.java
var Source []byte

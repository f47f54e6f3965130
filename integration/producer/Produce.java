import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.TextFormat;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A producer that shares no line of code with the consumer under test: it sends what standard input says to one topic, with acks=all, and says
 * on standard output what was acknowledged.
 *
 * <pre>
 * java -cp 'jars/*' Produce.java TOPIC PROPERTIES [avro|protobuf SCHEMA-FILE SCHEMA-ID [MESSAGE]]
 * </pre>
 *
 * PROPERTIES is a file with the producer's properties; bootstrap.servers must be in it. Each line of input is a record or, with a colon, an order:
 *
 * <pre>
 * KEY \t VALUE [\t NAME:VALUE ...]   a record: everything in base64, "-" for null
 * :raw \t KEY \t VALUE ...           a record whose value is sent as it is, even where a schema was given
 * :partition \t N                    the partition of the records that follow; empty: by key
 * :time \t MILLISECONDS              the time of the records that follow; empty: the clock
 * :flush                             wait until everything is acknowledged; answers "flushed"
 * :begin, :commit, :abort            transactions; answer "begun", "committed", "aborted"
 * </pre>
 *
 * Each record is answered by "ack \t INDEX \t PARTITION \t OFFSET \t TIME" or "fail \t INDEX \t REASON"; the index counts records from 0. With a
 * schema the value is a text that is encoded and framed as the schema registry's serialisers do: Avro's JSON encoding, or the text format of
 * Protocol Buffers. SCHEMA-FILE is an Avro schema, or a FileDescriptorProto in text format.
 */
public class Produce {
  private interface Encoder {
    byte[] encode(byte[] text) throws Exception;
  }

  private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  private final KafkaProducer<byte[], byte[]> producer;
  private final String topic;
  private final Encoder encoder;
  private Integer partition;
  private Long time;
  private long index;

  private Produce(KafkaProducer<byte[], byte[]> producer, String topic, Encoder encoder) {
    this.producer = producer;
    this.topic = topic;
    this.encoder = encoder;
  }

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.put("acks", "all");
    try (var in = Files.newBufferedReader(Path.of(args[1]))) {
      properties.load(in);
    }
    Encoder encoder = args.length > 2 ? encoder(args[2], args[3], Integer.parseInt(args[4]), args.length > 5 ? args[5] : "") : text -> text;
    try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      if (properties.containsKey("transactional.id")) {
        producer.initTransactions();
      }
      say("ready");
      new Produce(producer, args[0], encoder).run();
    }
    say("closed");
  }

  private void run() throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line; (line = in.readLine()) != null; ) {
      String[] fields = line.split("\t", -1);
      String argument = fields.length > 1 ? fields[1] : "";
      switch (fields[0]) {
        case ":raw" -> send(fields, 1, text -> text);
        case ":partition" -> partition = argument.isEmpty() ? null : Integer.valueOf(argument);
        case ":time" -> time = argument.isEmpty() ? null : Long.valueOf(argument);
        case ":flush" -> {
          producer.flush();
          say("flushed");
        }
        case ":begin" -> {
          producer.beginTransaction();
          say("begun");
        }
        case ":commit" -> {
          producer.commitTransaction();
          say("committed");
        }
        case ":abort" -> {
          producer.flush(); // Without it the client throws away what it has not sent: an abort that leaves no trace in the log.
          producer.abortTransaction();
          say("aborted");
        }
        default -> send(fields, 0, encoder);
      }
    }
  }

  private void send(String[] fields, int from, Encoder encoder) throws Exception {
    long number = index++;
    byte[] value = bytes(fields[from + 1]);
    if (value != null) {
      value = encoder.encode(value);
    }
    List<Header> headers = new ArrayList<>();
    for (int i = from + 2; i < fields.length; i++) {
      String[] header = fields[i].split(":", 2);
      headers.add(new RecordHeader(new String(bytes(header[0]), StandardCharsets.UTF_8), bytes(header[1])));
    }
    producer.send(
        new ProducerRecord<>(topic, partition, time, bytes(fields[from]), value, headers),
        (sent, error) -> {
          if (error == null) {
            say("ack\t" + number + "\t" + sent.partition() + "\t" + sent.offset() + "\t" + sent.timestamp());
          } else {
            say("fail\t" + number + "\t" + error.toString().replaceAll("\\s", " "));
          }
        });
  }

  private static byte[] bytes(String field) {
    return field.equals("-") ? null : Base64.getDecoder().decode(field);
  }

  private static synchronized void say(String line) {
    OUT.print(line + "\n");
    OUT.flush();
  }

  private static Encoder encoder(String encoding, String schemaFile, int id, String message) throws Exception {
    String schema = Files.readString(Path.of(schemaFile));
    return switch (encoding) {
      case "avro" -> avro(new Schema.Parser().parse(schema), id);
      case "protobuf" -> protobuf(schema, id, message);
      default -> throw new IllegalArgumentException("the encoding is avro or protobuf, not " + encoding);
    };
  }

  private static Encoder avro(Schema schema, int id) {
    return text -> {
      var json = DecoderFactory.get().jsonDecoder(schema, new String(text, StandardCharsets.UTF_8));
      Object datum = new GenericDatumReader<>(schema).read(null, json);
      var out = frame(id);
      BinaryEncoder binary = EncoderFactory.get().binaryEncoder(out, null);
      new GenericDatumWriter<>(schema).write(datum, binary);
      binary.flush();
      return out.toByteArray();
    };
  }

  private static Encoder protobuf(String schema, int id, String message) throws Exception {
    var proto = FileDescriptorProto.newBuilder();
    TextFormat.merge(schema, proto);
    var file = FileDescriptor.buildFrom(proto.build(), new FileDescriptor[0]);
    Map<String, Descriptor> messages = new HashMap<>();
    file.getMessageTypes().forEach(type -> collect(type, messages));
    Descriptor type = messages.get(message);
    if (type == null) {
      throw new IllegalArgumentException("the schema has no message " + message + ", only " + messages.keySet());
    }
    return text -> {
      var value = DynamicMessage.newBuilder(type);
      TextFormat.merge(new String(text, StandardCharsets.UTF_8), value);
      var out = frame(id);
      writePath(out, type);
      value.build().writeTo(out);
      return out.toByteArray();
    };
  }

  private static void collect(Descriptor type, Map<String, Descriptor> into) {
    into.put(type.getFullName(), type);
    type.getNestedTypes().forEach(nested -> collect(nested, into));
  }

  /** The wire format of the schema registry: a zero byte and the schema's id, four bytes, the highest first. */
  private static ByteArrayOutputStream frame(int id) throws Exception {
    var out = new ByteArrayOutputStream();
    var head = new DataOutputStream(out);
    head.writeByte(0);
    head.writeInt(id);
    return out;
  }

  /** Which message of the schema it is: the indexes from the outermost message inwards, counted, as zigzag varints; "the first" is a single 0. */
  private static void writePath(OutputStream out, Descriptor type) throws Exception {
    List<Integer> path = new ArrayList<>();
    for (Descriptor at = type; at != null; at = at.getContainingType()) {
      path.add(0, at.getIndex());
    }
    if (path.equals(List.of(0))) {
      writeVarint(out, 0);
      return;
    }
    writeVarint(out, path.size());
    for (int index : path) {
      writeVarint(out, index);
    }
  }

  private static void writeVarint(OutputStream out, int n) throws Exception {
    int rest = (n << 1) ^ (n >> 31);
    for (; (rest & ~0x7f) != 0; rest >>>= 7) {
      out.write((rest & 0x7f) | 0x80);
    }
    out.write(rest);
  }
}

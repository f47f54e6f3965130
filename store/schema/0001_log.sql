-- Events as they were understood: the columns that are searched, the raw text once per record, and the whole event in its compact form.
-- Partitions follow our own clock and not the event's, so that hostile or replayed time stamps cannot make thousands of them; ranges of
-- event time are found by the sorting key, which begins with the hour. A row written twice is replaced by its id.
CREATE TABLE {database}.events {cluster}
(
    id               FixedString(16) CODEC(NONE),
    hour             UInt32 COMMENT 'Hours since 1970 of time, 0 before: prefix of the sorting key.',
    time             DateTime64(6, 'UTC') CODEC(Delta, LZ4),
    received         DateTime64(6, 'UTC') CODEC(Delta, LZ4),
    written          DateTime('UTC') COMMENT 'When the batch was appended; what retention counts from.',
    epoch            UInt64,
    number           UInt64,
    source           LowCardinality(String),
    partition        Int32,
    offset           Int64 CODEC(Delta, LZ4),
    idx              UInt16 COMMENT 'Which event of its record, from 0. Only 0 has the raw text.',
    format           LowCardinality(String),
    site             LowCardinality(String),
    time_source      Enum8('unknown' = 0, 'parsed' = 1, 'header' = 2, 'inferred-zone' = 3, 'inferred-year' = 4, 'receive' = 5),
    quality          UInt16 COMMENT 'Bits: truncated, lossy-decode, recovered, unmapped-enum, unmodelled, future, schema-odd, redacted, upgraded.',
    class            LowCardinality(String) COMMENT 'Class and activity as rules write them, such as authentication.logon.',
    class_uid        UInt32,
    activity_id      UInt16,
    severity_id      UInt8,
    status_id        UInt8,
    action_id        UInt8,
    disposition_id   UInt8,
    status_code      LowCardinality(String),
    product          LowCardinality(String),
    event_code       LowCardinality(String),
    policy           LowCardinality(String),
    app_protocol     LowCardinality(String),
    protocol         LowCardinality(String),
    actor_user       String,
    user             String,
    is_mfa           Nullable(Bool),
    src_ip           IPv6,
    src_port         UInt16,
    src_host         String,
    src_mac          String,
    src_zone         LowCardinality(String),
    src_country      LowCardinality(String),
    dst_ip           IPv6,
    dst_port         UInt16,
    dst_host         String,
    dst_zone         LowCardinality(String),
    device           String,
    device_host      String,
    bytes_in         Nullable(Int64),
    bytes_out        Nullable(Int64),
    robot            String,
    robot_fleet      LowCardinality(String),
    robot_mode_id    UInt8,
    robot_safety_id  UInt8,
    robot_command    LowCardinality(String),
    fault_code       LowCardinality(String),
    ot_function      LowCardinality(String),
    finding          LowCardinality(String),
    process          String,
    file_sha256      String,
    dns_query        String,
    http_host        String,
    entities         Array(LowCardinality(String)) COMMENT 'Canonical ids, each once.',
    refs             String COMMENT 'Compact: how each entity is named by the event.',
    event            String COMMENT 'Compact form of the whole event, versioned.' CODEC(ZSTD(1)),
    raw              String CODEC(ZSTD(1)),
    INDEX batch_epoch epoch TYPE minmax GRANULARITY 1,
    INDEX batch_number number TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(written)
ORDER BY (hour, class_uid, time, id)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 268435456, {durable};

-- Which event names which entity, and where an id stands in the table of events: xxHash64 of the entity's canonical id, or the first eight
-- bytes of an event's own id, then time. It is a hint and never the truth: a row without its event finds nothing.
CREATE TABLE {database}.entity_index {cluster}
(
    entity    UInt64,
    time      DateTime64(6, 'UTC'),
    class_uid UInt32,
    id        FixedString(16) CODEC(NONE),
    written   DateTime('UTC')
)
ENGINE = {replicated}MergeTree
PARTITION BY toDate(written)
ORDER BY (entity, time)
SETTINGS min_bytes_for_wide_part = 268435456, {durable};

-- The log: one marker per batch, written last. A batch without a marker does not exist.
CREATE TABLE {database}.batches {cluster}
(
    epoch          UInt64,
    number         UInt64,
    received       DateTime64(6, 'UTC'),
    written        DateTime('UTC'),
    frontier       Nullable(DateTime64(6, 'UTC')),
    events         UInt32,
    rejects        UInt32,
    hits           UInt32,
    notes          UInt32,
    actions        UInt32,
    rules          LowCardinality(String),
    tables         LowCardinality(String),
    end_source     Array(LowCardinality(String)),
    end_partition  Array(Int32),
    end_offset     Array(Int64),
    end_cookie     Array(String),
    mark_source    Array(LowCardinality(String)),
    mark_partition Array(Int32),
    mark_newest    Array(Int64),
    mark_received  Array(Int64),
    mark_idle      Array(Bool),
    carry          String COMMENT 'Compact: records waiting for the rest of their message.' CODEC(ZSTD(1)),
    learned        String COMMENT 'Compact: the address bindings that the batch taught.' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(written)
ORDER BY (epoch, number)
SETTINGS {durable};

-- One row per process that wrote to the log. Batches of older epochs beyond (after_epoch, after_number) are void.
CREATE TABLE {database}.epochs {cluster}
(
    epoch         UInt64,
    token         String,
    started       DateTime64(6, 'UTC'),
    after_epoch   UInt64,
    after_number  UInt64
)
ENGINE = {replicated}MergeTree
ORDER BY (epoch, token)
SETTINGS {durable};

-- Sources whose topics began anew and were accepted: positions of incarnation n belong to the source SOURCE#n.
CREATE TABLE {database}.accepted {cluster}
(
    source       String,
    incarnation  UInt32,
    at           DateTime64(6, 'UTC'),
    by           String,
    reason       String
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (source, incarnation)
SETTINGS {durable};

CREATE TABLE {database}.hits {cluster}
(
    epoch    UInt64,
    number   UInt64,
    seq      UInt32,
    written  DateTime('UTC'),
    rule     LowCardinality(String),
    version  Int32,
    branch   UInt8,
    step     UInt8,
    key      String,
    time     DateTime64(6, 'UTC'),
    event    FixedString(16),
    payload  String COMMENT 'The whole hit, compact and versioned.' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(written)
ORDER BY (epoch, number, seq)
SETTINGS {durable};

CREATE TABLE {database}.notes {cluster}
(
    epoch    UInt64,
    number   UInt64,
    seq      UInt32,
    written  DateTime('UTC'),
    entity   String,
    what     LowCardinality(String),
    prev     String,
    value    String,
    actor    String,
    time     DateTime64(6, 'UTC'),
    event    FixedString(16),
    payload  String COMMENT 'The event as kept for evidence, compact and versioned.' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(written)
ORDER BY (epoch, number, seq)
SETTINGS {durable};

CREATE TABLE {database}.actions {cluster}
(
    epoch     UInt64,
    number    UInt64,
    seq       UInt32,
    written   DateTime('UTC'),
    id        FixedString(16),
    kind      LowCardinality(String),
    incident  FixedString(16),
    actor     String,
    at        DateTime64(6, 'UTC'),
    doc       String COMMENT 'The whole action, JSON.' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(written)
ORDER BY (epoch, number, seq)
SETTINGS {durable};

-- Records that could not become events, whole, with the reason. A record that came twice is one reject.
CREATE TABLE {database}.rejects {cluster}
(
    id             FixedString(16) COMMENT 'Of the record: what its first event would have had, unless the source gives ids.',
    received       DateTime64(6, 'UTC'),
    source         LowCardinality(String),
    partition      Int32,
    offset         Int64,
    written        DateTime('UTC'),
    epoch          UInt64,
    number         UInt64,
    format         LowCardinality(String),
    code           LowCardinality(String),
    reason         String,
    keyed          Bool COMMENT 'Whether the record had a key, be it empty.',
    key            String,
    header_keys    Array(LowCardinality(String)),
    header_values  Array(String),
    context        String COMMENT 'Header lines that were in force, for column formats.' CODEC(ZSTD(1)),
    based          Bool COMMENT 'Whether ids are made of the id here and not of the place, which says nothing lasting.',
    partial        Bool COMMENT 'Whether the record was cut.',
    raw            String CODEC(ZSTD(1)),
    INDEX received received TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(written)
ORDER BY (source, partition, offset, id)
SETTINGS {durable};

-- What became of rejects that were decoded again, the newest of each: events, or another reason.
CREATE TABLE {database}.retries {cluster}
(
    id       FixedString(16),
    at       DateTime64(6, 'UTC'),
    written  DateTime('UTC'),
    events   UInt32 COMMENT 'How many events came of it; 0: it is a reject still.',
    format   LowCardinality(String),
    code     LowCardinality(String),
    reason   String
)
ENGINE = {replicated}ReplacingMergeTree(at)
ORDER BY id
SETTINGS {durable};

-- State after a batch, cut into chunks: that of the process that does everything under the name '', that of a partition of hits and of triage
-- under names of their own. Each checkpoint is a partition, so that an old one is dropped at once.
CREATE TABLE {database}.checkpoints {cluster}
(
    name     String,
    epoch    UInt64,
    number   UInt64,
    chunk    UInt32,
    chunks   UInt32,
    length   UInt64,
    sha256   FixedString(32) COMMENT 'Of the whole checkpoint.',
    written  DateTime64(6, 'UTC'),
    data     String CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY (name, epoch, number)
ORDER BY (sha256, chunk)
SETTINGS {durable};

-- Findings by revision.
CREATE TABLE {database}.findings {cluster}
(
    id        FixedString(16),
    revision  Int32,
    epoch     UInt64,
    number    UInt64,
    written   DateTime64(6, 'UTC'),
    state     LowCardinality(String),
    rule      LowCardinality(String),
    version   Int32,
    title     LowCardinality(String),
    shadow    Bool,
    severity  UInt8,
    score     UInt8,
    key       String,
    time      DateTime64(6, 'UTC'),
    first     DateTime64(6, 'UTC'),
    seen      DateTime64(6, 'UTC'),
    repeats   Int32,
    entities  Array(LowCardinality(String)) COMMENT 'Canonical ids of the evidence, each once.',
    doc       String COMMENT 'The whole finding, JSON.' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (id, revision)
SETTINGS {durable};

-- Incidents by revision.
CREATE TABLE {database}.incidents {cluster}
(
    id        FixedString(16),
    revision  Int32,
    written   DateTime64(6, 'UTC'),
    status    LowCardinality(String),
    verdict   LowCardinality(String),
    severity  UInt8,
    score     UInt8,
    title     String,
    owner     LowCardinality(String),
    assignee  LowCardinality(String),
    first     DateTime64(6, 'UTC'),
    last      DateTime64(6, 'UTC'),
    opened    DateTime64(6, 'UTC'),
    updated   DateTime64(6, 'UTC'),
    domains   Array(LowCardinality(String)),
    robots    Array(LowCardinality(String)),
    entities  Array(LowCardinality(String)),
    rules     Array(LowCardinality(String)),
    findings  Array(FixedString(16)),
    doc       String COMMENT 'The whole incident, JSON.' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (id, revision)
SETTINGS {durable};

-- What is announced: one row per revision of an incident, in the order of the log.
CREATE TABLE {database}.changes {cluster}
(
    epoch     UInt64,
    number    UInt64,
    idx       UInt32,
    written   DateTime64(6, 'UTC'),
    kind      LowCardinality(String),
    fields    Array(LowCardinality(String)),
    actor     String,
    origin    LowCardinality(String),
    incident  FixedString(16),
    revision  Int32
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (epoch, number, idx)
SETTINGS {durable};

-- Batches whose findings and changes have all been recorded.
CREATE TABLE {database}.recorded {cluster}
(
    epoch    UInt64,
    number   UInt64,
    written  DateTime('UTC')
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (epoch, number)
SETTINGS {durable};

-- Attempts at deliveries and how they ended; the newest row of a delivery is its state.
CREATE TABLE {database}.attempts {cluster}
(
    id        FixedString(16),
    attempts  UInt32,
    at        DateTime64(6, 'UTC'),
    endpoint  LowCardinality(String),
    incident  FixedString(16),
    revision  Int32,
    state     LowCardinality(String),
    next      DateTime64(6, 'UTC'),
    error     String
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (id, attempts, at)
SETTINGS {durable};

-- A mirror of what events taught about who had which address when, for searching; the truth is in the checkpoint and the log.
CREATE TABLE {database}.bindings {cluster}
(
    relation    LowCardinality(String),
    identifier  String,
    entity      String,
    session     String,
    since       DateTime64(6, 'UTC'),
    until       DateTime64(6, 'UTC'),
    source      LowCardinality(String),
    confidence  UInt8,
    written     DateTime64(6, 'UTC')
)
ENGINE = {replicated}ReplacingMergeTree(written)
ORDER BY (identifier, relation, since, entity, source)
SETTINGS {durable};

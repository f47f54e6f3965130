-- Small documents that people make in the console: views, people, tokens, sessions. Each revision is a row and none is changed. Two that write
-- the same revision at once carry the same deduplication token, so the server keeps one of them; a row that slips past it (the server
-- remembers a number of tokens, not all) loses to the one that the server stamped first. Sessions and last uses have ids that
-- never come again and are removed when they are long over.
CREATE TABLE {database}.workspace {cluster}
(
    kind      LowCardinality(String),
    id        String,
    revision  Int64,
    nonce     String COMMENT 'Of one call that kept it; tells whose row this is.',
    stamped   DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'The server''s clock.',
    at        DateTime64(6, 'UTC') COMMENT 'Our clock.',
    by        String,
    deleted   Bool,
    body      String COMMENT 'JSON.' CODEC(ZSTD(1))
)
ENGINE = {replicated}MergeTree
ORDER BY (kind, id, revision)
TTL toDateTime(at) + toIntervalDay(45) DELETE WHERE kind IN ('session', 'used')
SETTINGS {durable};

-- Who did what, tried to, and was refused, in the console and its API. Rows are only added.
CREATE TABLE {database}.audit {cluster}
(
    at        DateTime64(6, 'UTC') CODEC(Delta, LZ4),
    id        FixedString(16) COMMENT 'Random; tells entries of one instant apart.' CODEC(NONE),
    who       String,
    via       LowCardinality(String) COMMENT 'How we know who it was: loopback, local, oidc, token:ID; empty for nobody.',
    action    LowCardinality(String),
    target    String,
    detail    String COMMENT 'JSON.' CODEC(ZSTD(1)),
    from      String COMMENT 'Address of the client.',
    ok        Bool
)
ENGINE = {replicated}MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, id)
SETTINGS {durable};

-- Rows of the newest small batches, before they are in their own tables: one insert instead of one for each table, and a few dozen batches go into
-- those together. A batch is a partition, so that it is dropped at once when its rows are where they belong. The name lies between batches and
-- the tables it is for: a backup that takes tables by name finds each row here or there.
CREATE TABLE {database}.delta {cluster}
(
    epoch    UInt64,
    number   UInt64,
    seq      UInt32,
    written  DateTime('UTC'),
    into     String COMMENT 'The table and its columns, as an INSERT names them.',
    rows     UInt32,
    data     String COMMENT 'A Native block, compressed (S2).' CODEC(NONE)
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY (epoch, number)
ORDER BY seq
SETTINGS {durable};

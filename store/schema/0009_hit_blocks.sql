-- Hits, thousands to a row and packed: nothing but recovery reads them, and it reads all of a batch. What an earlier program wrote is in the table
-- hits, and recovery reads it there until retention removes it.
CREATE TABLE {database}.hit_blocks {cluster}
(
    epoch    UInt64,
    number   UInt64,
    seq      UInt32,
    written  DateTime('UTC'),
    hits     UInt32 COMMENT 'How many there are in the row.',
    data     String COMMENT 'The hits, compact, versioned and compressed (S2).' CODEC(NONE)
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toDate(written)
ORDER BY (epoch, number, seq)
SETTINGS {durable};

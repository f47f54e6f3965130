-- All there is of the newest small batches, markers, findings, incidents and changes included, before it is in its own tables; it takes the place of
-- delta, which had rows alone. A backup takes tables by their names: this one comes before all that its rows go to, so that each row is found here
-- or there. The table delta stays, empty: what is applied again finds it.
CREATE TABLE {database}.accrued {cluster}
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

INSERT INTO {database}.accrued SELECT * FROM {database}.delta SETTINGS max_partitions_per_insert_block = 0;

TRUNCATE TABLE {database}.delta {cluster};

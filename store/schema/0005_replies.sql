-- What receivers said to attempts, and who asked for a delivery to be made again.
ALTER TABLE {database}.attempts {cluster}
    ADD COLUMN IF NOT EXISTS status UInt16 COMMENT 'Of HTTP or SMTP; 0 for none.',
    ADD COLUMN IF NOT EXISTS answer String COMMENT 'The beginning of what the receiver said.' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS took Int64 COMMENT 'Microseconds.',
    ADD COLUMN IF NOT EXISTS spent UInt32 COMMENT 'Attempts made before the last replay.',
    ADD COLUMN IF NOT EXISTS replayed Int64 COMMENT 'Our clock, microseconds; 0 for never.',
    ADD COLUMN IF NOT EXISTS by String COMMENT 'Who asked for the replay.';

-- The plants of an incident beside its document; older rows are asked for theirs.
ALTER TABLE {database}.incidents {cluster}
    ADD COLUMN IF NOT EXISTS sites Array(LowCardinality(String)) DEFAULT JSONExtract(doc, 'Sites', 'Array(String)') AFTER robots;

ALTER TABLE {database}.notes {cluster}
    ADD INDEX IF NOT EXISTS note_time time TYPE minmax GRANULARITY 1;

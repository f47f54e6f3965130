-- What requests with an Idempotency-Key were answered is removed after 30 days. Keys are not to come again after that.
ALTER TABLE {database}.workspace {cluster}
    MODIFY TTL toDateTime(at) + toIntervalDay(45) DELETE WHERE kind IN ('session', 'used'), toDateTime(at) + toIntervalDay(30) DELETE WHERE kind = 'reply';

-- +goose Up
CREATE TABLE audit (
    leaf       BIGINT PRIMARY KEY, -- number of the entry, from 0
    seq        BIGINT NOT NULL,
    time       BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    role       TEXT NOT NULL,
    action     TEXT NOT NULL,
    operation  TEXT NOT NULL,
    object     TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    why        TEXT NOT NULL,
    detail     TEXT NOT NULL, -- JSON object
    remote     TEXT NOT NULL,
    hash       TEXT NOT NULL  -- of the record's bytes: tells Verify which entry was changed
);
CREATE INDEX audit_actor ON audit (actor, leaf);
CREATE INDEX audit_object ON audit (object, leaf);
CREATE INDEX audit_action ON audit (action, leaf);
CREATE INDEX audit_time ON audit (time);

-- +goose Down
DROP TABLE audit;

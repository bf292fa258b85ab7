-- +goose Up
-- What was erased, when and why: bus.Erasure.
CREATE TABLE erasures (
    id       TEXT PRIMARY KEY,
    seq      BIGINT NOT NULL,
    time     BIGINT NOT NULL,
    stream   TEXT NOT NULL,
    class    TEXT NOT NULL,
    before   BIGINT NOT NULL, -- expiry: everything of the class written before
    device   TEXT NOT NULL,
    premises TEXT NOT NULL,
    frames   BIGINT NOT NULL,
    records  BIGINT NOT NULL,
    why      TEXT NOT NULL,
    by_whom  TEXT NOT NULL,
    done     BIGINT NOT NULL -- 1: nothing of it is left in the log
);
CREATE INDEX erasures_seq ON erasures (seq);

-- +goose Down
DROP TABLE erasures;

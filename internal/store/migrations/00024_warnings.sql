-- +goose Up
-- The force's own public warnings, one row a message.
CREATE TABLE warnings (
    id       TEXT PRIMARY KEY,
    state    TEXT NOT NULL,   -- drafted, issued, discarded
    status   TEXT NOT NULL,   -- Actual, Exercise, Test
    msg_type TEXT NOT NULL,   -- Alert, Update, Cancel
    replaced TEXT NOT NULL,   -- id of the message that updates or cancels it
    sent     BIGINT NOT NULL, -- 0: not issued
    expires  BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    body     TEXT NOT NULL,   -- issue.Warning
    document TEXT NOT NULL    -- the signed CAP message, once issued
);
CREATE INDEX warnings_sent ON warnings (state, sent);

-- +goose Down
DROP TABLE warnings;
